"""`backtest`: the forecast every deployment would have got before it started, and how good these forecasts were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field

from shipcast.answers import words
from shipcast.answers.answer import Answer, Count, Instant, Number, Part, Share, naive, utc
from shipcast.answers.errors import UnknownName
from shipcast.answers.metric_queries import PROXIES, Scope
from shipcast.answers.metrics import first_day, proxy_said
from shipcast.answers.periods import DAY, Span, day_of, days_said, instant_of
from shipcast.answers.reading import Reader
from shipcast.answers.statistics import wilson
from shipcast.features.history import History
from shipcast.features.matrix import MOST_ROWS, matrix
from shipcast.features.own import enter_files
from shipcast.models import scores
from shipcast.models.backtest import FORECASTS, Backtest, CutOff
from shipcast.models.backtest import backtest as rolled
from shipcast.models.candidates import CANDIDATES, Candidate, maker
from shipcast.models.failure import ASSUMED_RATE
from shipcast.models.training import failed_of, scores_of
from shipcast.settings.errors import UsageError

YEAR = timedelta(days=365)
MONTH = timedelta(days=28)
RATE = "rate"
ENDED = """
select deployment_id, environment from fct_deployments
where {scope} and completed_at <= $at and status in ('failed', 'rolled_back', 'succeeded')
"""


class Forecast(Part):
    """The chance that a deployment would have been given before it started, by a model trained at `model_cutoff`.

    Parameters
    ----------
    failure_low, failure_high
        The 95 % interval of the chance.
    failed
        Null: the outcome has not settled, and no failure is known.
    """

    deployment_id: str
    started_at: Instant
    service: str
    environment: str
    failure_probability: Share
    failure_low: Share
    failure_high: Share
    failed: bool | None
    model_cutoff: Instant


class Reliability(Part):
    """A tenth of the deployments, from the lowest forecasts to the highest; equal forecasts stay together.

    Parameters
    ----------
    forecast_low, forecast, forecast_high
        The lowest, mean and highest chance given.
    n, failures, observed, observed_low, observed_high
        What became of them: the share that failed, and its Wilson 95 % interval.
    """

    forecast_low: Share
    forecast: Share
    forecast_high: Share
    n: Count
    failures: Count
    observed: Share
    observed_low: Share
    observed_high: Share


class Summary(Part):
    """How good the forecasts were, over the deployments whose outcome has settled. Null: nothing can be said.

    Parameters
    ----------
    n, failures
        The settled deployments, and those that failed. A failure known before it settled waits for its fellows, which
        take longer to count as successes.
    log_loss, log_loss_base
        Of the forecasts, and of the rate known at each cut-off. `log_loss_difference` is the first less the second,
        with a 95 % interval from a bootstrap of whole days.
    skill, skill_low, skill_high
        The share of the base's log loss that was saved, with that interval.
    brier, brier_skill
        The mean squared error, and the share of the base's that was saved.
    auc
        How often a failure had a higher forecast than a success.
    calibration_slope, calibration_slope_low, calibration_slope_high, calibration_intercept
        Of the outcome on the forecast log odds: 1 and 0 are perfect; a slope below 1 means forecasts too far apart.
    top_tenth
        The share of all failures that the riskiest tenth held.
    """

    n: Count
    failures: Count
    log_loss: Number | None = None
    log_loss_base: Number | None = None
    log_loss_difference: Number | None = None
    log_loss_difference_low: Number | None = None
    log_loss_difference_high: Number | None = None
    skill: Number | None = None
    skill_low: Number | None = None
    skill_high: Number | None = None
    brier: Number | None = None
    brier_skill: Number | None = None
    auc: Share | None = None
    calibration_slope: Number | None = None
    calibration_slope_low: Number | None = None
    calibration_slope_high: Number | None = None
    calibration_intercept: Number | None = None
    top_tenth: Share | None = None
    reliability: tuple[Reliability, ...] = ()


class Training(Part):
    """One cut-off: the settled deployments learned from, those known to have failed, and how many were forecast.

    `is_rate`: there was too little to learn from, so that the rate was forecast.
    """

    model_cutoff: Instant
    n: Count
    failures: Count
    forecasts: Count
    is_rate: bool


class BacktestAnswer(Answer):
    """Every counted deployment that started in the period, with the forecast that it would have got.

    Parameters
    ----------
    model
        The candidate that was trained anew at each cut-off, `every_days` apart.
    period_start, period_end
        Half-open.
    """

    schema_name: Literal["shipcast/backtest/1"] = Field("shipcast/backtest/1", alias="schema")
    environment: str
    model: str
    period_start: Instant
    period_end: Instant
    every_days: Number
    items: tuple[Forecast, ...]
    summary: Summary
    cutoffs: tuple[Training, ...]


def backtest(
    reader: Reader,
    *,
    environment: str = "production",
    period_from: date | None = None,
    period_to: date | None = None,
    every: timedelta = MONTH,
    model: str | Any = "regression",
    progress: Callable[[str], None] = lambda message: None,
) -> BacktestAnswer:
    """The forecasts of a period by models trained only on what was known then, and their scores.

    Parameters
    ----------
    period_from, period_to
        Start, included, and end, excluded, of when the deployments started. A date is its midnight in the reporting
        zone. None: the last 365 days that something is known of.
    every
        The model is trained at the start of the period, and again whenever so much time has passed.
    model
        A name in `CANDIDATES`, a candidate, or an estimator of one's own with scikit-learn's `fit` and
        `predict_proba`, which is copied.

    Raises
    ------
    UsageError
        The period is empty, or `every` is less than a day.
    UnknownName
        No such environment or model; the nearest known ones are named.
    FeatureFileFailed
        A file of the user's own features broke off.
    """
    if isinstance(model, str) and model not in CANDIDATES:
        raise UnknownName("model", model, CANDIDATES)
    if every < DAY:
        raise UsageError(f"Models are trained at most once a day; got {every}.", next_step="Ask with --every 28d.")
    reader.check_environment(environment)
    period = period_asked(reader, environment, period_from, period_to)
    name, make = maker(model)
    enter_files(reader.settings.features)
    history = reader.history(environment)
    ended = history.frame(ENDED)
    found = made(history, ended, period, make, every, progress)
    forecasts = found.forecasts.join(ended, on="deployment_id", how="left", maintain_order="left")
    summary = scored(forecasts.filter("is_settled"))
    answer = BacktestAnswer(
        **reader.envelope(),
        environment=environment,
        model=name,
        period_start=period.start,
        period_end=period.end,
        every_days=every / DAY,
        items=tuple(item(row) for row in forecasts.iter_rows(named=True)),
        summary=summary,
        cutoffs=tuple(training(cut_off) for cut_off in found.cut_offs),
        warnings=(*reader.warnings(), *warnings(reader, history, forecasts, period_to, found.cut_offs, name)),
    )
    return answer.model_copy(update={"sentence": sentence(answer, ZoneInfo(reader.settings.tz))})


def period_asked(reader: Reader, environment: str, period_from: date | None, period_to: date | None) -> Span:
    """What was asked for, up to `as_of`; else the 365 days that end with the newest record's."""
    zone = ZoneInfo(reader.settings.tz)
    first = first_day(reader, Scope(environment, None, None, None), zone)
    newest = day_of(reader.data_as_of or reader.as_of, zone).end
    end = min(reader.as_of, newest if period_to is None else instant_of(period_to, zone))
    start = max(end - YEAR, first) if period_from is None else instant_of(period_from, zone)
    if period_from is None:
        return Span(min(start, end), end)
    if start < end:
        return Span(start, end)
    raise UsageError(
        f"The period is empty: it would run from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC.",
        next_step="Let --from be before --to, and both before --as-of.",
    )


def made(
    history: History,
    ended: pl.DataFrame,
    period: Span,
    make: Callable[[], Candidate],
    every: timedelta,
    progress: Callable[[str], None],
) -> Backtest:
    """The forecasts of the period; the matrix is made once, since each of its rows knows nothing later than itself."""
    if not len(ended):
        return Backtest(pl.DataFrame(schema=FORECASTS), ())
    progress("gathering what was known before each deployment")
    rows = matrix(history).join(ended, on="deployment_id", how="semi")
    return rolled(rows, make, naive(period.start), naive(period.end), every, history.at, progress)


def scored(settled: pl.DataFrame) -> Summary:
    """The scores of forecasts whose outcome has settled."""
    if not len(settled):
        return Summary(n=0, failures=0)
    found = scores_of(settled)
    return Summary(
        n=found.n,
        failures=found.failures,
        log_loss=found.log_loss,
        log_loss_base=found.log_loss_base,
        **gained(found.gain),
        brier=found.brier,
        brier_skill=found.brier_skill,
        auc=found.auc,
        **calibrated(found.calibration),
        top_tenth=found.top_tenth,
        reliability=tuple(
            reliability(group) for group in scores.reliability(settled["chance"].to_numpy(), failed_of(settled))
        ),
    )


def gained(gain: scores.Gain) -> dict[str, Any]:
    return {
        "log_loss_difference": gain.difference,
        "log_loss_difference_low": gain.low,
        "log_loss_difference_high": gain.high,
        "skill": gain.skill,
        "skill_low": gain.skill_low,
        "skill_high": gain.skill_high,
    }


def calibrated(found: scores.Calibration | None) -> dict[str, Any]:
    return {} if found is None else {f"calibration_{key}": value for key, value in asdict(found).items()}


def reliability(group: scores.Group) -> Reliability:
    low, high = wilson(group.failures, group.n) or (0.0, 1.0)
    return Reliability(
        forecast_low=group.low,
        forecast=group.mean,
        forecast_high=group.high,
        n=group.n,
        failures=group.failures,
        observed=group.failures / group.n,
        observed_low=low,
        observed_high=high,
    )


def item(row: dict[str, Any]) -> Forecast:
    return Forecast(
        deployment_id=row["deployment_id"],
        started_at=utc(row["started_at"]),
        service=row["service"],
        environment=row["environment"],
        failure_probability=row["chance"],
        failure_low=row["low"],
        failure_high=row["high"],
        failed=row["is_failed"],
        model_cutoff=utc(row["cut_off"]),
    )


def training(cut_off: CutOff) -> Training:
    return Training(
        model_cutoff=utc(cut_off.at),
        n=cut_off.settled,
        failures=cut_off.failures,
        forecasts=cut_off.forecasts,
        is_rate=cut_off.is_rate,
    )


def warnings(
    reader: Reader,
    history: History,
    forecasts: pl.DataFrame,
    period_to: date | None,
    cut_offs: Sequence[CutOff],
    model: str,
) -> list[str]:
    """What to know about these forecasts in particular."""
    return [
        *beyond_now(reader, period_to),
        *proxies(reader, history.environment),
        *sampled(history),
        *unsettled(reader, forecasts),
        *learned_little(cut_offs, model),
    ]


def beyond_now(reader: Reader, period_to: date | None) -> list[str]:
    if period_to is None or instant_of(period_to, ZoneInfo(reader.settings.tz)) <= reader.as_of:
        return []
    asked_at = f"{reader.as_of:%Y-%m-%d %H:%M} UTC"
    return [f"The period ends after {asked_at}, the time of the question: it is judged up to there."]


def proxies(reader: Reader, environment: str) -> list[str]:
    places = Scope(environment, None, None, None).places()
    [(found, deployments)] = reader.rows(PROXIES.format(places=places), service=None, environment=environment)
    return [f"proxy: {proxy_said(found, deployments)}."] if found else []


def sampled(history: History) -> list[str]:
    share = -(-history.started() // MOST_ROWS)
    return [f"One deployment in {share} was looked at, drawn by its id."] if share > 1 else []


def unsettled(reader: Reader, forecasts: pl.DataFrame) -> list[str]:
    count, settle_days = int((~forecasts["is_settled"]).sum()), words.count(reader.facts.settle_days)
    of_all = f"{count:,} of {words.plural(len(forecasts), 'deployment')}"
    return [f"{of_all} ended less than {settle_days} days before and are not judged yet."] if count else []


def learned_little(cut_offs: Sequence[CutOff], model: str) -> list[str]:
    """Where the first cut-offs had little or nothing to learn from."""
    assumed = sum(cut_off.settled == 0 for cut_off in cut_offs)
    by_rate = sum(cut_off.is_rate and cut_off.settled > 0 for cut_off in cut_offs) if model != RATE else 0
    said = []
    if assumed:
        said.append(
            f"At {assumed} of {words.plural(len(cut_offs), 'cut-off')} no deployment had settled: the assumed rate, "
            f"{words.in_hundred(ASSUMED_RATE)}, was all that could be said."
        )
    if by_rate:
        said.append(
            f"At {by_rate} of {words.plural(len(cut_offs), 'cut-off')} too few deployments or failures had settled to "
            "learn from: the rate known then was forecast."
        )
    return said


def sentence(answer: BacktestAnswer, zone: ZoneInfo) -> str:
    """Whether the forecasts beat the base rate, in one sentence."""
    period = days_said(Span(answer.period_start, answer.period_end), zone)
    found, count = answer.summary, words.plural(answer.summary.n, "deployment")
    if not answer.items:
        return f"No deployment to {answer.environment} is known {period}, so there is no forecast to judge."
    if not found.n or found.skill is None or found.skill_low is None or found.skill_high is None:
        return f"No deployment to {answer.environment} {period} has settled yet, so no forecast can be judged."
    if found.failures in (0, found.n):
        which = "None" if not found.failures else "All"
        return f"{which} of {count} {period} failed: that tells no good forecast from a bad one."
    held = f"the riskiest tenth held {words.share(found.top_tenth)} of {words.plural(found.failures, 'failure')}"
    if answer.model == RATE:
        base = f"The base rate alone was forecast {period}: {words.plural(found.failures, 'failure')} in {count}"
        return f"{base}, a log loss of {found.log_loss:.4f} for others to beat."
    return f"Forecasts {period} were {against_base(found.skill, found.skill_low, found.skill_high)}: {held}."


def against_base(skill: float, low: float, high: float) -> str:
    """Whether forecasts beat the base rate, in words.

    >>> against_base(0.09, 0.04, 0.15)
    '9 % better than the base rate (4 to 15)'
    >>> against_base(0.03, -0.02, 0.08)
    'not clearly better than the base rate (3 % better; anything from 2 % worse to 8 % better is possible)'
    """
    if low <= 0 <= high:
        between = f"{than_base(skill)}; anything from {than_base(low)} to {than_base(high)} is possible"
        return f"not clearly better than the base rate ({between})"
    near, far = (words.share(value).removesuffix(" %") for value in sorted((abs(low), abs(high))))
    return f"{than_base(skill)} than the base rate ({near} to {far})"


def than_base(skill: float) -> str:
    """
    >>> than_base(0.134), than_base(-0.02)
    ('13 % better', '2 % worse')
    """
    return f"{words.share(abs(skill))} {'better' if skill >= 0 else 'worse'}"

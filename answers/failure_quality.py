"""How the champion's chances of failure did: on the deployments that it was judged by, as they turned out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from shipcast.answers.answer import Count, Instant, Number, Part, Share, utc
from shipcast.answers.backtest import Summary, against_base, scored
from shipcast.answers.kept import kept
from shipcast.answers.statistics import wilson
from shipcast.answers.words import plural, share
from shipcast.features.history import History
from shipcast.models.registry import Champion
from shipcast.models.scores import Group, bands, bias
from shipcast.models.training import ENOUGH, ENOUGH_FAILURES, days_of, failed_of
from shipcast.scheduling.recommend import LEVELS, level

FILE = "forecasts.parquet"
COLUMNS = {
    "deployment_id": pl.String(),
    "service": pl.String(),
    "started_at": pl.Datetime("us"),
    "chance": pl.Float64(),
    "base": pl.Float64(),
}
EDGES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
HOW = (
    "Each was forecast from what was known up to 28 days before it; the kind of model was chosen on the same "
    "deployments, which flatters it a little."
)
CALMER, ROUGHER = ("calm", "fair"), ("rough", "storm")
OUTCOMES = """
select deployment_id, coalesce(failed_at <= $at, false) as is_failed, coalesce(settled_at <= $at, false) as is_settled
from fct_deployments
where {scope} and started_at >= $since and started_at <= $at
order by deployment_id
"""


class Band(Part):
    """The deployments whose chance of failure was said to lie in [said_from, said_to), and what became of them.

    Parameters
    ----------
    forecast
        The mean of the chances said.
    observed, observed_low, observed_high
        The share that failed, and its Wilson 95 % interval.
    """

    said_from: Share
    said_to: Share
    forecast: Share
    n: Count
    failures: Count
    observed: Share
    observed_low: Share
    observed_high: Share


class LevelOutcome(Part):
    """What deployments did whose chance of failure, against the mean of their service's, was of that level.

    It is the chance alone, not the whole price with the time to restore and the load.
    """

    level: str
    n: Count
    failures: Count
    observed: Share
    observed_low: Share
    observed_high: Share


class FailureQuality(Part):
    """How good the chances of failure were.

    Parameters
    ----------
    period_start, period_end
        When the first and the last of the deployments judged started.
    unsettled
        Forecasts that cannot be judged yet.
    forecast, observed
        The mean chance said, and the share that failed.
    bias, bias_low, bias_high
        The first less the second, with a 95 % interval that allows for failures that come together on one day.
        Null where the scores are.
    summary
        The scores; all but the counts are null where fewer than 100 deployments, or 5 failures, have settled.
    how
        How the forecasts were made, and what speaks against trusting the scores.
    """

    period_start: Instant
    period_end: Instant
    unsettled: Count
    forecast: Share
    observed: Share
    bias: Number | None
    bias_low: Number | None
    bias_high: Number | None
    summary: Summary
    bands: tuple[Band, ...]
    levels: tuple[LevelOutcome, ...]
    how: str
    sentence: str


def failure_quality(history: History, home: Path, entry: Champion) -> FailureQuality | str:
    """The quality of the champion's forecasts by the outcomes known at the history's instant, or why it is unknown."""
    forecasts = kept(home, entry, FILE, stored)
    if isinstance(forecasts, str):
        return forecasts
    outcomes = history.frame(OUTCOMES, since=forecasts["started_at"].min() or history.at)
    known = forecasts.join(outcomes, on="deployment_id", how="left", maintain_order="left")
    settled = relative(known).filter(pl.col("is_settled").fill_null(False))
    if not len(settled):
        return f"None of the {plural(len(forecasts), 'deployment')} that the model was judged by has settled."
    first, last = settled.select(first=pl.min("started_at"), last=pl.max("started_at")).row(0)
    summary = told(scored(settled))
    return FailureQuality(
        period_start=utc(first),
        period_end=utc(last),
        unsettled=len(forecasts) - len(settled),
        forecast=settled.select(pl.mean("chance")).item(),
        observed=summary.failures / summary.n,
        **apart(settled, summary),
        summary=summary,
        bands=banded(settled),
        levels=by_level(settled),
        how=HOW,
        sentence=sentence(summary, entry.recipe, first, last),
    )


def stored(path: Path) -> pl.DataFrame | str:
    """The forecasts that were kept with a model, or why there are none to judge."""
    try:
        found = pl.read_parquet(path, columns=list(COLUMNS))
    except (OSError, pl.exceptions.PolarsError) as error:
        return f"{path} cannot be read: {str(error).splitlines()[0]}."
    chances = found.select("chance", "base")
    if dict(found.schema) != COLUMNS or found.null_count().sum_horizontal().item():
        return f"{path} does not hold the forecasts of a model."
    if not all(chances.select((pl.all() >= 0) & (pl.all() <= 1)).select(pl.all().all()).row(0)):
        return f"{path} holds chances that are none."
    return found if len(found) else "No deployment had been forecast when the model was trained."


def relative(forecasts: pl.DataFrame) -> pl.DataFrame:
    """With each chance against the mean chance of the same service, and the level that this is of."""
    usual = forecasts.with_columns(usual=pl.mean("chance").over("service"))
    ratios = [chance / mean if mean else 1.0 for chance, mean in usual.select("chance", "usual").rows()]
    return forecasts.with_columns(level=pl.Series([level(ratio) for ratio in ratios], dtype=pl.String))


def apart(settled: pl.DataFrame, summary: Summary) -> dict[str, float | None]:
    """How far chances lay above what came, with the interval; null where the scores are."""
    names = ("bias", "bias_low", "bias_high")
    if summary.skill is None:
        return dict.fromkeys(names)
    chance, failed = settled["chance"].to_numpy(), failed_of(settled)
    found = bias(chance, failed, days_of(settled))
    return dict(zip(names, found, strict=True))


def told(summary: Summary) -> Summary:
    """The scores, or the counts alone where they are too few to judge by."""
    if summary.n < ENOUGH or summary.failures < ENOUGH_FAILURES:
        return Summary(n=summary.n, failures=summary.failures)
    return summary


def banded(settled: pl.DataFrame) -> tuple[Band, ...]:
    """What was said, and what became of it."""
    found = bands(settled["chance"].to_numpy(), failed_of(settled), EDGES)
    return tuple(band(low, high, group) for low, high, group in found)


def band(low: float, high: float, group: Group) -> Band:
    return Band(
        said_from=low,
        said_to=high,
        forecast=group.mean,
        n=group.n,
        failures=group.failures,
        **observed(group.failures, group.n),
    )


def by_level(settled: pl.DataFrame) -> tuple[LevelOutcome, ...]:
    """From calm to storm, the levels that there were."""
    counted = settled.group_by("level").agg(n=pl.len(), failures=pl.col("is_failed").sum()).rows_by_key("level")
    words = [word for word in (*(word for _, word in LEVELS), "storm") if word in counted]
    return tuple(outcome(word, *counted[word][0]) for word in words)


def outcome(word: str, n: int, failures: int) -> LevelOutcome:
    return LevelOutcome(level=word, n=n, failures=failures, **observed(failures, n))


def observed(failures: int, n: int) -> dict[str, float]:
    low, high = wilson(failures, n) or (0.0, 1.0)
    return {"observed": failures / n, "observed_low": low, "observed_high": high}


def sentence(summary: Summary, recipe: str, first: datetime, last: datetime) -> str:
    """Whether the forecasts beat the base rate."""
    period = f"from {first:%-d %b %Y} to {last:%-d %b %Y}"
    of = f"{plural(summary.n, 'deployment')} {period}, of which {summary.failures:,} failed"
    if summary.skill is None or summary.skill_low is None or summary.skill_high is None:
        least = f"{ENOUGH} that have settled and {ENOUGH_FAILURES} failures"
        return f"Forecasts of {of}, cannot be judged: that takes {least}."
    if recipe == "rate":
        return f"The base rate itself was forecast for {of}: it tells no good time from a bad one."
    found = against_base(summary.skill, summary.skill_low, summary.skill_high)
    return f"{belief(summary.skill_low, summary.skill_high)}: forecasts of {of}, were {found}."


def belief(low: float, high: float) -> str:
    """What an interval of the skill means to somebody who has to pick a time."""
    if low > 0:
        return "The chances of failure can be used to tell risky changes and times from safe ones"
    if high < 0:
        return "Do not go by the chances of failure: saying the same for every change would have been better"
    return "The chances of failure may be no better than saying the same for every change"


def ranking(found: FailureQuality) -> str | None:
    """How well failures were told from successes, and whether chances were too far apart; null: not known."""
    summary = found.summary
    parts = []
    if summary.auc is not None:
        parts.append(
            f"a failure had the higher chance in {share(summary.auc)} of pairs with a success (AUC; 50 % is luck)"
        )
    if summary.top_tenth is not None:
        parts.append(f"the riskiest tenth held {share(summary.top_tenth)} of the failures")
    if (slope := summary.calibration_slope) is not None:
        low, high = summary.calibration_slope_low, summary.calibration_slope_high
        parts.append(f"calibration slope {slope:.2f} ({low:.2f} to {high:.2f}; 1 is right)")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if parts else None


def said(found: Band) -> str:
    """The chance that was said, in words."""
    low, high = (f"{bound * 100:g}" for bound in (found.said_from, found.said_to))
    return f"{low} to {high} in 100" if found.said_from else f"under {high} in 100"


def verdict(found: Band) -> str:
    """Whether what was said lies outside the interval of what came; empty: it does not."""
    if found.observed_low <= found.forecast <= found.observed_high:
        return ""
    return "too high" if found.forecast > found.observed_high else "too low"


def on_the_whole(found: FailureQuality) -> str:
    """The mean chance beside the share that failed, in one sentence."""
    word = "neither clearly too high nor too low"
    if found.bias_low is None or found.bias_high is None:
        word = "too few to say more"
    elif found.bias_low > 0 or found.bias_high < 0:
        word = "too high" if found.bias_low > 0 else "too low"
    return f"On the whole it said {share(found.forecast)}, and {share(found.observed)} failed: {word}."


def levels_said(levels: Sequence[LevelOutcome]) -> str | None:
    """Whether the calmer ones failed less, in one sentence; null: there is nothing to hold against each other."""
    calm, rough = (pooled([one for one in levels if one.level in words]) for words in (CALMER, ROUGHER))
    if calm is None or rough is None:
        return None
    clearly = "clearly less" if calm[2] < rough[1] else "not clearly less"
    told = [f"{share(rate)} ({interval_said(low, high)})" for rate, low, high in (calm, rough)]
    return (
        f"Where the chance alone was calm or fair, {clearly} failed, {told[0]}, than where rough or storm, {told[1]}."
    )


def pooled(levels: Sequence[LevelOutcome]) -> tuple[float, float, float] | None:
    """The share that failed over several levels, with its interval."""
    n, failures = sum(one.n for one in levels), sum(one.failures for one in levels)
    found = wilson(failures, n)
    return None if found is None else (failures / n, *found)


def interval_said(low: float, high: float) -> str:
    """
    >>> interval_said(0.031, 0.12)
    '3.1 to 12'
    """
    return f"{share(low).removesuffix(' %')} to {share(high).removesuffix(' %')}"

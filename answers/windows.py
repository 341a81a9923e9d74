"""`windows`: when a change should go, how sure that is, and whether it matters at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Number, Part, Share, in_utc, rfc3339, utc
from shipcast.answers.ground import Ground
from shipcast.answers.metric_queries import PROXIES, Scope
from shipcast.answers.metrics import proxy_said
from shipcast.answers.pricing import (
    Forecaster,
    Models,
    Question,
    asked,
    known_change,
    priced,
    spread,
)
from shipcast.answers.reading import Reader
from shipcast.answers.words import in_hundred, local_time, plural
from shipcast.features.change import Change
from shipcast.features.clock import Instants, hours_of_week
from shipcast.features.history import LOAD_WEEKS, History
from shipcast.models.load import LoadModel
from shipcast.models.registry import Champion
from shipcast.models.restore import ASSUMED_MINUTES, RestoreModel
from shipcast.scheduling.calendar.files import calendar_files
from shipcast.scheduling.recommend import Usual, diverse, is_clearly_better, level, robust_costs
from shipcast.scheduling.risk import Risk
from shipcast.scheduling.windows import candidate_starts

Verdict = Literal["recommend", "no_clear_difference", "no_window"]
Unit = Literal["requests", "disruption_minutes"]

FEW_DEPLOYMENTS = 30
FEW_INCIDENTS = 5
FEW_NEAR = 5


class Reason(Part):
    """What one factor adds to a window's relative cost; 0 is the usual."""

    factor: str
    points: Number


class Window(Part):
    """One start, what it would cost, and why.

    `failure_*` and `cost_*` are expected values with 95 % intervals. Null: no deployment was ever seen, so that
    nothing can be said.
    """

    start: Instant
    end: Instant
    level: Literal["calm", "fair", "moderate", "rough", "storm"] | None
    failure_probability: Share | None
    failure_low: Share | None
    failure_high: Share | None
    expected_cost: Number | None
    cost_low: Number | None
    cost_high: Number | None
    relative_cost: Number | None
    reasons: tuple[Reason, ...] = ()
    conflicts: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()


class TrainedModel(Part):
    """The champion that gave the chances of failure: how it was made, its version, and up to when it learned."""

    recipe: str
    version: Count
    cut_off: Instant


class Blocked(Part):
    """A span in which a rule lets nothing of this service start."""

    start: Instant
    end: Instant
    rule: str


class PricedAnswer(Answer):
    """What is said of starts of one change, and what it rests on.

    Parameters
    ----------
    unit
        Of the costs: requests affected, or minutes of disruption where the load is not known.
    business_zone
        The clock on which the service's week was read.
    n, failures, period_start, period_end
        The settled deployments of this service that the chance of failure rests on, and when they started.
    n_pooled
        Those of all services, from which it borrows.
    model
        The trained model that gave the chances of failure; null: none was trained on what was known by then, so that
        services, hours and sizes were looked at when it was asked.
    blocked
        Spans in which no start is allowed.
    """

    service: str
    environment: str
    duration_minutes: Number
    unit: Unit
    business_zone: str
    n: Count
    failures: Count
    n_pooled: Count
    model: TrainedModel | None
    period_start: Instant | None
    period_end: Instant | None
    items: tuple[Window, ...]
    blocked: tuple[Blocked, ...] = ()


class WindowsAnswer(PricedAnswer):
    """The lowest-risk windows for one change, the cheapest first.

    Parameters
    ----------
    verdict
        `no_clear_difference`: the best start is not distinguishable from choosing freely. `no_window`: nothing fits.
    """

    schema_name: Literal["shipcast/windows/1"] = Field("shipcast/windows/1", alias="schema")
    verdict: Verdict


def windows(
    reader: Reader,
    service: str,
    *,
    duration: timedelta,
    environment: str = "production",
    lines: int | None = None,
    files: int | None = None,
    change_type: str | None = None,
    earliest: datetime | None = None,
    latest: datetime | None = None,
    top: int = 3,
) -> WindowsAnswer:
    """The lowest-risk windows for a change of `service`, as known at the reader's `as_of`.

    Parameters
    ----------
    duration
        Elapsed time that the deployment takes; it lies in [earliest, latest) as a whole.
    lines, files, change_type
        What is known of the change; the rest is taken as typical of the service, and a warning says so.
    earliest, latest
        Aware. The default is the 7 days from `as_of`.
    top
        How many windows at most, at least three hours apart.

    Raises
    ------
    UnknownName
        No service or environment of that name is known; the nearest are named.
    UsageError
        A duration or number of windows that is not positive, a negative size, or a `latest` past 35 days.
    """
    zone = reader.settings.tz
    history = History(reader.connection, reader.at, environment, zone)
    change = known_change(history, service, lines, files, change_type)
    reader.check_environment(environment)
    question = asked(reader, change, environment, duration, earliest, latest, top)
    starts = candidate_starts(question.earliest, question.latest, duration)
    models = Forecaster(history, reader.settings).models(change)
    holds = history.holds(service)
    warnings = [*data_warnings(reader, history, question), *past_warnings(reader, earliest)]
    warnings += [*sample_warnings(history), *hold_warnings(service, holds)]
    blocked = hold_blocks(reader, question, holds)
    if len(starts) == 0 or blocked:
        return envelope(reader, question, models, "no_window", (), warnings, blocked)
    if history.started() == 0:
        nothing = f"No deployment to {environment} was known: every window is as good as any other."
        return envelope(
            reader, question, models, "no_clear_difference", (unknown(starts[0], duration),), [*warnings, nothing]
        )
    return forecast(reader, question, models, starts, [*warnings, *model_warnings(question, models)])


def forecast(
    reader: Reader, question: Question, models: Models, starts: Instants, warnings: Sequence[str]
) -> WindowsAnswer:
    """The answer where there are windows and a history."""
    prices = priced(reader.at, models, question, starts)
    costs, usual = prices.risk, prices.usual
    candidates = np.searchsorted(prices.starts, starts)
    expected = costs.costs.mean(axis=0)[candidates]
    chosen = diverse(robust_costs(expected), question.top, question.duration)
    chosen.sort(key=lambda place: (expected[place], place))
    verdict: Verdict = "recommend" if is_clearly_better(costs.costs[:, candidates]) else "no_clear_difference"
    items = [window(costs, usual, int(candidates[place]), starts[place], question.duration) for place in chosen]
    rare = rare_warnings(question.change, models.ground, starts[chosen[:1]])
    return envelope(reader, question, models, verdict, items, [*warnings, *rare])


def window(costs: Risk, usual: Usual, place: int, start: np.datetime64, duration: timedelta) -> Window:
    """The start at `place` of the grid, with its intervals and reasons."""
    chance, chance_low, chance_high = spread(costs.failure[:, place])
    cost, cost_low, cost_high = spread(costs.costs[:, place])
    relative = cost / usual.cost
    begins = utc(start.astype("datetime64[us]").item())
    return Window(
        start=begins,
        end=begins + duration,
        level=level(relative),  # type: ignore[arg-type]
        failure_probability=chance,
        failure_low=chance_low,
        failure_high=chance_high,
        expected_cost=cost,
        cost_low=cost_low,
        cost_high=cost_high,
        relative_cost=relative,
        reasons=tuple(Reason(factor=name, points=part) for name, part in usual.points(costs, place).items()),
    )


def unknown(start: np.datetime64, duration: timedelta) -> Window:
    """The first start, of which nothing can be said."""
    begins = utc(start.astype("datetime64[us]").item())
    fields = [
        name for name in Window.model_fields if name.startswith(("failure", "cost", "expected", "relative", "level"))
    ]
    return Window(start=begins, end=begins + duration, **dict.fromkeys(fields))  # type: ignore[arg-type]


def hold_blocks(reader: Reader, question: Question, holds: Sequence[tuple[str | None, datetime]]) -> list[Blocked]:
    """What holds block: all, where the setting says so, since nobody knows when one ends."""
    if reader.settings.holds != "block" or not holds:
        return []
    ends = max(question.earliest, question.latest)
    return [Blocked(start=utc(question.earliest), end=utc(ends), rule=f"hold: {kind or 'hold'}") for kind, _ in holds]


def data_warnings(reader: Reader, history: History, question: Question) -> list[str]:
    """What is to be known of the data, of the service's deployments in it, and of the service's clock."""
    return [
        *reader.warnings(),
        *calendar_warnings(reader),
        *proxy_warnings(reader, question),
        *clock_warnings(history, question.change),
    ]


def calendar_warnings(reader: Reader) -> list[str]:
    """That there is a calendar, which no advice looks at yet."""
    found = calendar_files(reader.settings.home)
    if not found:
        return []
    names = ", ".join(path.name for path in found)
    return [f"The calendar ({names}) is not looked at here: `shipcast calendar check` says whether a start is allowed."]


def hold_warnings(service: str, holds: Sequence[tuple[str | None, datetime]]) -> list[str]:
    return [f"A hold is in force on {service}: {kind or 'hold'}, since {rfc3339(utc(since))}." for kind, since in holds]


def sample_warnings(history: History) -> list[str]:
    """That not all of what other services did was looked at, where that is so."""
    share = history.share_of_others("fct_deployments")
    return [f"Of the deployments of other services one in {share} was learned from."] if share > 1 else []


def proxy_warnings(reader: Reader, question: Question) -> list[str]:
    """How many of the deployments that the forecast learns from are none that anybody recorded."""
    scope = Scope(question.environment, question.change.service, None, None)
    asked_of = {"service": scope.service, "environment": scope.environment}
    [(proxies, deployments)] = reader.rows(PROXIES.format(places=scope.places()), **asked_of)
    return [f"proxy: {proxy_said(proxies, deployments)}."] if proxies else []


def clock_warnings(history: History, change: Change) -> list[str]:
    """Whether the service's clock had to be assumed."""
    rows = history.services().rows_by_key("service", named=True).get(change.service, [])
    if not rows:
        return []
    row = rows[0]
    if row["business_zone"] is None:
        return [f"{change.service} names no business_zone: its week is read on the clock of {change.zone}."]
    if row["business_zone"] != change.zone:
        return [f"{row['business_zone']!r} is not a time zone: the week of {change.service} is read on {change.zone}."]
    return []


def past_warnings(reader: Reader, earliest: datetime | None) -> list[str]:
    is_past = earliest is not None and in_utc(earliest) < reader.as_of
    return ["earliest lies before as_of: only windows from as_of on are offered."] if is_past else []


def model_warnings(question: Question, models: Models) -> list[str]:
    """What the reader should know about the ground each forecast stands on."""
    return [
        *typical_warnings(question.change),
        *failure_warnings(question.change, models.ground),
        *restore_warnings(question.change, models.restore),
        *load_warnings(question.change, models.load),
        *downtime_warnings(question, models),
    ]


def typical_warnings(change: Change) -> list[str]:
    parts = {"lines": change.lines, "files": change.files, "type": change.change_type}
    missing = [name for name, value in parts.items() if value is None]
    return [f"Taken as typical of {change.service}: {', '.join(missing)}."] if missing else []


def failure_warnings(change: Change, ground: Ground) -> list[str]:
    own = ground.count
    if ground.pooled == 0:
        return ["No deployment has settled yet: the chance of failure is assumed, 2 to 20 in 100."]
    if own < FEW_DEPLOYMENTS:
        has = f"{change.service} has {plural(own, 'settled deployment') if own else 'no settled deployment'} of its own"
        return [f"{has}: its chance of failure is mostly the company's rate."]
    return []


def rare_warnings(change: Change, ground: Ground, best: Instants) -> list[str]:
    """Whether the service itself has hardly ever shipped at the hours of the best window."""
    near = ground.near(int(hours_of_week(best, change.zone)[0]))
    if ground.count < FEW_DEPLOYMENTS or near >= FEW_NEAR:
        return []
    return [
        f"Only {near} of {plural(ground.count, 'deployment')} of {change.service} started within two hours of the best "
        "window's time of day: its chance of failure there rests on other hours and services."
    ]


def restore_warnings(change: Change, restore: RestoreModel) -> list[str]:
    found = restore.describe()
    said = []
    if found["incidents"] == 0:
        said.append(
            f"No incident was known: {ASSUMED_MINUTES:.0f} minutes to restore are assumed, give or take a factor of 3."
        )
    elif restore.own_count(change.service) < FEW_INCIDENTS:
        own = plural(restore.own_count(change.service), "incident")
        said.append(f"{change.service} has {own} of its own: its time to restore is mostly the company's.")
    if found["open"]:
        said.append(f"{plural(found['open'], 'incident')} still open: counted as lasting at least so long already.")
    return said


def load_warnings(change: Change, load: LoadModel) -> list[str]:
    if not load.is_known:
        return [f"No load is known of {change.service}: windows are ranked by expected minutes of disruption."]
    if load.is_short:
        return [
            f"The load of {change.service} rests on {plural(load.hours_, 'hour')} of the last {LOAD_WEEKS} weeks: "
            "too short to tell the days of the week apart."
        ]
    return []


def downtime_warnings(question: Question, models: Models) -> list[str]:
    """That deployments of the service keep it down, which counts whether they fail or not."""
    recreated, known = models.recreated
    if not recreated:
        return []
    of = "the last deployment" if known == 1 else f"{recreated} of the last {known} deployments"
    return [
        f"{of[0].upper()}{of[1:]} kept {question.change.service} down (strategy recreate): "
        "what that turns away is in the cost."
    ]


def envelope(
    reader: Reader,
    question: Question,
    models: Models,
    verdict: Verdict,
    items: Sequence[Window],
    warnings: Sequence[str],
    blocked: Sequence[Blocked] = (),
) -> WindowsAnswer:
    """The answer with what it rests on."""
    answer = WindowsAnswer(
        **reader.envelope(),
        **basis(question, models),
        verdict=verdict,
        items=tuple(items),
        warnings=tuple(warnings),
        blocked=tuple(blocked),
    )
    return answer.model_copy(update={"sentence": sentence(answer)})


def basis(question: Question, models: Models) -> dict[str, Any]:
    """The fields that say what was asked, and what the answer rests on."""
    begins, ends = models.ground.period
    return {
        "service": question.change.service,
        "environment": question.environment,
        "duration_minutes": question.duration / timedelta(minutes=1),
        "unit": "requests" if models.load.is_known else "disruption_minutes",
        "business_zone": question.change.zone,
        "n": models.ground.count,
        "failures": models.ground.failures,
        "n_pooled": models.ground.pooled,
        "model": trained_model(models.served),
        "period_start": utc(begins) if begins else None,
        "period_end": utc(ends) if ends else None,
    }


def trained_model(served: Champion | None) -> TrainedModel | None:
    if served is None:
        return None
    return TrainedModel(recipe=served.recipe, version=served.version, cut_off=utc(served.cut_off))


def sentence(answer: WindowsAnswer, zone: str | None = None) -> str:
    """The answer in one sentence, on the clock of `zone`; null: the service's.

    "Ship checkout on Tue 16 Dec 06:15 (Europe/London): about 3 in 100 (1 to 6) would fail, 40 % of the usual cost."
    """
    if answer.verdict == "no_window":
        return no_window_sentence(answer)
    zone = zone or answer.business_zone
    best = answer.items[0]
    if best.failure_probability is None or best.failure_low is None or best.failure_high is None:
        return f"Nothing is known yet that could tell one window for {answer.service} from another."
    chance = in_hundred(best.failure_probability, best.failure_low, best.failure_high)
    when = f"{local_time(best.start, zone)} ({zone})"
    if answer.verdict == "no_clear_difference":
        return (
            f"No window for {answer.service} is clearly better than choosing freely: even at {when}, which looks best, "
            f"{chance} would fail."
        )
    usual = "" if best.relative_cost is None else f", {best.relative_cost * 100:.0f} % of the usual cost"
    return f"Ship {answer.service} on {when}: {chance} would fail{usual}."


def no_window_sentence(answer: WindowsAnswer) -> str:
    if answer.blocked:
        return f"No window for {answer.service}: blocked by {answer.blocked[0].rule}."
    minutes = f"{answer.duration_minutes:g}"
    return (
        f"No window for {answer.service}: no {minutes} minutes from a quarter hour on fit between earliest and latest."
    )

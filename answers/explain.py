"""`explain`: why one time is good or bad for a change, factor by factor, and what would make it better.

What is said of hours and sizes is what went with them in the past, for changes otherwise alike: association.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, Unpack

import numpy as np
from pydantic import Field

from shipcast.answers.admission import Admission
from shipcast.answers.answer import Count, Instant, Number, Part, Share, in_utc, naive, rfc3339, utc
from shipcast.answers.company import approvals_said
from shipcast.answers.company_calendar import by_rule
from shipcast.answers.ground import Ground
from shipcast.answers.hour_quality import PartOfWeek, estimates, start_said
from shipcast.answers.inquiry import Details, Inquiry, inquiry
from shipcast.answers.pricing import (
    FARTHEST,
    TAIL,
    Models,
    Prices,
    Question,
    check_reach,
    hours_begun,
    interval,
    priced,
)
from shipcast.answers.reading import Reader
from shipcast.answers.windows import (
    PricedAnswer,
    Window,
    basis,
    ground_warnings,
    model_warnings,
    outlook,
    rare_warnings,
    unknown,
    window,
)
from shipcast.answers.words import in_hundred, local_time, plural, times
from shipcast.features.clock import hours_of_week
from shipcast.models.doubly_robust import part_numbers
from shipcast.models.odds import expit
from shipcast.models.posterior import Floats
from shipcast.scheduling.calendar.calendar import as_datetime
from shipcast.scheduling.recommend import DOWNTIME, LEVELS, calmer_bound, factor_draws
from shipcast.scheduling.risk import Risk, of_hours
from shipcast.scheduling.windows import SLOT, WEEK, first_slot
from shipcast.settings.errors import UsageError

SMALLER = 0.95  # from one size that is tried to the next
SIZES_TRIED = 120
DIGITS = 2  # of a size that is advised
LITTLE_BELIEF = 0.01
CAUTION = (
    "All of this is association: what went with such hours and sizes in the past. It does not say that another hour "
    "alone would have changed the outcome."
)

Compared = Literal["lower", "higher", "no clear difference"]
FactorName = Literal["failure chance", "restore time", "load", "planned downtime", "median restore time"]
FactorUnit = Literal["share", "minutes", "requests per hour", "requests"]
UNITS: dict[str, FactorUnit] = {"failure chance": "share", "load": "requests per hour"}
PER_UNIT = {"load": 60.0}  # requests per minute, said per hour
THEN = {
    "failure chance": "A start then goes with a chance of failure",
    "restore time": "Outages that begin after it are expected to last",
    "load": "Such an outage would meet a load",
    DOWNTIME: "The deployment itself, which keeps the service down, would meet a load",
}


class Factor(Part):
    """One factor of the price at this start, against its usual, the mean of the week; intervals hold 95 %.

    The first two or three multiply to what a failure is expected to cost, which is the whole cost but for a planned
    downtime; that adds what it turns away. The median restore time stands beside.

    Parameters
    ----------
    value, usual
        At this start, and over the quarter hours of the 7 days from `as_of`.
    ratio
        This start over the usual: what both have in doubt together is not in its interval.
    compared
        Whether the interval of the ratio holds 1.
    """

    factor: FactorName
    unit: FactorUnit
    value: Number
    low: Number
    high: Number
    usual: Number
    ratio: Number
    ratio_low: Number
    ratio_high: Number
    compared: Compared


class Curve(Part):
    """One factor over the service's week: 168 values, the first of starts on Monday from 0:00 to 1:00 local time.

    Of this change, for the first such hour from `as_of` on; intervals hold 95 %.
    """

    factor: FactorName
    unit: FactorUnit
    values: tuple[Number, ...]
    low: tuple[Number, ...]
    high: tuple[Number, ...]


class Alike(Part):
    """A settled deployment of the service that was much like this one, and how it ended; null: its size is not known.

    Alike: at a time of day nearby, on such a day of the week, and of such a size.
    """

    deployment_id: str
    started_at: Instant
    lines: Count | None
    failed: bool


class Calmer(Part):
    """The smallest changes of plan that reach a calmer level.

    Parameters
    ----------
    level
        The level one calmer than this start's.
    start, start_relative_cost
        The nearest later start within 7 days that is at least so calm; null: none is.
    lines, lines_relative_cost
        How many lines, all else as it is, would cost as little at this very time, against the usual cost of the
        change as asked about; null: no smaller size does.
    """

    level: str
    start: Instant | None
    start_relative_cost: Number | None
    lines: Count | None
    lines_relative_cost: Number | None


class ExplainAnswer(PricedAnswer):
    """Why a time is good or bad: `items` is the one start, priced as `windows` prices it.

    Parameters
    ----------
    asked_at
        The time asked about, which lies in the quarter hour of the start.
    factors, curves
        The factors of the price against their usual; and over the service's week. Empty: nothing is known.
    no_time_effect, no_time_effect_on_restore
        The belief that the hour has nothing to do with failures, and with how long outages of this team last. Null:
        nothing is known.
    second_estimate
        What the part of the week in which the start lies risks by a second estimate, all services together. Null:
        no trained model answers, or none was kept with it.
    alike
        Past deployments of the service that were most like this one, the likest first.
    to_be_calmer
        Null: it is calm already, or nothing that was tried reaches a calmer level.
    explanation
        The same in sentences.
    """

    schema_name: Literal["shipcast/explain/1"] = Field("shipcast/explain/1", alias="schema")
    asked_at: Instant
    factors: tuple[Factor, ...] = ()
    no_time_effect: Share | None = None
    no_time_effect_on_restore: Share | None = None
    second_estimate: PartOfWeek | None = None
    curves: tuple[Curve, ...] = ()
    alike: tuple[Alike, ...] = ()
    to_be_calmer: Calmer | None = None
    explanation: tuple[str, ...] = ()


def explain(
    reader: Reader, service: str, *, at: datetime, duration: timedelta | None = None, **details: Unpack[Details]
) -> ExplainAnswer:
    """Why a start at `at` is good or bad, as known at the reader's `as_of`.

    Parameters
    ----------
    at
        Aware. Its quarter hour is priced, since windows are quarter hours and no forecast is finer.
    duration
        Null: the median of the service's past deployments, and a warning says so.

    Raises
    ------
    UnknownName
        No service or environment of that name is known; the nearest are named.
    UsageError
        A time before `as_of` or past 35 days, a duration that is not positive, or a negative size.
    CalendarError
        The calendar cannot be used.
    """
    start = quarter_of(reader, at)
    asked = inquiry(reader, service, duration, lambda length: period(reader, start, length), **details)
    admitted = asked.admission(np.array([start], dtype="datetime64[us]"))
    answer = ExplainAnswer(
        **reader.envelope(),
        **basis(asked.question, asked.models),
        asked_at=at,
        items=(unknown(admitted, 0),),
        warnings=(*ground_warnings(asked), *quarter_warnings(at, start)),
        blocked=admitted.blocked(),
    )
    return explained(asked, admitted, answer) if asked.history.started() else nothing_known(answer)


def period(reader: Reader, start: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """That one start, within the reach of forecasts."""
    check_reach(reader, start + length, "--at")
    return utc(start), utc(start + length)


def quarter_of(reader: Reader, at: datetime) -> datetime:
    """The start of the quarter hour that a time lies in, or the first that has not begun at `as_of` (naive, UTC).

    Raises
    ------
    UsageError
        The time lies before `as_of`.
    """
    check_ahead(reader.as_of, at)
    moment = naive(at)
    later = first_slot(moment)
    return max(later if later == moment else later - SLOT, first_slot(reader.at))


def check_ahead(as_of: datetime, at: datetime) -> None:
    if at < as_of:
        raise UsageError(
            f"{rfc3339(at)} lies before the time of the question, {rfc3339(as_of)}.",
            next_step=f"Ask with a later --at, or with --as-of {rfc3339(at)} for what was known then.",
        )


def quarter_warnings(at: datetime, start: datetime) -> list[str]:
    """That another instant is priced than the one asked about."""
    if in_utc(at) == utc(start):
        return []
    return [f"Starts are quarter hours: {rfc3339(at)} is priced as {rfc3339(utc(start))}."]


def nothing_known(answer: ExplainAnswer) -> ExplainAnswer:
    nothing = f"No deployment to {answer.environment} was known: nothing tells this time from any other."
    warnings = (*answer.warnings, nothing)
    return answer.model_copy(update={"warnings": warnings, "sentence": sentence(answer)})


def explained(asked: Inquiry, admitted: Admission, answer: ExplainAnswer) -> ExplainAnswer:
    """The answer where there is a history."""
    reader, question, models, chosen = asked.reader, asked.question, asked.models, admitted.starts
    prices = priced(reader.at, models, question, chosen + np.timedelta64(WEEK, "us"))
    place = prices.place(chosen[0])
    item = window(prices, admitted, 0)
    estimate = second_estimate(reader, question, models)
    found = answer.model_copy(
        update={
            "items": (item,),
            "outlook": outlook(prices),
            "factors": factor_items(prices, place),
            "no_time_effect": models.failure.describe().get("no_time_effect"),
            "no_time_effect_on_restore": models.restore.no_time_effect(question.change),
            "second_estimate": None if isinstance(estimate, str) else estimate,
            "curves": curves(prices, question.change.zone),
            "alike": alike(models.ground, hours_of_week(chosen, question.change.zone)[0], question.change.lines),
            "to_be_calmer": to_be_calmer(asked, prices, item),
            "warnings": (
                *answer.warnings,
                *model_warnings(asked),
                *rare_warnings(question.change, models.ground, chosen),
                *([estimate] if isinstance(estimate, str) else []),
            ),
        }
    )
    return found.model_copy(update={"explanation": explanation(found), "sentence": sentence(found)})


def second_estimate(reader: Reader, question: Question, models: Models) -> PartOfWeek | str | None:
    """What the champion's second estimate says of the part of the week in which the question's start lies.

    Text: why that is unknown. Null: no champion answers.
    """
    found = None if models.served is None else estimates(reader.settings.home, models.served)
    if found is None or isinstance(found, str):
        return found
    start = np.array([question.earliest], dtype="datetime64[us]")
    [number] = part_numbers(hours_of_week(start, question.change.zone)).tolist()
    part: PartOfWeek = found[number]
    return part


def factor_items(prices: Prices, place: int) -> tuple[Factor, ...]:
    """Every factor of the price at `place`, and beside them the median time to restore."""
    drawn, bases = priced_factors(prices.risk), {**prices.usual.bases, DOWNTIME: prices.usual.downtime}
    items = [factor_item(name, values[place], bases[name], found, prices, place) for name, values, found in drawn]
    medians = of_hours(np.exp(prices.forecast.restore), prices.forecast.hours)
    value, usual = medians[:, place].mean(), medians[:, prices.week].mean()
    return (*items, factor_item("median restore time", value, usual, medians, prices, place))


def priced_factors(risk: Risk) -> list[tuple[str, Floats, Floats]]:
    """Each factor of the price and, where there is one, the planned downtime: expected values, and draws."""
    values, drawn = risk.factors, factor_draws(risk)
    found = [(name, values[name], drawn[name]) for name in values]
    return found if risk.downtime is None else [*found, (DOWNTIME, risk.downtime.mean(axis=0), risk.downtime)]


def unit_of(name: str, *, has_load: bool) -> FactorUnit:
    return "requests" if name == DOWNTIME and has_load else UNITS.get(name, "minutes")


def factor_item(name: str, value: float, usual: float, drawn: Floats, prices: Prices, place: int) -> Factor:
    """A factor from its expected values and its draws, one row a draw, one column a start."""
    scale, week = PER_UNIT.get(name, 1.0), prices.week
    ratio = float(value / usual)
    low, high = interval(drawn[:, place], value)
    ratio_low, ratio_high = interval(drawn[:, place] / drawn[:, week].mean(axis=1), ratio)
    return Factor(
        factor=name,  # type: ignore[arg-type]
        unit=unit_of(name, has_load=prices.risk.has_load),
        value=value * scale,
        low=low * scale,
        high=high * scale,
        usual=usual * scale,
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        compared="lower" if ratio_high < 1 else "higher" if ratio_low > 1 else "no clear difference",
    )


def curves(prices: Prices, zone: str) -> tuple[Curve, ...]:
    """Each factor of the price in every hour of the week, at its first start from `as_of` on."""
    places = np.unique(hours_of_week(prices.starts, zone), return_index=True)[1]
    return tuple(
        curve(name, unit_of(name, has_load=prices.risk.has_load), values[places], drawn[:, places])
        for name, values, drawn in priced_factors(prices.risk)
    )


def curve(name: str, unit: FactorUnit, values: Floats, drawn: Floats) -> Curve:
    scale = PER_UNIT.get(name, 1.0)
    low, high = np.quantile(drawn, (TAIL, 1 - TAIL), axis=0)
    return Curve(
        factor=name,  # type: ignore[arg-type]
        unit=unit,
        values=tuple((values * scale).tolist()),
        low=tuple((np.minimum(low, values) * scale).tolist()),
        high=tuple((np.maximum(high, values) * scale).tolist()),
    )


def alike(ground: Ground, hour: int, lines: int | None) -> tuple[Alike, ...]:
    rows = ground.alike(int(hour), lines).select("deployment_id", "started_at", "lines", "is_failed").rows()
    return tuple(
        Alike(deployment_id=name, started_at=utc(started), lines=None if size is None else int(size), failed=failed)
        for name, started, size, failed in rows
    )


def to_be_calmer(asked: Inquiry, prices: Prices, item: Window) -> Calmer | None:
    """What would bring the item to a calmer level; null: it is calm, or nothing would."""
    bound = calmer_bound(item.relative_cost or 0.0)
    if bound is None:
        return None
    start, start_cost = calmer_start(asked, prices, bound)
    lines, lines_cost = calmer_lines(asked.question, asked.models, prices, bound)
    if start is None and lines is None:
        return None
    return Calmer(
        level=dict(LEVELS)[bound],
        start=start,
        start_relative_cost=start_cost,
        lines=lines,
        lines_relative_cost=lines_cost,
    )


def calmer_start(asked: Inquiry, prices: Prices, bound: float) -> tuple[datetime | None, float | None]:
    """The nearest later allowed start below the bound, within 7 days and the reach of forecasts, and its cost."""
    question = asked.question
    last = min(question.earliest + WEEK, asked.reader.at + FARTHEST - question.duration)
    first = prices.place(np.datetime64(question.earliest, "us")) + 1
    later = prices.starts[first:][prices.starts[first:] <= np.datetime64(last, "us")]
    if not len(later):
        return None, None
    relative = prices.risk.costs[:, first : first + len(later)].mean(axis=0) / prices.usual.cost
    places = np.flatnonzero((relative < bound) & asked.admission(later).is_free)
    if not len(places):
        return None, None
    return utc(as_datetime(later[places[0]])), float(relative[places[0]])


def calmer_lines(question: Question, models: Models, prices: Prices, bound: float) -> tuple[int | None, float | None]:
    """The largest size below the change's own that costs less than the bound at this start, and its relative cost."""
    now = models.ground.usual_lines(question.change.lines)
    sizes = smaller_sizes(int(now or 0))
    if not sizes:
        return None, None
    place = prices.place(np.datetime64(question.earliest, "us"))
    begun, hour = hours_begun(prices.starts, question.change.zone)
    rows = models.rows(
        [replace(question.change, lines=size) for size in sizes], prices.starts[begun[hour[place : place + 1]]]
    )
    impact = prices.risk.outage[:, place] / prices.risk.failure[:, place]
    failing = (expit(models.failure.draws(rows, is_request=True)) * impact[:, None]).mean(axis=0)
    costs = (failing + prices.risk.costs[:, place].mean() - prices.risk.outage[:, place].mean()) / prices.usual.cost
    return next(((size, float(cost)) for size, cost in zip(sizes, costs, strict=True) if cost < bound), (None, None))


def smaller_sizes(lines: int) -> list[int]:
    """Sizes to try, the largest first: each about a twentieth smaller, with two digits.

    Examples
    --------
    >>> smaller_sizes(300)[:4], smaller_sizes(3), smaller_sizes(0)
    ([280, 270, 250, 240], [2, 1], [])
    """
    tried = {two_digits(lines * SMALLER**step) for step in range(SIZES_TRIED)}
    return sorted((size for size in tried if 0 < size < lines), reverse=True)


def two_digits(value: float) -> int:
    """The number with its first two digits, the rest 0.

    Examples
    --------
    >>> two_digits(285.0), two_digits(9.9)
    (280, 9)
    """
    unit = 10 ** max(len(str(int(value))) - DIGITS, 0)
    return int(value // unit * unit)


def explanation(answer: ExplainAnswer) -> tuple[str, ...]:
    """What the figures say, in sentences."""
    said = [factor_said(factor) for factor in answer.factors if factor.factor in THEN]
    said += hour_said("how often changes fail", answer.no_time_effect)
    said += start_said(answer.second_estimate)
    said += hour_said("how long outages last", answer.no_time_effect_on_restore)
    return (*said, *alike_said(answer.alike), *calmer_said(answer), CAUTION)


def factor_said(factor: Factor) -> str:
    """
    >>> factor_said(Factor(factor="load", unit="requests per hour", value=9, low=8, high=10, usual=3, ratio=3.0,
    ...     ratio_low=2.5, ratio_high=3.5, compared="higher"))
    'Such an outage would meet a load 3.0 times the usual (2.5 to 3.5).'
    """
    said = f"{times(factor.ratio)} times the usual ({times(factor.ratio_low)} to {times(factor.ratio_high)})"
    unclear = ", which is no clear difference" if factor.compared == "no clear difference" else ""
    return f"{THEN[factor.factor]} {said}{unclear}."


def hour_said(what: str, belief: float | None) -> list[str]:
    """How much the hour matters at all, as far as a model can tell.

    >>> hour_said("how often changes fail", 0.25)
    ['That the hour of the week says nothing of how often changes fail is believed with 25 in 100.']
    """
    if belief is None:
        return []
    if belief < LITTLE_BELIEF:
        return [f"That the hour of the week says something of {what} is hardly in doubt."]
    said = in_hundred(belief).removeprefix("about ")
    return [f"That the hour of the week says nothing of {what} is believed with {said}."]


def alike_said(found: Sequence[Alike]) -> list[str]:
    if not found:
        return []
    failed = sum(one.failed for one in found)
    if len(found) == 1:
        return [f"The deployment most alike was followed by {'a' if failed else 'no'} failure."]
    return [f"Of the {len(found)} deployments most alike {failed or 'none'} failed."]


def calmer_said(answer: ExplainAnswer) -> list[str]:
    """How a calmer level would be reached."""
    calmer = answer.to_be_calmer
    if answer.items[0].level == "calm":
        return []
    if calmer is None:
        return ["No later start within 7 days and no smaller size would be a level calmer."]
    ways = []
    if calmer.start is not None:
        start = local_time(calmer.start, answer.business_zone, answer.as_of)
        ways.append(f"from {start} ({answer.business_zone}) on")
    if calmer.lines is not None:
        size = f"at most {plural(calmer.lines, 'line')}"
        ways.append(f"at this time with {size}, against the usual cost of the change as it is now")
    return [f"To be {calmer.level}: {', or '.join(ways)}."]


def sentence(answer: ExplainAnswer) -> str:
    """The answer in one sentence, on the service's clock.

    "Tue 16 Dec 12:00 (Europe/London) is rough for checkout: 160 % of the usual cost, about 9 in 100 (4 to 15) would
    fail."
    """
    [item] = answer.items
    when = f"{local_time(item.start, answer.business_zone, answer.as_of)} ({answer.business_zone})"
    if item.relative_cost is None or item.failure_probability is None:
        return f"Nothing is known yet that could tell {when} from any other start of {answer.service}."
    chance = in_hundred(item.failure_probability, item.failure_low, item.failure_high)
    blocked = f", and blocked {by_rule(answer.blocked[0].rule)}" if answer.blocked else ""
    usual = f"{item.relative_cost * 100:.0f} % of the usual cost"
    needed = "" if answer.blocked else approvals_said(item.approvals, answer.business_zone, answer.as_of)
    return f"{when} is {item.level} for {answer.service}{blocked}: {usual}, {chance} would fail.{needed}"

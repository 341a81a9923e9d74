"""`now`: whether to start a change at once, or until when to wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import numpy as np
from pydantic import Field

from shipcast.answers.answer import Instant, Number, utc
from shipcast.answers.pricing import (
    Forecaster,
    Models,
    Prices,
    Question,
    asked,
    interval,
    known_change,
    known_duration,
    priced,
)
from shipcast.answers.reading import Reader
from shipcast.answers.windows import (
    PricedAnswer,
    Window,
    basis,
    data_warnings,
    hold_blocks,
    hold_warnings,
    model_warnings,
    rare_warnings,
    sample_warnings,
    unknown,
    window,
)
from shipcast.answers.words import in_hundred, local_time, times
from shipcast.features.clock import Instants
from shipcast.features.history import History
from shipcast.scheduling.recommend import diverse, is_clearly_better, robust_costs
from shipcast.scheduling.windows import WEEK, candidate_starts, first_slot

DAY = timedelta(hours=24)
GOOD_ENOUGH = ("calm", "fair")

Verdict = Literal["go", "wait", "no_clear_difference", "no_window"]
Horizon = Literal["now", "within 24 hours", "within 7 days"]


class Choice(Window):
    """The first start, or the best one so far ahead, against the first; intervals hold 95 %.

    Parameters
    ----------
    when
        How far ahead the best start was looked for; of "now" there is but one.
    relative_to_now
        Its cost over that of the first start.
    is_clearly_better
        Whether the best start, chosen by one half of the draws, beat the first in the other half.
    """

    when: Horizon
    relative_to_now: Number | None = None
    to_now_low: Number | None = None
    to_now_high: Number | None = None
    is_clearly_better: bool = False


class NowAnswer(PricedAnswer):
    """Whether to go now or to wait.

    Parameters
    ----------
    verdict
        `go`: now is calm or fair, or nothing within 24 hours is clearly better. `wait`: something is.
        `no_clear_difference`: nor is anything within 7 days, so that waiting is as good. `no_window`: a rule blocks.
    wait_until
        The best start within 24 hours, where the verdict is to wait.
    items
        The first quarter hour, the best start within 24 hours, and that within 7 days; they may be the same.
    """

    schema_name: Literal["shipcast/now/1"] = Field("shipcast/now/1", alias="schema")
    verdict: Verdict
    wait_until: Instant | None = None
    items: tuple[Choice, ...]


def now(
    reader: Reader,
    service: str,
    *,
    duration: timedelta | None = None,
    environment: str = "production",
    lines: int | None = None,
    files: int | None = None,
    change_type: str | None = None,
) -> NowAnswer:
    """Whether a change of `service` should go at the first quarter hour, as known at the reader's `as_of`.

    Parameters
    ----------
    duration, lines, files, change_type
        As in `explain`.

    Raises
    ------
    UnknownName
        No service or environment of that name is known; the nearest are named.
    UsageError
        A duration that is not positive, or a negative size.
    """
    history = History(reader.connection, reader.at, environment, reader.settings.tz)
    change = known_change(history, service, lines, files, change_type)
    reader.check_environment(environment)
    length, assumed = known_duration(history, service, duration)
    latest = max(reader.at + WEEK, first_slot(reader.at) + length)
    question = asked(reader, change, environment, length, None, utc(latest), top=1)
    models, holds = Forecaster(history, reader.settings).models(change), history.holds(service)
    warnings = [*data_warnings(reader, history, question), *assumed]
    warnings += [*sample_warnings(history), *hold_warnings(service, holds)]
    starts = candidate_starts(question.earliest, question.latest, length)
    blocked = tuple(hold_blocks(reader, question, holds))
    nothing_yet = NowAnswer(
        **reader.envelope(), **basis(question, models), verdict="no_window", items=(), blocked=blocked,
        warnings=tuple(warnings),
    )  # fmt: skip
    if blocked:
        return said(nothing_yet)
    if history.started() == 0:
        return nothing_known(nothing_yet, starts[0], length)
    return decided(reader, question, models, starts, nothing_yet)


def nothing_known(answer: NowAnswer, first: np.datetime64, duration: timedelta) -> NowAnswer:
    nothing = f"No deployment to {answer.environment} was known: nothing tells now from later."
    items = (Choice(**dict(unknown(first, duration)), when="now"),)
    return said(answer, verdict="no_clear_difference", items=items, warnings=(*answer.warnings, nothing))


def decided(reader: Reader, question: Question, models: Models, starts: Instants, answer: NowAnswer) -> NowAnswer:
    """The answer where there is a history."""
    prices = priced(reader.at, models, question, starts)
    of_day = starts[starts < np.datetime64(reader.at + DAY, "us")]
    items = (
        choice(prices, question, starts[:1], "now"),
        choice(prices, question, of_day, "within 24 hours"),
        choice(prices, question, starts, "within 7 days"),
    )
    verdict = verdict_of(items)
    rare = rare_warnings(question.change, models.ground, starts[:1])
    return said(
        answer,
        verdict=verdict,
        wait_until=items[1].start if verdict == "wait" else None,
        items=items,
        warnings=(*answer.warnings, *model_warnings(question, models), *rare),
    )


def choice(prices: Prices, question: Question, starts: Instants, when: Horizon) -> Choice:
    """The best of these starts, of which the first is now."""
    places = np.searchsorted(prices.starts, starts)
    costs = prices.risk.costs[:, places]
    [best] = diverse(robust_costs(costs.mean(axis=0)), 1, question.duration)
    found = window(prices.risk, prices.usual, int(places[best]), starts[best], question.duration)
    ratio = float(costs[:, best].mean() / costs[:, 0].mean())
    low, high = interval(costs[:, best] / costs[:, 0], ratio)
    return Choice(
        **dict(found),
        when=when,
        relative_to_now=ratio,
        to_now_low=low,
        to_now_high=high,
        is_clearly_better=is_clearly_better(costs, against=costs[:, 0]),
    )


def verdict_of(items: Sequence[Choice]) -> Verdict:
    """Go at a good time, or where waiting for a day brings nothing; wait where it does."""
    first, of_day, of_week = items
    if first.level in GOOD_ENOUGH:
        return "go"
    if of_day.is_clearly_better:
        return "wait"
    return "go" if of_week.is_clearly_better else "no_clear_difference"


def said(answer: NowAnswer, **found: object) -> NowAnswer:
    """The answer with what was found, and its sentence."""
    whole = answer.model_copy(update=found)
    return whole.model_copy(update={"sentence": sentence(whole)})


def sentence(answer: NowAnswer, zone: str | None = None) -> str:
    """The answer in one sentence, on the clock of `zone`; null: the service's.

    "Wait until Tue 16 Dec 06:15 (Europe/London): 0.30 of the cost of now, and about 3 in 100 (1 to 6) would fail."
    """
    if answer.verdict == "no_window":
        return f"No window for {answer.service} now: blocked by {answer.blocked[0].rule}."
    first = answer.items[0]
    if first.failure_probability is None or first.relative_cost is None:
        return f"Nothing is known yet that could tell now from later for {answer.service}."
    if answer.verdict == "wait":
        return wait_sentence(answer.items[1], zone or answer.business_zone)
    chance = f"{in_hundred(first.failure_probability, first.failure_low, first.failure_high)} would fail"
    if answer.verdict == "no_clear_difference":
        return f"Ship {answer.service} now or later: {chance} now, and no time within 7 days is clearly better."
    better = "" if first.level in GOOD_ENOUGH else ", and no time within 24 hours is clearly better"
    return f"Ship {answer.service} now: {chance}, {first.relative_cost * 100:.0f} % of the usual cost{better}."


def wait_sentence(best: Choice, zone: str) -> str:
    when = f"{local_time(best.start, zone)} ({zone})"
    chance = in_hundred(best.failure_probability or 0.0, best.failure_low, best.failure_high)
    return f"Wait until {when}: {times(best.relative_to_now or 0.0)} of the cost of now, and {chance} would fail."

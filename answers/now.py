"""`now`: whether to start a change at once, or until when to wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Unpack

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shipcast.answers.admission import Admission
from shipcast.answers.answer import Instant, Number, utc
from shipcast.answers.company_calendar import rule_said
from shipcast.answers.inquiry import Details, Inquiry, Period, inquiry
from shipcast.answers.pricing import Prices, interval, priced
from shipcast.answers.reading import Reader
from shipcast.answers.windows import (
    PricedAnswer,
    Window,
    basis,
    following,
    ground_warnings,
    model_warnings,
    next_said,
    outlook,
    rare_warnings,
    unknown,
    window,
)
from shipcast.answers.words import in_hundred, local_time, times
from shipcast.scheduling.recommend import diverse, is_clearly_better, robust_costs
from shipcast.scheduling.windows import WEEK, candidate_starts, first_slot

DAY = timedelta(hours=24)
GOOD_ENOUGH = ("calm", "fair")
MUCH_CHEAPER = 0.5  # of the cost of now: below it a start within 24 hours is named though now is good enough

Verdict = Literal["go", "wait", "no_clear_difference", "no_window"]
Horizon = Literal["now", "within 24 hours", "within 7 days", "by latest"]


class Choice(Window):
    """The first start, or the best one so far ahead, against the first; intervals hold 95 %.

    Parameters
    ----------
    when
        How far ahead the best start was looked for; of "now" there is but one. "by latest" stands instead of "within 7
        days" where it was said by when the deployment has to have ended.
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
        `go`: now is allowed, and calm or fair, or nothing within 24 hours is clearly better. `wait`: something is, or a
        rule is against now. `no_clear_difference`: nor is anything within 7 days, so that waiting is as good.
        `no_window`: nothing within 7 days is allowed. A latest end that was given stands for the 24 hours and the 7
        days.
    wait_until
        Where the verdict is to wait: the best start within 24 hours, or within 7 days where none of these is allowed;
        where a latest end was given, the best by then.
    is_blocked_now
        Whether a rule blocks the first quarter hour.
    refused_by
        The rule that blocks it, or those without whose approval it may not be; none: it may.
    items
        The first quarter hour, the best start within 24 hours, and that within 7 days; they may be the same. Of those
        ahead only starts are looked at that need no approval of a rule; there may be none within 24 hours.
    """

    schema_name: Literal["shipcast/now/1"] = Field("shipcast/now/1", alias="schema")
    verdict: Verdict
    wait_until: Instant | None = None
    is_blocked_now: bool = False
    refused_by: tuple[str, ...] = ()
    items: tuple[Choice, ...]
    latest: Instant | None = Field(None, exclude=True)  # as it was given, to be said in words

    @property
    def awaited(self) -> Choice | None:
        """The best start that is worth waiting for if it is better than now, or now may not be; null: none is ahead."""
        ahead = self.items[1:]
        return next(iter(ahead if self.latest is None else ahead[::-1]), None)


def now(
    reader: Reader,
    service: str,
    *,
    duration: timedelta | None = None,
    latest: datetime | None = None,
    **details: Unpack[Details],
) -> NowAnswer:
    """Whether a change of `service` should go at the first quarter hour, as known at the reader's `as_of`.

    Parameters
    ----------
    duration
        As in `explain`.
    latest
        Aware. By when the deployment has to have ended, so how long it can wait; null: it waits for a day at most,
        unless a rule keeps it longer, and what the 7 days hold is shown beside.

    Raises
    ------
    UnknownName
        No service or environment of that name is known; the nearest are named.
    UsageError
        A duration that is not positive, a negative size, or a `latest` that is past or past 35 days.
    CalendarError
        The calendar cannot be used.
    """
    period = coming_week(reader) if latest is None else lambda _: (None, latest)
    asked = inquiry(reader, service, duration, period, **details)
    question = asked.question
    starts = candidate_starts(question.earliest, question.latest, question.duration)
    answer = NowAnswer(
        **reader.envelope(),
        **basis(question, asked.models),
        verdict="no_window",
        items=(),
        latest=latest,
        warnings=tuple(ground_warnings(asked)),
    )
    if len(starts) == 0:
        return said(answer)
    admitted = asked.admission(starts)
    refused = {"is_blocked_now": not admitted.is_open[0], "refused_by": admitted.refusing(0)}
    answer = answer.model_copy(update={"blocked": admitted.blocked(), **refused})
    if not admitted.is_free.any():
        return said(answer, **following(admitted))
    if asked.history.started() == 0:
        return nothing_known(answer, admitted)
    return decided(asked, admitted, answer)


def coming_week(reader: Reader) -> Period:
    """Seven days, or until the first start has ended where that comes later."""
    return lambda length: (None, utc(max(reader.at + WEEK, first_slot(reader.at) + length)))


def nothing_known(answer: NowAnswer, admitted: Admission) -> NowAnswer:
    nothing = f"No deployment to {answer.environment} was known: nothing tells now from later."
    first = int(admitted.is_free.argmax())
    items = (Choice(**dict(unknown(admitted, first)), when=farthest(answer) if first else "now"),)
    verdict: Verdict = "wait" if first else "no_clear_difference"
    wait_until = items[0].start if first else None
    return said(answer, verdict=verdict, items=items, wait_until=wait_until, warnings=(*answer.warnings, nothing))


def farthest(answer: NowAnswer) -> Horizon:
    return "within 7 days" if answer.latest is None else "by latest"


def decided(asked: Inquiry, admitted: Admission, answer: NowAnswer) -> NowAnswer:
    """The answer where there is a history, and a start that needs nothing more."""
    prices = priced(asked.reader.at, asked.models, asked.question, admitted.starts)
    slots = np.flatnonzero(admitted.is_free)
    of_day = slots[admitted.starts[slots] < np.datetime64(asked.reader.at + DAY, "us")]
    ahead: tuple[tuple[Horizon, NDArray[np.int64]], ...] = (("within 24 hours", of_day), (farthest(answer), slots))
    items = (
        choice(prices, admitted, np.array([0]), "now"),
        *(choice(prices, admitted, some, when) for when, some in ahead if len(some)),
    )
    answer = answer.model_copy(update={"items": items})
    verdict = verdict_of(answer) if admitted.is_free[0] else "wait"
    return said(
        answer,
        verdict=verdict,
        wait_until=answer.awaited.start if verdict == "wait" and answer.awaited else None,
        outlook=outlook(prices),
        warnings=(
            *answer.warnings,
            *model_warnings(asked),
            *rare_warnings(asked.question.change, asked.models.ground, admitted.starts[:1]),
        ),
    )


def choice(prices: Prices, admitted: Admission, slots: NDArray[np.int64], when: Horizon) -> Choice:
    """The best of these starts, against the first of all."""
    places = prices.place(admitted.starts[0]) + slots
    costs, first = prices.risk.costs[:, places], prices.risk.costs[:, prices.place(admitted.starts[0])]
    [best] = diverse(robust_costs(costs.mean(axis=0)), slots, 1, admitted.wanted.duration)
    ratio = float(costs[:, best].mean() / first.mean())
    low, high = interval(costs[:, best] / first, ratio)
    return Choice(
        **dict(window(prices, admitted, int(slots[best]))),
        when=when,
        relative_to_now=ratio,
        to_now_low=low,
        to_now_high=high,
        is_clearly_better=is_clearly_better(costs, against=first),
    )


def verdict_of(answer: NowAnswer) -> Verdict:
    """Go at a good time, or where waiting brings nothing; wait where it does. Now may be."""
    first, *_, last = answer.items
    if first.level in GOOD_ENOUGH:
        return "go"
    if answer.awaited is not None and answer.awaited.is_clearly_better:
        return "wait"
    return "go" if last.is_clearly_better else "no_clear_difference"


def said(answer: NowAnswer, **found: object) -> NowAnswer:
    """The answer with what was found, and its sentence."""
    whole = answer.model_copy(update=found)
    return whole.model_copy(update={"sentence": sentence(whole)})


def sentence(answer: NowAnswer, zone: str | None = None) -> str:
    """The answer in one sentence, on the clock of `zone`; null: the service's.

    "Wait until Tue 16 Dec 06:15 (Europe/London): 0.30 of the cost of now, and about 3 in 100 (1 to 6) would fail."
    """
    zone = zone or answer.business_zone
    if answer.verdict == "no_window":
        return no_window_sentence(answer, zone)
    if answer.items[-1].failure_probability is None:
        return nothing_known_sentence(answer, zone)
    if answer.verdict == "wait":
        refused = f"{refusal(answer)}. " if answer.refused_by else ""
        return f"{refused}{wait_sentence(answer, zone)}"
    first = answer.items[0]
    chance = f"{in_hundred(first.failure_probability or 0.0, first.failure_low, first.failure_high)} would fail"
    if answer.verdict == "no_clear_difference":
        ahead = f"no time {ahead_said(answer, zone)}"
        return f"Ship {answer.service} now or later: {chance} now, and {ahead} is clearly better."
    better = ", and no time within 24 hours is clearly better"
    if first.level in GOOD_ENOUGH:
        better = cheaper_soon(answer, zone)
    relative = (first.relative_cost or 0.0) * 100
    return f"Ship {answer.service} now: {chance}, {relative:.0f} % of the usual cost{better}."


def ahead_said(answer: NowAnswer, zone: str) -> str:
    """How far ahead was looked."""
    return "within 7 days" if answer.latest is None else f"until {latest_said(answer, zone)}"


def latest_said(answer: NowAnswer, zone: str) -> str:
    return f"{local_time(answer.latest or answer.as_of, zone, answer.as_of)} ({zone})"


def no_window_sentence(answer: NowAnswer, zone: str) -> str:
    if not answer.refused_by:
        length = f"{answer.duration_minutes:g} minutes from a quarter hour on"
        return f"No start for {answer.service}: no {length} end by {latest_said(answer, zone)}."
    return f"{refusal(answer)}, nor {ahead_said(answer, zone)}. {next_said(answer, zone)}"


def cheaper_soon(answer: NowAnswer, zone: str) -> str:
    """Which start worth waiting for would cost much less than now; empty: none clearly would."""
    best = answer.awaited
    if best is None or not best.is_clearly_better or (best.relative_to_now or 1.0) >= MUCH_CHEAPER:
        return ""
    when = f"{local_time(best.start, zone, answer.as_of)} ({zone})"
    return f"; {when} would cost {times(best.relative_to_now or 0.0)} of it"


def refusal(answer: NowAnswer) -> str:
    """Why it may not go now."""
    needs = "may not ship now" if answer.is_blocked_now else "may not ship now without an approval"
    return f"{answer.service} {needs} ({', '.join(map(rule_said, answer.refused_by))})"


def nothing_known_sentence(answer: NowAnswer, zone: str) -> str:
    if answer.verdict == "wait":
        best = answer.items[-1]
        when = f"{local_time(best.start, zone, answer.as_of)} ({zone})"
        return f"{refusal(answer)}. It may from {when}; nothing is known yet of costs."
    return f"Nothing is known yet that could tell now from later for {answer.service}."


def wait_sentence(answer: NowAnswer, zone: str) -> str:
    best = answer.awaited or answer.items[-1]
    when = f"{local_time(best.start, zone, answer.as_of)} ({zone})"
    chance = in_hundred(best.failure_probability or 0.0, best.failure_low, best.failure_high)
    return f"Wait until {when}: {times(best.relative_to_now or 0.0)} of the cost of now, and {chance} would fail."

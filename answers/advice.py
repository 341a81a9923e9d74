"""The advice that was given, kept so that it can be held against what happened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeVar, cast

from pydantic import Field, TypeAdapter, ValidationError

from shipcast.answers.answer import Answer, Instant, Number, Part, Share, verb
from shipcast.answers.windows import Outlook, Window, WindowsAnswer
from shipcast.scheduling.windows import WEEK

if TYPE_CHECKING:
    from shipcast.answers.gate import GateAnswer
    from shipcast.answers.now import NowAnswer
    from shipcast.answers.plan import PlanAnswer

FILE = "advice.jsonl"
PRESENT = timedelta(hours=1)
Asked = TypeVar("Asked", bound=Answer)


class AdvisedStart(Part):
    """A start that was offered, and what was said of it; null: nothing could be said."""

    start: Instant
    end: Instant
    failure_probability: Share | None
    relative_cost: Number | None


class Advice(Part):
    """What one answer advised for one change.

    Parameters
    ----------
    as_of, until
        When it was asked, and until when a deployment is held against it: a week after the last start.
    verdict
        As of the answer; of a plan "planned".
    starts
        Those that were advised; of an answer by which the time does not matter, those that looked best.
    outlook
        What starts of the coming hours would cost, against the usual; null: not known.
    """

    verb: Literal["windows", "now", "plan"]
    service: str
    environment: str
    as_of: Instant
    until: Instant
    verdict: str
    starts: tuple[AdvisedStart, ...]
    outlook: Outlook | None = None

    @property
    def is_indifferent(self) -> bool:
        """Whether it said that the time makes no clear difference."""
        return self.verdict == "no_clear_difference"


class GateVerdict(Part):
    """What the gate said of one start, which is no advice of a time: whoever is let go takes it as a matter of course.

    Parameters
    ----------
    failure_probability, relative_cost
        Of the start; null: nothing could be said.
    outlook
        As of advice.
    """

    verb: Literal["gate"]
    service: str
    environment: str
    as_of: Instant
    verdict: Literal["go", "hold", "unknown"]
    start: Instant
    end: Instant
    failure_probability: Share | None
    relative_cost: Number | None
    outlook: Outlook | None = None


class Kept(NamedTuple):
    """What was kept of answers, each kind in the order of its questions; and how many lines cannot be read."""

    advice: list[Advice]
    verdicts: list[GateVerdict]
    unreadable: int


Line = Annotated[Advice | GateVerdict, Field(discriminator="verb")]
LINE: TypeAdapter[Advice | GateVerdict] = TypeAdapter(Line, config={"defer_build": True})


def keep(home: Path, answer: Asked) -> Asked:
    """The answer, what it advised added to the home's file if it was asked about the present; a warning if it can't be.

    An answer as of another time than its own is a question about the past or a trial, and no advice.
    """
    found = list(lines_of(answer))
    if not found or abs(answer.generated_at - answer.as_of) > PRESENT:
        return answer
    try:
        if home.is_dir():
            add_lines(home / FILE, [one.model_dump_json() for one in found])
    except OSError as error:
        said = f"This advice was not kept for later comparison: {error.strerror or error}."
        return answer.model_copy(update={"warnings": (*answer.warnings, said)})
    return answer


def add_lines(path: Path, lines: Sequence[str]) -> None:
    """Add lines in one write; each begins with its line feed, so that a line that broke off stands alone."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, "".join(f"\n{line}" for line in lines).encode())
    finally:
        os.close(file)


def kept(home: Path, at: datetime) -> Kept:
    """What was said by an instant (aware)."""
    path = home / FILE
    found: list[Advice | GateVerdict] = []
    unreadable = 0
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        if line:
            try:
                found.append(LINE.validate_json(line))
            except ValidationError:
                unreadable += 1
    known = sorted((one for one in found if one.as_of <= at), key=lambda one: one.as_of)
    return Kept(
        [one for one in known if isinstance(one, Advice)],
        [one for one in known if isinstance(one, GateVerdict)],
        unreadable,
    )


def lines_of(answer: Answer) -> Iterator[Advice | GateVerdict]:
    """What is to be kept of an answer; nothing where it is about something else, or names no start."""
    kind = verb(type(answer))
    if kind == "gate":
        yield of_gate(cast("GateAnswer", answer))
    yield from (one for one in advice_of(answer, kind) if one.starts)


def advice_of(answer: Answer, kind: str) -> Iterator[Advice]:
    if kind == "windows":
        windows = cast("WindowsAnswer", answer)
        yield of_change(windows, "windows", windows.items)
    elif kind == "now":
        now = cast("NowAnswer", answer)
        awaited = () if now.awaited is None else (now.awaited,)
        yield of_change(now, "now", now.items[:1] if now.verdict != "wait" else awaited)
    elif kind == "plan":
        yield from of_plan(cast("PlanAnswer", answer))


def of_change(answer: WindowsAnswer | NowAnswer, kind: Literal["windows", "now"], starts: Sequence[Window]) -> Advice:
    return Advice(
        verb=kind,
        service=answer.service,
        environment=answer.environment,
        as_of=answer.as_of,
        until=max((one.end for one in answer.items), default=answer.as_of) + WEEK,
        verdict=answer.verdict,
        starts=tuple(
            AdvisedStart(
                start=one.start,
                end=one.end,
                failure_probability=one.failure_probability,
                relative_cost=one.relative_cost,
            )
            for one in starts
        ),
        outlook=answer.outlook,
    )


def of_plan(answer: PlanAnswer) -> Iterator[Advice]:
    for item in answer.items:
        start = AdvisedStart(
            start=item.start,
            end=item.end,
            failure_probability=item.failure_probability,
            relative_cost=item.relative_cost,
        )
        yield Advice(
            verb="plan",
            service=item.service,
            environment=item.environment,
            as_of=answer.as_of,
            until=answer.period_end,
            verdict="planned",
            starts=(start,),
        )


def of_gate(answer: GateAnswer) -> GateVerdict:
    forecast = answer.outlook
    return GateVerdict(
        verb="gate",
        service=answer.service,
        environment=answer.environment,
        as_of=answer.as_of,
        verdict=answer.verdict,
        start=answer.start,
        end=answer.end,
        failure_probability=None if forecast is None else forecast.failure_probability,
        relative_cost=None if forecast is None else forecast.relative_cost,
        outlook=answer.week,
    )

"""The verb that plans many changes together."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from shipcast.answers.answer import rfc3339
from shipcast.answers.words import amount, in_hundred, local_time, span
from shipcast.ask import Ask, verb
from shipcast.console import hint, progress, say, show, table
from shipcast.verbs.questions import CalendarFile, argument

if TYPE_CHECKING:
    from datetime import datetime

    from shipcast.answers.plan import PlanAnswer, Planned, Unscheduled
    from shipcast.scheduling.planner.engine import Progress

SHOWN = 40
EXPLAINED = 10
KEPT = 5  # blocks for emergencies that are shown


def add_verbs(app: typer.Typer) -> None:
    verb(app, "plan", "shipcast plan requests.json --time-limit 15 --without year-end")(plan_verb)


def plan_verb(
    ask: Ask,
    requests: Annotated[Path, typer.Argument(metavar="REQUESTS.json", help="The requests; - for the standard input.")],
    calendar: CalendarFile = None,
    time_limit: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="S", help="Seconds to plan for; default: 10, or as --iterations say."),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Steps of the search; the same number gives the same plan.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the search's lots.")] = 0,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="What that rule costs: plan without it too; may be repeated."),
    ] = None,
    reserve: Annotated[
        int | None,
        typer.Option(min=0, max=1440, metavar="MINUTES", help="What a reserve of so many minutes a day costs."),
    ] = None,
) -> None:
    """The best start for every request together, with a proven bound, and why some have none."""
    from dataclasses import replace

    from shipcast.answers.advice import keep
    from shipcast.answers.plan import Effort, plan
    from shipcast.scheduling.requests import read_requests, request_text

    name = str(requests)
    text = sys.stdin.read() if name == "-" else request_text(requests)
    file = read_requests(text, name, ask.settings.tz)
    as_of = ask.as_of if ask.as_of_text is not None or file.as_of is None else file.as_of
    with interrupts() as should_stop:
        answer = plan(
            ask.settings,
            as_of,
            file,
            calendar_file=calendar,
            effort=Effort(time_limit, iterations, seed, told(progress(ask)), should_stop),
            without=tuple(without or ()),
            reserve_minutes=reserve,
        )
    answer = keep(ask.settings.home, answer)
    ask = replace(ask, as_of_text=rfc3339(as_of))
    show(ask, answer, lambda: show_plan(ask, answer, calendar))


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; a second one ends the program as it always does."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def told(tell: Callable[[str], None]) -> Callable[[Progress], None]:
    """How far the planner is, in a sentence; Ctrl-C ends it with the best plan so far."""
    return lambda found: tell(
        f"planning: {found.iterations:,} steps, the plan costs {found.objective:,.6g}, none can cost less than"
        f" {found.bound:,.6g}; Ctrl-C takes it as it is"
    )


def show_plan(ask: Ask, answer: PlanAnswer, calendar: Path | None) -> None:
    """The sentence, the starts, what has none and why, and what other ways would cost."""
    say(answer.sentence)
    zone = ask.settings.tz
    costs = {"requests": "requests affected", "disruption_minutes": "minutes of disruption", "own": "cost"}
    table(
        ["request", "service", "to", f"start ({zone})", "end", "chance of failure", costs[answer.unit]],
        [
            [
                item.id,
                item.service,
                item.environment,
                local_time(item.start, zone, answer.as_of),
                local_time(item.end, zone, answer.as_of)[-5:],
                None
                if item.failure_probability is None
                else in_hundred(item.failure_probability).removeprefix("about "),
                amount(item.expected_cost),
            ]
            for item in answer.items[:SHOWN]
        ],
        numbers=(costs[answer.unit],),
    )
    if len(answer.items) > SHOWN:
        say(f"These are the first {SHOWN} of {len(answer.items):,}; --json gives all.")
    for one in answer.unscheduled[:EXPLAINED]:
        say(why(one, zone, answer.as_of))
    if len(answer.unscheduled) > EXPLAINED:
        say(f"{len(answer.unscheduled) - EXPLAINED:,} more have no start; --json says why.")
    say(others(answer))
    if answer.reserved:
        say(kept_free(answer, zone))
    if answer.what_if is not None:
        say(what_if(answer))
    if answer.items and answer.unit != "own":
        first = answer.items[0]
        hint(ask, f"shipcast explain {argument(first.service)} --at {rfc3339(first.start)}{explained(first, calendar)}")


def explained(item: Planned, calendar: Path | None) -> str:
    """What else `explain` has to be told of a request, as it would be typed."""
    minutes = (item.end - item.start).total_seconds() / 60
    environment = None if item.environment == "production" else item.environment
    given = {"duration": f"{minutes:g}m", "environment": environment, "calendar": calendar}
    return "".join(f" --{flag}={shlex.quote(str(value))}" for flag, value in given.items() if value is not None)


def kept_free(answer: PlanAnswer, zone: str) -> str:
    """Where what is kept for emergencies lies."""
    blocks = [f"{one.environment} {span(one.start, one.end, zone)}" for one in answer.reserved[:KEPT]]
    more = len(answer.reserved) - KEPT
    return f"Kept for emergencies ({zone}): {', '.join(blocks)}{f' and {more} more' if more > 0 else ''}."


def why(one: Unscheduled, zone: str, as_of: datetime) -> str:
    """Why a request has no start, and what would give it one."""
    parts = ", ".join(
        reason.words if reason.starts is None else f"{reason.starts:,} {reason.words}" for reason in one.reasons
    )
    said = (
        f"No start for {one.id} ({one.service}): of its starts {parts or 'none lies between its earliest and latest'}."
    )
    if one.start is None or not one.lift:
        return said
    lifted = " and ".join(f"{item.kind} {item.name}".strip() for item in one.lift)
    start = local_time(one.start, zone, as_of)
    return f"{said} Without {lifted} it could start at {start} for {amount(one.expected_cost)}."


def others(answer: PlanAnswer) -> str:
    """What plainer ways to give starts would cost."""
    count = len(answer.items) + len(answer.unscheduled)
    parts = []
    for one in answer.other_ways:
        broken = ", ".join(f"{kind} of {requests:,}" for kind, requests in one.broken.items())
        breaking = f", breaking {broken}" if broken else ""
        missing = f", {count - one.scheduled:,} without a start" if one.scheduled < count else ""
        dearer = "" if answer.objective == 0 else f" ({one.objective / answer.objective:.0%})".replace("%", " %")
        parts.append(f"{one.way} {amount(one.objective)}{dearer}{missing}{breaking}")
    return f"This plan with what it defers: {amount(answer.objective)}; other ways: {'; '.join(parts)}."


def what_if(answer: PlanAnswer) -> str:
    """What the rules that were left out cost."""
    found = answer.what_if
    assert found is not None
    changes = [f"Without {', '.join(found.without)}"] if found.without else []
    changes += [] if found.reserve_minutes is None else [f"With a reserve of {found.reserve_minutes} minutes a day"]
    low, high = sorted((found.saved_low, found.saved_high))
    return (
        f"{', '.join(changes)}: {found.objective:,.6g}, {abs(found.saved):,.6g} "
        f"{'less' if found.saved >= 0 else 'more'} ({low:,.6g} to {high:,.6g} less, proven), "
        f"{found.scheduled:,} with a start."
    )

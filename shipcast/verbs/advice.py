"""The verbs about one time: whether to go now, and why a time is good or bad."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from shipcast.answers.answer import rfc3339
from shipcast.answers.words import amount, in_hundred, local_time, times
from shipcast.ask import Ask, verb
from shipcast.console import hint, say, show, table
from shipcast.settings.durations import parse_duration
from shipcast.verbs.questions import (
    DURATION,
    CalendarFile,
    ChangeType,
    Environment,
    Files,
    Lines,
    Service,
    argument,
    flags,
    window_cells,
)

if TYPE_CHECKING:
    from shipcast.answers.explain import Alike, ExplainAnswer, Factor
    from shipcast.answers.now import NowAnswer

UNSAID = f"{DURATION} Default: as the service's usually take."
LONGEST_ID = 40
Duration = Annotated[str | None, typer.Option(metavar="TIME", help=UNSAID)]
ROWS = {
    "failure chance": "chance of failure",
    "restore time": "minutes to restore",
    "median restore time": "… their median",
    "load": "requests per hour",
    "planned downtime": "met while down",
}


def add_verbs(app: typer.Typer) -> None:
    verb(app, "now", "shipcast now checkout --duration 45m --lines 300")(now_verb)
    verb(app, "explain", "shipcast explain checkout --duration 45m --lines 300")(explain_verb)


def now_verb(
    ask: Ask,
    service: Service,
    duration: Duration = None,
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: ChangeType = None,
    latest: Annotated[
        str | None, typer.Option(metavar="TIME", help="Ended by then, which it may wait for; default: waits for a day.")
    ] = None,
    calendar: CalendarFile = None,
) -> None:
    """Whether to ship now, or until when to wait.

    Ends with 0 whatever the verdict, which --json gives to scripts.
    """
    from shipcast.answers.advice import keep
    from shipcast.answers.now import now
    from shipcast.answers.reading import open_reader

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = now(
            reader,
            service,
            duration=optional_duration(duration),
            environment=environment,
            lines=lines,
            files=files,
            change_type=change_type,
            latest=ask.optional_start(latest, "--latest"),
            calendar_file=calendar,
        )
    answer = keep(ask.settings.home, answer)
    show(ask, answer, lambda: show_now(ask, answer, asked_change(lines, files, change_type, calendar)))


def optional_duration(text: str | None) -> timedelta | None:
    return None if text is None else parse_duration(text)


def asked_change(
    lines: int | None, files: int | None, change_type: str | None, calendar: Path | None
) -> dict[str, object]:
    """What was said of a change, by its flags."""
    return {"lines": lines, "files": files, "type": change_type, "calendar": calendar}


def show_now(ask: Ask, answer: NowAnswer, change: Mapping[str, object]) -> None:
    """The sentence, and the starts it compares."""
    from shipcast.answers.window_words import UNITS

    say(answer.sentence)
    if not answer.items or answer.items[0].failure_probability is None:
        return
    zone = answer.business_zone
    table(
        ["start", f"({zone})", "level", "chance of failure", UNITS[answer.unit], "of now"],
        [
            [
                item.when if item.when == "now" else f"best {item.when}",
                local_time(item.start, zone, answer.as_of),
                *window_cells(item)[:3],
                None if item.relative_to_now is None else times(item.relative_to_now),
            ]
            for item in answer.items
        ],
        numbers=("of now",),
    )
    start = answer.wait_until or answer.items[0].start
    hint(ask, f"shipcast explain {argument(answer.service)} --at {rfc3339(start)}{flags(answer, change)}")


def explain_verb(
    ask: Ask,
    service: Service,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="The start to explain; default: now.")] = None,
    duration: Duration = None,
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: ChangeType = None,
    calendar: CalendarFile = None,
) -> None:
    """Why a time is good or bad for a change, and what would make it better."""
    from shipcast.answers.explain import explain
    from shipcast.answers.reading import open_reader

    moment = ask.optional_start(at, "--at") or ask.as_of
    with open_reader(ask.settings, ask.as_of) as reader:
        answer = explain(
            reader,
            service,
            at=moment,
            duration=optional_duration(duration),
            environment=environment,
            lines=lines,
            files=files,
            change_type=change_type,
            calendar_file=calendar,
        )
    show(ask, answer, lambda: show_explain(ask, answer, asked_change(lines, files, change_type, calendar)))


def show_explain(ask: Ask, answer: ExplainAnswer, change: Mapping[str, object]) -> None:
    """The sentence, the factors, what adds up to the price, the deployments most alike, and all of it in words."""
    from shipcast.answers.window_words import reasons_in_words
    from shipcast.answers.windows import model_said

    say(answer.sentence)
    if not answer.factors:
        return
    rows = sorted(answer.factors, key=lambda factor: list(ROWS).index(factor.factor))
    table(["factor", "then", "usual", "of usual", ""], [factor_cells(factor) for factor in rows])
    say(reasons_in_words(answer.items[0]))
    table(
        ["most alike", f"started ({answer.business_zone})", "lines", "followed by"],
        [alike_cells(one, answer.business_zone) for one in answer.alike],
        numbers=("lines",),
    )
    for said in answer.explanation:
        say(said)
    say(model_said(answer))
    hint(ask, f"shipcast windows {argument(answer.service)}{flags(answer, change)}")


def factor_cells(factor: Factor) -> list[str]:
    of_usual = f"{times(factor.ratio)} ({times(factor.ratio_low)} to {times(factor.ratio_high)})"
    if factor.unit == "share":
        then = in_hundred(factor.value, factor.low, factor.high).removeprefix("about ")
        return [ROWS[factor.factor], then, in_hundred(factor.usual).removeprefix("about "), of_usual, factor.compared]
    then = f"{amount(factor.value)} ({amount(factor.low)} to {amount(factor.high)})"
    return [ROWS[factor.factor], then, amount(factor.usual), of_usual, factor.compared]


def alike_cells(one: Alike, zone: str) -> list[object]:
    started = f"{one.started_at.astimezone(ZoneInfo(zone)):%a %-d %b %Y %H:%M}"
    name = one.deployment_id if len(one.deployment_id) <= LONGEST_ID else f"{one.deployment_id[: LONGEST_ID - 1]}…"
    size = None if one.lines is None else f"{one.lines:,}"
    return [name, started, size, "failure" if one.failed else "no failure"]

"""The verb that shows the coming week, hour by hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from shipcast import completion
from shipcast.answers.words import LEVEL_MARKS, local_time
from shipcast.ask import Ask, verb
from shipcast.console import hint, say, show, table, tell
from shipcast.verbs.questions import Environment, argument, typed

if TYPE_CHECKING:
    from shipcast.answers.outlook import Hour, OutlookAnswer, ServiceWeek

GOOD = ("calm", "fair")
BLOCKED, UNKNOWN = "x", "?"


def add_verbs(app: typer.Typer) -> None:
    verb(app, "outlook", "shipcast outlook checkout")(outlook_verb)


def outlook_verb(
    ask: Ask,
    service: Annotated[
        str | None,
        typer.Argument(metavar="[SERVICE]", help="One service's week.", autocompletion=completion.services),
    ] = None,
    environment: Environment = "production",
    team: Annotated[
        str | None, typer.Option(metavar="T", help="The services of one team.", autocompletion=completion.teams)
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="K", help="How many services, those deployed most first.")] = 12,
) -> None:
    """The coming week, hour by hour: when usual changes would be calm, and when not."""
    from shipcast.answers.outlook import outlook
    from shipcast.answers.reading import open_reader

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = outlook(reader, service=service, team=team, environment=environment, top=top)
    show(ask, answer, lambda: show_outlook(ask, answer, typed({"environment": environment})))


def show_outlook(ask: Ask, answer: OutlookAnswer, narrowing: str) -> None:
    say(answer.sentence)
    zone = ask.settings.tz
    if len(answer.items) == 1:
        show_week(answer.items[0], zone)
        hint(ask, f"shipcast windows {argument(answer.items[0].service)} --duration 45m{narrowing}")
    elif answer.items:
        columns = ["service", "calm or fair", "blocked", f"calmest ({zone})", f"stormiest ({zone})"]
        table(columns, [service_cells(answer, week, zone) for week in answer.items], numbers=columns[1:3])
        hint(ask, f"shipcast outlook {argument(answer.items[0].service)}{narrowing}")


def service_cells(answer: OutlookAnswer, week: ServiceWeek, zone: str) -> list[str]:
    free = [hour for hour in week.hours if hour.blocked is None]
    good = sum(hour.level in GOOD for hour in free)
    blocked = len(week.hours) - len(free)
    return [
        week.service,
        f"{good} h",
        f"{blocked} h" if blocked else "",
        extreme(answer, free, zone, 1),
        extreme(answer, list(week.hours), zone, -1),
    ]


def extreme(answer: OutlookAnswer, hours: list[Hour], zone: str, sign: int) -> str:
    """The cheapest hour (1) or the dearest (-1), with its mark; empty where no price is known."""
    priced = [hour for hour in hours if hour.relative_cost is not None]
    if not priced:
        return ""
    found = min(priced, key=lambda hour: sign * (hour.relative_cost or 0.0))
    return f"{LEVEL_MARKS[found.level or '']} {local_time(found.start, zone, answer.as_of)}"


def show_week(week: ServiceWeek, zone: str) -> None:
    """A line a day, a mark an hour."""
    days: dict[str, dict[int, str]] = {}
    for hour in week.hours:
        local = hour.start.astimezone(ZoneInfo(zone))
        mark = BLOCKED if hour.blocked else LEVEL_MARKS[hour.level] if hour.level else UNKNOWN
        days.setdefault(f"{local:%a %-d %b}", {})[local.hour] = mark
    tell("")
    tell(" " * 12 + " ".join(f"{hour:02}" for hour in range(24)))
    for day, marks in days.items():
        tell(f"{day:<12}" + " ".join(f"{marks.get(hour, ' '):<2}" for hour in range(24)).rstrip())
    tell("")
    known = ", ".join(f"{mark} {word}" for word, mark in LEVEL_MARKS.items() if word)
    tell(f"{known}, {BLOCKED} blocked; hours of {zone}")

"""The verbs about the calendar: whether a change may go, what is in force, and the exchange with other calendars."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from shipcast import completion
from shipcast.answers.answer import rfc3339
from shipcast.answers.words import local_time
from shipcast.ask import Ask, group, verb
from shipcast.console import hint, say, show, table, tell
from shipcast.settings.errors import InputRefused, UsageError
from shipcast.verbs.questions import CalendarFile, ChangeType, Environment, argument, typed

if TYPE_CHECKING:
    from shipcast.answers.calendar import (
        CalendarCheckAnswer,
        CalendarListAnswer,
        Checked,
        InForce,
    )
    from shipcast.answers.calendar_import import CalendarImportAnswer
    from shipcast.answers.proposals import CalendarProposeAnswer
    from shipcast.scheduling.calendar.questions import Question
    from shipcast.scheduling.calendar.scope import Subject

SHOWN = 50
FORTNIGHT = timedelta(days=14)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z")
Regions = Annotated[
    list[str] | None, typer.Option("--region", metavar="R", help="Where the service runs; may be repeated.")
]
Team = Annotated[str | None, typer.Option(metavar="T", help="The team that owns it.", autocompletion=completion.teams)]
OptionalService = Annotated[
    str | None, typer.Argument(metavar="SERVICE", help="The service to ship.", autocompletion=completion.services)
]
OfService = Annotated[
    str | None,
    typer.Option("--service", metavar="S", help="What is about one service.", autocompletion=completion.services),
]
From = Annotated[str | None, typer.Option("--from", metavar="D", help="Start of the period; default: now.")]
To = Annotated[str | None, typer.Option("--to", metavar="D", help="Its end, excluded; default: 14 days later.")]


def add_verbs(app: typer.Typer) -> None:
    calendar = group(app, "calendar", "Freezes, windows, holidays, business hours: what they say of a time.")
    verb(calendar, "check", "shipcast calendar check checkout --start 2026-01-05T10:00Z --end 2026-01-05T11:00Z")(
        check_verb
    )
    verb(calendar, "list", "shipcast calendar list --from 2026-01-01 --to 2026-02-01")(list_verb)
    verb(calendar, "export", "shipcast calendar export calendar.ics --from 2026-01-01 --to 2027-01-01")(export_verb)
    verb(calendar, "import", "shipcast calendar import maintenance.ics --name provider --region eu")(import_verb)
    verb(calendar, "propose", "shipcast calendar propose --service checkout --least 4")(propose_verb)


def check_verb(
    ask: Ask,
    service: OptionalService = None,
    start: Annotated[str | None, typer.Option(metavar="T", help="When the deployment starts.")] = None,
    end: Annotated[str | None, typer.Option(metavar="T", help="Its end, excluded; as start: that instant.")] = None,
    environment: Environment = "production",
    region: Regions = None,
    team: Team = None,
    change_type: ChangeType = None,
    batch: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Many questions, a JSON object a line; - is the standard input.")
    ] = None,
    calendar: CalendarFile = None,
) -> None:
    """Whether a change may go at a time, by which rule, until when, and when next.

    Ends with 0 whatever the decision, which --json gives to scripts.
    """
    from shipcast.answers.calendar import check
    from shipcast.scheduling.calendar.questions import read_questions

    unknown: list[str] = []
    if batch is not None:
        if service is not None or start is not None or end is not None:
            raise UsageError("--batch asks what its file says: leave out SERVICE, --start and --end.")
        questions, unknown = read_questions(batch_lines(batch), str(batch), ask.settings.tz)
    else:
        given = {"service": service, "start": start, "end": end, "environment": environment, "regions": region}
        questions = [one_question(ask, {**given, "team": team, "change_type": change_type})]
    answer = check(questions, ask.settings, ask.as_of, calendar_file=calendar, unknown_keys=unknown)
    show(ask, answer, lambda: show_check(ask, answer, calendar, is_batch=batch is not None))


def batch_lines(path: Path) -> Iterator[str]:
    """The lines of the file.

    Raises
    ------
    InputRefused
        It cannot be read as text.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise InputRefused(f"{path}: {said}.", next_step="Name a file of one JSON object a line.") from error
    return iter(text.split("\n"))


def one_question(ask: Ask, given: dict[str, Any]) -> Question:
    """The question that the flags ask."""
    from shipcast.scheduling.calendar.questions import WrongQuestion, question

    missing = [name for name, key in (("SERVICE", "service"), ("--start", "start"), ("--end", "end")) if not given[key]]
    if missing:
        raise UsageError(f"{' and '.join(missing)} must be given, or --batch FILE.")
    for key in ("start", "end"):
        given[key] = rfc3339(ask.start(given[key], f"--{key}"))
    try:
        return question({key: value for key, value in given.items() if value is not None}, ask.settings.tz)
    except WrongQuestion as error:
        raise UsageError(f"{error}.") from error


def show_check(ask: Ask, answer: CalendarCheckAnswer, calendar: Path | None, *, is_batch: bool) -> None:
    """The sentence; of several questions a row each."""
    say(answer.sentence)
    zone = ask.settings.tz
    if is_batch:
        table(
            ["", "service", f"start ({zone})", "decision", "rule", "until", "next allowed"],
            [[number, *check_cells(ask, item)] for number, item in enumerate(answer.items[:SHOWN], start=1)],
            numbers=("",),
        )
        hint(ask, "shipcast calendar check --batch FILE --json, for all of it")
        return
    for one in answer.items[0].approvals:
        when = (
            "no meeting before it can"
            if one.meeting is None or one.deadline is None
            else f"{on_clock(ask, one.meeting)} ({zone}); hand it in by {on_clock(ask, one.deadline)}"
        )
        say(f"{one.rule} decides on it: {when}.")
    item = answer.items[0]
    given = {"service": item.service, "environment": item.environment, "calendar": calendar}
    said = "".join(f" --{flag}={shlex.quote(str(value))}" for flag, value in given.items() if value is not None)
    hint(ask, f"shipcast calendar list --from {rfc3339(item.next_allowed or item.start)}{said}")


def check_cells(ask: Ask, item: Checked) -> list[object]:
    start, until, following = (on_clock(ask, moment) for moment in (item.start, item.until, item.next_allowed))
    return [item.service, start, item.decision, item.rule, until, following]


def on_clock(ask: Ask, moment: datetime | None) -> str | None:
    """An instant on the reader's clock; None: there is none."""
    return None if moment is None else local_time(moment, ask.settings.tz, ask.as_of)


def list_verb(
    ask: Ask,
    period_from: From = None,
    period_to: To = None,
    service: OfService = None,
    environment: Environment = "production",
    region: Regions = None,
    calendar: CalendarFile = None,
) -> None:
    """What is in force in a period: every window, freeze, holiday, meeting, booking, in order."""
    from shipcast.answers.calendar import in_force

    since, until = period(ask, period_from, period_to)
    subject = asked_subject(service, environment, region)
    answer = in_force(ask.settings, ask.as_of, since, until, calendar_file=calendar, subject=subject)
    show(ask, answer, lambda: show_list(ask, answer, service, environment))


def period(ask: Ask, period_from: str | None, period_to: str | None) -> tuple[datetime, datetime]:
    since = ask.optional_instant(period_from, "--from") or ask.as_of
    return since, ask.optional_instant(period_to, "--to") or since + FORTNIGHT


def asked_subject(service: str | None, environment: str, regions: list[str] | None) -> Subject | None:
    from shipcast.scheduling.calendar.scope import Subject

    return None if service is None else Subject(service, environment, tuple(regions or ()))


def show_list(ask: Ask, answer: CalendarListAnswer, service: str | None, environment: str) -> None:
    say(answer.sentence)
    if answer.files:
        say(f"Read from {', '.join(answer.files)}.")
    zone = ask.settings.tz
    table(
        ["rule", "kind", f"when ({zone})", "effect", "about"],
        [
            [item.rule, item.kind.replace("_", " "), when_said(ask, item), effect_said(item), about_said(ask, item)]
            for item in answer.items[:SHOWN]
        ],
    )
    if len(answer.items) > SHOWN:
        say(f"These are the first {SHOWN} of {len(answer.items):,}; --json gives all.")
    for one in answer.conflicts[:SHOWN]:
        say(f"- {one.says}")
    if len(answer.conflicts) > SHOWN:
        say(f"- and {len(answer.conflicts) - SHOWN:,} conflicts more; --json gives all")
    about = "SERVICE" if service is None else argument(service)
    hint(ask, f"shipcast calendar check {about} --start TIME --end TIME{typed({'environment': environment})}")


def when_said(ask: Ask, item: InForce) -> str:
    """Its span on the reader's clock; the day once where it ends on the same."""
    start, end = local_time(item.start, ask.settings.tz, ask.as_of), local_time(item.end, ask.settings.tz, ask.as_of)
    if start == end:
        return start
    day, clock = end.rsplit(" ", 1)
    return f"{start} to {clock if start.startswith(f'{day} ') else end}"


def about_said(ask: Ask, item: InForce) -> str:
    """What it is about, and its note, the times in which are told on the reader's clock."""
    scope = " ".join(glob for globs in item.scope.values() for glob in globs) or "all"
    note = INSTANT.sub(lambda found: str(on_clock(ask, datetime.fromisoformat(found[0]))), item.note)
    return f"{scope}; {note}" if note else scope


def effect_said(item: InForce) -> str | None:
    """What it needs to ship in it; of an allow window, outside of it."""
    return f"{item.effect} outside" if item.kind == "allow" and item.effect else item.effect


def export_verb(
    ask: Ask,
    target: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file to write; default: the standard output.")
    ] = None,
    form: Annotated[
        Literal["ics", "argocd"],
        typer.Option("--format", help="Events for calendar programs, or sync windows of an Argo CD project."),
    ] = "ics",
    period_from: From = None,
    period_to: To = None,
    service: OfService = None,
    environment: Environment = "production",
    region: Regions = None,
    calendar: CalendarFile = None,
) -> None:
    """What is in force in a period, as a file for calendar programs or for Argo CD."""
    from shipcast.answers.calendar_export import export

    since, until = period(ask, period_from, period_to)
    subject = asked_subject(service, environment, region)
    answer = export(
        ask.settings, ask.as_of, since, until, calendar_file=calendar, subject=subject, target=target, form=form
    )
    text = answer.ics or answer.argocd
    if text is not None and not ask.json:
        tell(text.replace("\r\n", "\n"))
        return
    show(ask, answer, lambda: say(answer.sentence))


def import_verb(
    ask: Ask,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="An .ics file, or a manifest of Argo CD's projects.")],
    form: Annotated[
        Literal["ics", "argocd"] | None,
        typer.Option("--format", help="What the file is; default: argocd where it ends in .yaml or .yml, else ics."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; replaces an import of that name.")
    ] = None,
    effect: Annotated[
        Literal["block", "approval"] | None,
        typer.Option(help="What a change during its events needs; default: block."),
    ] = None,
    service: Annotated[
        list[str] | None, typer.Option("--service", metavar="GLOB", help="Of which services; may be repeated.")
    ] = None,
    environment: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Of which environments; may be repeated.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", metavar="GLOB", help="In which regions; may be repeated.")
    ] = None,
) -> None:
    """Keep another calendar: let nothing go during its busy events, or only when Argo CD's sync windows would.

    Services, environments and regions narrow what the file leaves open.
    """
    from shipcast.answers.calendar_import import import_calendar

    given = {"service": service, "environment": environment, "region": region}
    scope = {key: tuple(globs) for key, globs in given.items() if globs}
    answer = import_calendar(ask.settings, ask.as_of, source, name=name, effect=effect, scope=scope, form=form)
    show(ask, answer, lambda: show_import(ask, answer))


def show_import(ask: Ask, answer: CalendarImportAnswer) -> None:
    say(answer.sentence)
    table(
        ["rule", "opens", "minutes", "zone", "effect", "about"],
        [
            [
                item.rule,
                item.rrule
                or item.cron
                or (item.openings[0] if len(item.openings) == 1 else f"{len(item.openings):,} times"),
                f"{item.minutes:,}",
                item.tz,
                f"{item.effect} outside" if item.kind == "allow" else item.effect,
                " ".join(glob for globs in item.scope.values() for glob in globs) or "all",
            ]
            for item in answer.items[:SHOWN]
        ],
        numbers=("minutes",),
    )
    hint(ask, "shipcast calendar list")


def propose_verb(
    ask: Ask,
    service: OfService = None,
    environment: Annotated[
        str | None,
        typer.Option(metavar="E", help="What was marked of one environment.", autocompletion=completion.environments),
    ] = None,
    least: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="Of how many weeks the marks must be; default: 3.")
    ] = 3,
    calendar: CalendarFile = None,
) -> None:
    """Windows for the calendar, from the times that were marked as unusable; writes nothing."""
    from shipcast.answers.proposals import propose

    answer = propose(
        ask.settings, ask.as_of, service=service, environment=environment, least=least, calendar_file=calendar
    )
    show(ask, answer, lambda: show_proposals(ask, answer))


def show_proposals(ask: Ask, answer: CalendarProposeAnswer) -> None:
    say(answer.sentence)
    if answer.items:
        tell(f"\n{answer.toml}")
        hint(ask, "put what suits you into calendar.toml, then: shipcast calendar list")
    else:
        hint(ask, "shipcast audit list --kind unusable")

"""The verbs that put something into the ledger, and those that look at it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import typer

from shipcast import completion
from shipcast.answers.words import listing, span
from shipcast.ask import Ask, group, verb
from shipcast.console import hint, say, show, table
from shipcast.settings.durations import parse_duration
from shipcast.settings.errors import UsageError
from shipcast.verbs.calendar import SHOWN, OptionalService, Regions
from shipcast.verbs.questions import DURATION, CalendarFile, ChangeType, Environment, Service

if TYPE_CHECKING:
    from pydantic import BaseModel

    from shipcast.answers.audit import AuditListAnswer, AuditVerifyAnswer
    from shipcast.answers.bookings import LedgerAnswer
    from shipcast.answers.entries import Recorded

    Body = TypeVar("Body", bound=BaseModel)

HASH = re.compile(r"[0-9a-f]{64}")
LONGEST_NAME, LONGEST_NUMBER = 200, 18
FLAGS = {  # of the parts of an entry that are not called like theirs
    "service": "SERVICE",
    "booking": "NUMBER",
    "entry": "NUMBER",
    "purpose": "--for",
    "change_type": "--type",
    "rules": "--rule",
    "expires_at": "--expires",
    "regions": "--region",
    "resources": "--resource",
}
TEXTS = ("reason", "purpose", "role")
WHO = "Who you are; default: the setting `who`, else the system's name for you."
Who = Annotated[str | None, typer.Option("--who", metavar="NAME", help=WHO)]
End = Annotated[str | None, typer.Option(metavar="T", help="When it ends, excluded.")]
Rule = Annotated[str | None, typer.Option("--rule", metavar="ID", help="The only rule it is for; default: all.")]


def add_verbs(app: typer.Typer) -> None:
    verb(app, "reserve", "shipcast reserve checkout --start 2026-01-05T10:00Z --duration 45m --for hotfix")(
        reserve_verb
    )
    freeze = group(app, "freeze", "Spans in which nothing goes, beside those of the calendar file.")
    verb(freeze, "add", "shipcast freeze add --id audit --from 2026-02-02 --to 2026-02-04")(freeze_verb)
    verb(app, "approve", "shipcast approve checkout --start 2026-02-03 --end 2026-02-04")(approve_verb)
    verb(
        app, "override", "shipcast override checkout --start 2026-02-03 --end 2026-02-04 --rule audit --reason outage"
    )(override_verb)
    verb(app, "unusable", "shipcast unusable checkout --start 2026-02-03T09:00Z --duration 45m --reason 'stock count'")(
        unusable_verb
    )
    verb(app, "undo", "shipcast undo 12 --reason moved")(undo_verb)
    audit = group(app, "audit", "The ledger: what was recorded, by whom, and whether it is as it was written.")
    verb(audit, "list", "shipcast audit list --kind booking --in-force --from 2026-01-05")(list_verb)
    verb(audit, "verify", "shipcast audit verify")(verify_verb)


def reserve_verb(
    ask: Ask,
    start: Annotated[str, typer.Option(metavar="T", help="When it starts.")],
    service: OptionalService = None,
    duration: Annotated[str | None, typer.Option(metavar="D", help=DURATION)] = None,
    end: End = None,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="E",
            help="Where to; default: production. Without SERVICE, what to keep.",
            autocompletion=completion.environments,
        ),
    ] = None,
    change_type: ChangeType = None,
    purpose: Annotated[str, typer.Option("--for", metavar="TEXT", help="What it is for.")] = "",
    team: Annotated[
        str | None,
        typer.Option(metavar="T", help="Whose it is; default: the service's.", autocompletion=completion.teams),
    ] = None,
    region: Regions = None,
    resource: Annotated[
        list[str] | None, typer.Option("--resource", metavar="NAME", help="A shared thing it uses; may be repeated.")
    ] = None,
    override: Annotated[bool, typer.Option("--override", help="Go against rules and capacities.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why it may go against them.")] = None,
    calendar: CalendarFile = None,
    who: Who = None,
) -> None:
    """Book a deployment, or keep a whole environment, if nothing stands against it."""
    from shipcast.answers.bookings import reserve, reserve_environment
    from shipcast.scheduling.ledger.entries import Booking, Reservation

    name = acting(ask, who)
    begins, ends = booked_span(ask, start, duration, end)
    common = {"start": begins, "end": ends, "purpose": purpose, "team": team}
    check_reason(override, reason)
    if service is None:
        only = {"--override": override, "--region": region, "--resource": resource, "--type": change_type}
        check_whole(environment, purpose, [flag for flag, given in only.items() if given])
        kept = checked(Reservation, environment=environment, **common)
        answer = reserve_environment(ask.settings, ask.as_of, name, kept)
    else:
        shared = {"regions": tuple(region or ()), "resources": tuple(resource or ()), "change_type": change_type}
        place = "production" if environment is None else environment
        wanted = checked(Booking, service=service, environment=place, **shared, **common)
        answer = reserve(ask.settings, ask.as_of, name, wanted, override=reason, calendar_file=calendar)
    show(ask, answer, lambda: show_written(ask, answer))


def acting(ask: Ask, who: str | None) -> str:
    """Who records something, which is always recorded as of now."""
    from shipcast.settings import account

    if ask.as_of_text is not None:
        raise UsageError("What is recorded is recorded now: leave out --as-of.")
    name = account.acting(ask.settings) if who is None else who
    if not name.strip() or len(name) > LONGEST_NAME:
        raise UsageError(f"--who must have 1 to {LONGEST_NAME} characters.")
    return name


def booked_span(ask: Ask, start: str, duration: str | None, end: str | None) -> tuple[datetime, datetime]:
    begins = ask.start(start, "--start")
    if (duration is None) == (end is None):
        raise UsageError("Give a --duration, such as 45m, or an --end.")
    if duration is not None:
        return begins, begins + parse_duration(duration)
    return begins, ask.start(str(end), "--end")


def check_reason(override: bool, reason: str | None) -> None:
    from shipcast.scheduling.ledger.entries import check_said

    if override != (reason is not None):
        raise UsageError("--override and --reason TEXT go together: no rule is broken without a reason.")
    try:
        check_said("none" if reason is None else reason)
    except ValueError as error:
        raise UsageError(f"--reason: {error}.") from error


def check_whole(environment: str | None, purpose: str, vain: Sequence[str]) -> None:
    """Nothing, if what is given can keep a whole environment."""
    if vain:
        raise UsageError(f"{listing(vain)}: of use only to a deployment; name its SERVICE.")
    if environment is None or not purpose:
        raise UsageError("Name the SERVICE to book; or, to keep a whole environment, --environment and --for.")


def checked(kind: type[Body], **given: Any) -> Body:
    """The entry that was asked for.

    Raises
    ------
    UsageError
        A flag says what cannot be.
    """
    from pydantic import ValidationError

    from shipcast.scheduling.faults import worded

    check_names(given)
    try:
        return kind(**given)
    except ValidationError as error:
        fault = error.errors()[0]
        flag = f"{flag_of(str(fault['loc'][0]))}: " if fault["loc"] else ""
        raise UsageError(f"{flag}{worded(fault)}.") from error


def flag_of(key: str) -> str:
    return FLAGS.get(key, f"--{key}")


def check_names(given: Mapping[str, Any]) -> None:
    """Nothing, if names hold letters alone that do nothing to a terminal; texts may have several lines."""
    for key, value in given.items():
        if isinstance(value, Mapping):
            check_names({f"--{name}": globs for name, globs in value.items()})
            continue
        for name in (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ():
            if key not in TEXTS and isinstance(name, str) and not name.isprintable():
                flag = key if key.startswith("-") else flag_of(key)
                raise UsageError(f"{flag} must have no control characters. Got {name[:60]!r} instead.")


def freeze_verb(
    ask: Ask,
    name: Annotated[str, typer.Option("--id", metavar="ID", help="What refusals name.")],
    since: Annotated[str, typer.Option("--from", metavar="T", help="A date, or a time.")],
    until: Annotated[str, typer.Option("--to", metavar="T", help="A date, that day included, or a time, excluded.")],
    service: Annotated[
        list[str] | None, typer.Option("--service", metavar="GLOB", help="Of which services; may be repeated.")
    ] = None,
    environment: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Of which environments; may be repeated.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", metavar="GLOB", help="In which regions; may be repeated.")
    ] = None,
    team: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Of which teams; may be repeated.")] = None,
    emergency: Annotated[
        Literal["block", "approval", "allow"] | None,
        typer.Option(help="What it does to emergency changes; default: the same."),
    ] = None,
    effect: Annotated[Literal["block", "approval"], typer.Option(help="What a change in it needs.")] = "block",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    calendar: CalendarFile = None,
    who: Who = None,
) -> None:
    """Let nothing go for a time, from now on, and name the bookings that lie in it."""
    from shipcast.answers.bookings import add_freeze
    from shipcast.scheduling.calendar.rules import Freeze

    globs = {"service": service, "environment": environment, "region": region, "team": team}
    scope = {key: tuple(found) for key, found in globs.items() if found}
    said = {"emergency": emergency, "effect": effect, "reason": reason}
    acts = acting(ask, who)
    wanted = checked(Freeze, id=name, start=since, end=until, tz=ask.settings.tz, scope=scope, **said)
    answer = add_freeze(ask.settings, ask.as_of, acts, wanted, calendar_file=calendar)
    show(ask, answer, lambda: show_written(ask, answer))


def approve_verb(
    ask: Ask,
    what: Annotated[str, typer.Argument(metavar="NUMBER|SERVICE", help="A booking, or a service to ship.")],
    start: Annotated[str | None, typer.Option(metavar="T", help="Of a service: from when it may go.")] = None,
    end: End = None,
    environment: Environment = "production",
    rule: Rule = None,
    role: Annotated[str, typer.Option(metavar="TEXT", help="As what you approve it.")] = "",
    expires: Annotated[
        str | None, typer.Option(metavar="T", help="The change must start before; default: no matter when.")
    ] = None,
    calendar: CalendarFile = None,
    who: Who = None,
) -> None:
    """Let a change go where a rule asks for an approval."""
    from shipcast.answers.bookings import approve
    from shipcast.scheduling.ledger.entries import Approval, Slot

    acts = acting(ask, who)
    given: dict[str, Any] = {"rule": rule, "role": role, "expires_at": ask.optional_instant(expires, "--expires")}
    if what.isdecimal() and len(what) <= LONGEST_NUMBER and start is None and end is None:
        given["booking"] = int(what)
    else:
        if start is None or end is None:
            raise UsageError("Give the NUMBER of a booking, or a SERVICE with --start and --end.")
        begins, ends = booked_span(ask, start, None, end)
        given["slot"] = checked(Slot, service=what, environment=environment, start=begins, end=ends)
    answer = approve(ask.settings, ask.as_of, acts, checked(Approval, **given), calendar_file=calendar)
    show(ask, answer, lambda: show_written(ask, answer))


def override_verb(
    ask: Ask,
    service: Service,
    start: Annotated[str, typer.Option(metavar="T", help="From when it may go.")],
    end: Annotated[str, typer.Option(metavar="T", help="Until when, excluded.")],
    rule: Annotated[list[str], typer.Option("--rule", metavar="ID", help="Against which rule; may be repeated.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    environment: Environment = "production",
    calendar: CalendarFile = None,
    who: Who = None,
) -> None:
    """Let a change go against rules of the calendar, for a reason."""
    from shipcast.answers.bookings import override
    from shipcast.scheduling.ledger.entries import Override

    acts = acting(ask, who)
    begins, ends = booked_span(ask, start, None, end)
    place = {"service": service, "environment": environment}
    wanted = checked(Override, **place, start=begins, end=ends, rules=tuple(rule), reason=reason)
    answer = override(ask.settings, ask.as_of, acts, wanted, calendar_file=calendar)
    show(ask, answer, lambda: show_written(ask, answer))


def unusable_verb(
    ask: Ask,
    service: Service,
    start: Annotated[str, typer.Option(metavar="T", help="From when it cannot go.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    duration: Annotated[str | None, typer.Option(metavar="D", help="For how long, such as 45m.")] = None,
    end: End = None,
    environment: Environment = "production",
    who: Who = None,
) -> None:
    """Mark a time that was advised as one at which a service cannot go, so that it is not offered again."""
    from shipcast.answers.bookings import mark_unusable
    from shipcast.scheduling.ledger.entries import Unusable

    acts = acting(ask, who)
    begins, ends = booked_span(ask, start, duration, end)
    place = {"service": service, "environment": environment}
    answer = mark_unusable(
        ask.settings, ask.as_of, acts, checked(Unusable, **place, start=begins, end=ends, reason=reason)
    )
    show(ask, answer, lambda: show_written(ask, answer))


def undo_verb(
    ask: Ask,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The entry; see shipcast audit list.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    who: Who = None,
) -> None:
    """Let a booking, freeze, approval, override or mark hold no more; both stay in the ledger."""
    from shipcast.answers.bookings import undo
    from shipcast.scheduling.ledger.entries import Undo

    acts = acting(ask, who)
    wanted = checked(Undo, entry=number, reason=reason)
    answer = undo(ask.settings, ask.as_of, acts, wanted)
    show(ask, answer, lambda: show_written(ask, answer))


def show_written(ask: Ask, answer: LedgerAnswer) -> None:
    """The sentence, and what stands against it."""
    say(answer.sentence)
    for one in answer.conflicts[:SHOWN]:
        say(f"- {one.says}")
    if len(answer.conflicts) > SHOWN:
        say(f"- and {len(answer.conflicts) - SHOWN:,} more; shipcast audit list shows all bookings")
    [entry] = answer.items
    hint(ask, "shipcast audit list" if entry.kind == "undo" else f"shipcast undo {entry.number}, which takes it back")


def list_verb(
    ask: Ask,
    kind: Annotated[
        Literal["booking", "reservation", "freeze", "approval", "override", "unusable", "undo"] | None,
        typer.Option(help="Of one kind."),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option("--service", metavar="S", help="What is about one service.", autocompletion=completion.services),
    ] = None,
    period_from: Annotated[str | None, typer.Option("--from", metavar="T", help="What holds from then on.")] = None,
    period_to: Annotated[str | None, typer.Option("--to", metavar="T", help="What holds before then.")] = None,
    in_force: Annotated[bool, typer.Option("--in-force", help="Leave out what was undone.")] = False,
) -> None:
    """What was recorded, by whom and when: bookings, freezes, approvals, overrides, marks."""
    from shipcast.answers.audit import audit_list

    period = (ask.optional_instant(period_from, "--from"), ask.optional_instant(period_to, "--to"))
    answer = audit_list(ask.settings, ask.as_of, kind=kind, service=service, period=period, is_in_force=in_force)
    show(ask, answer, lambda: show_list(ask, answer))


def show_list(ask: Ask, answer: AuditListAnswer) -> None:
    """The newest entries."""
    say(answer.sentence)
    zone = ask.settings.tz
    table(
        ["#", f"recorded ({zone})", "by", "kind", "what", "when", ""],
        [list_cells(item, zone) for item in answer.items[-SHOWN:]],
        numbers=("#",),
    )
    if len(answer.items) > SHOWN:
        say(f"These are the last {SHOWN} of {len(answer.items):,}; --json gives all.")
    hint(ask, "shipcast audit verify")


def list_cells(item: Recorded, zone: str) -> list[object]:
    recorded = f"{item.recorded_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    when = None if item.start is None or item.end is None else span(item.start, item.end, zone)
    state = None if item.undone_by is None else f"undone by {item.undone_by}"
    return [item.number, recorded, item.who, item.kind, item.says, when, state]


def verify_verb(
    ask: Ask,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="HASH", help="A head noted earlier, which must lie in it still.")
    ] = None,
) -> None:
    """Whether every entry is as it was written and none is missing; names the first that is not."""
    from shipcast.answers.audit import audit_verify

    noted = None if expect is None else expect.strip().lower()
    if noted is not None and not HASH.fullmatch(noted):
        raise UsageError("--expect takes the head that `shipcast audit verify` said: 64 digits from 0 to f.")
    answer = audit_verify(ask.settings, ask.as_of, noted)
    show(ask, answer, lambda: show_verified(ask, answer))
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def show_verified(ask: Ask, answer: AuditVerifyAnswer) -> None:
    say(answer.sentence)
    if answer.items:
        hint(ask, "docs/bookings.md says how to go on; shipcast audit list, which shows the entries before")
        return
    if not answer.entries:
        return
    say(f"The head is {answer.head}.")
    hint(ask, f"note the head elsewhere; later: shipcast audit verify --expect {answer.head}")

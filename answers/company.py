"""What scheduling has to keep, as known at an instant: the company's services, its calendar, holds, what is booked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from shipcast.answers import metric_queries as queries
from shipcast.answers.answer import Instant, Part, utc
from shipcast.answers.company_calendar import combined, ledger_state
from shipcast.answers.errors import listed
from shipcast.answers.reading import Reader, open_reader
from shipcast.answers.words import listing, local_time, sentence_case
from shipcast.features.history import History
from shipcast.scheduling.calendar.calendar import RULES, Calendar, strange_regions, unknown_regions, vain_regions
from shipcast.scheduling.calendar.files import calendar_files, unread
from shipcast.scheduling.calendar.meetings import Meeting
from shipcast.scheduling.calendar.questions import Question
from shipcast.scheduling.calendar.scope import Subject, fits, is_about
from shipcast.scheduling.ledger.naming import PRODUCTION, calendar_named, state_named
from shipcast.scheduling.ledger.state import State
from shipcast.scheduling.wanted import Constraints
from shipcast.settings import Settings
from shipcast.warehouse.errors import NothingPublished

SERVICES = f"select service, team, business_zone, regions, depends_on from dim_services where {queries.IS_EXISTING}"


class Approval(Part):
    """Whose approval a change needs.

    Parameters
    ----------
    rule
        The id of the rule that asks for it.
    meeting, deadline
        Of a change board: its first meeting that can decide on a change handed in at `as_of`, and until when it has to
        be handed in. Null: none before the start can, or the rule is no board.
    """

    rule: str
    meeting: Instant | None = None
    deadline: Instant | None = None


def approval(meeting: Meeting) -> Approval:
    """That of a change board."""
    return Approval(
        rule=meeting.cab,
        meeting=None if meeting.meets_at is None else utc(meeting.meets_at),
        deadline=None if meeting.deadline_at is None else utc(meeting.deadline_at),
    )


@dataclass(frozen=True)
class Service:
    """What the snapshot says of a service; `zone` is as the data names it."""

    team: str | None = None
    zone: str | None = None
    regions: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """The services that a snapshot knows, and environments; none where there is no snapshot.

    Parameters
    ----------
    environments
        By name, whether it is one of production.
    """

    services: Mapping[str, Service] = field(default_factory=dict)
    environments: Mapping[str, bool] = field(default_factory=dict)
    data_as_of: datetime | None = None

    @cached_property
    def production(self) -> str:
        """The name of the one environment of production; where there are none or several, what questions call them."""
        return self.productions[0] if len(self.productions) == 1 else PRODUCTION

    @cached_property
    def productions(self) -> tuple[str, ...]:
        """All environments of production, in the order of their names."""
        return tuple(sorted(name for name, is_production in self.environments.items() if is_production))

    def place(self, environment: str) -> str:
        """The name under which rules and bookings know an environment."""
        return self.production if environment == PRODUCTION else environment

    def state(self, state: State) -> State:
        """What the ledger holds, by these names."""
        return state_named(state, self.production)

    def calendar(self, files: Sequence[Path], state: State) -> Calendar:
        """The rules of some files and of the ledger, by these names."""
        return calendar_named(combined(files, state), self.production)

    @cached_property
    def regions(self) -> frozenset[str]:
        """All in which a service runs."""
        return frozenset(region for one in self.services.values() for region in one.regions)

    def completed(self, question: Question) -> Question:
        """The question with what is known of its service where the asker didn't say."""
        service = self.service(question.subject.service)
        found = question.completed(service.regions, service.team)
        return replace(found, subject=replace(found.subject, environment=self.place(found.subject.environment)))

    def service(self, name: str) -> Service:
        return self.services.get(name, Service())

    def subject_of(self, asked: Subject) -> Subject:
        """The subject with what is known of its service where the asker didn't say."""
        service = self.service(asked.service)
        return replace(
            asked,
            environment=self.place(asked.environment),
            regions=asked.regions or service.regions,
            team=asked.team or service.team,
        )

    def subject(self, service: str, environment: str, change_type: str | None) -> Subject:
        known = self.service(service)
        return Subject(service, self.place(environment), known.regions, known.team, change_type)


NOTHING_KNOWN = Known()


def known_in(reader: Reader) -> Known:
    """What the reader's snapshot knows; questions that share a snapshot and an instant share it."""
    return reader.once("known", lambda: read_known(reader))


def read_known(reader: Reader) -> Known:
    services = {
        name: Service(team, zone, tuple(regions or ()), tuple(depends_on or ()))
        for name, team, zone, regions, depends_on in reader.rows(SERVICES)
    }
    environments = {name: bool(is_production) for name, is_production, _ in reader.shared_rows(queries.ENVIRONMENTS)}
    return Known(services, environments, reader.data_as_of)


def known_services(settings: Settings, as_of: datetime) -> Known:
    """What the home knows; nothing where nothing was published yet."""
    try:
        with open_reader(settings, as_of) as reader:
            return known_in(reader)
    except NothingPublished:
        return Known()


@dataclass(frozen=True)
class Rules:
    """The calendar in force, what the ledger holds, and the files that the calendar was read from."""

    calendar: Calendar
    state: State
    files: tuple[Path, ...] = ()


def company_rules(settings: Settings, as_of: datetime, known: Known, calendar_file: Path | None = None) -> Rules:
    """The rules as known at `as_of` (aware).

    Parameters
    ----------
    known
        By whose names of environments they are.
    calendar_file
        In place of the home's or the current folder's, and of what was imported; the ledger counts with it too.

    Raises
    ------
    CalendarError
        A file cannot be used, or has an id that the ledger has.
    LedgerBroken
        An entry of the ledger is not as it was written.
    """
    state = known.state(ledger_state(settings, as_of))
    files = tuple(calendar_files(settings, calendar_file))
    calendar = known.calendar(files, state)
    said = unread(settings) if calendar_file is None else []
    return Rules(replace(calendar, notes=(*calendar.notes, *said)), state, files)


def place_warnings(calendar: Calendar, subjects: Sequence[Subject], known: Known) -> list[str]:
    """Regions that are not known of a service, or in which none is known; and an environment that is several.

    Regions are those asked about, or of a rule.
    """
    lacking = unknown_regions(calendar, subjects)
    said = [f"No region is known of {listed(lacking)}: rules about regions were left out."] if lacking else []
    said += parted_warnings(calendar, subjects, known)
    served = known.regions
    if not served:
        return said
    where = f"in which no service is known (known: {listed(sorted(served))})"
    said += [f"{name} is a region {where}." for name in strange_regions(subjects, served)]
    return said + [f"Rule {rule} is about region {name}, {where}." for rule, name in vain_regions(calendar, served)]


def parted_warnings(calendar: Calendar, subjects: Sequence[Subject], known: Known) -> list[str]:
    """That production is several environments, of which some rule is about one alone."""
    several = known.productions
    if len(several) < 2 or all(one.environment != PRODUCTION for one in subjects):
        return []
    about = [
        rule.id
        for kind in RULES
        for rule in getattr(calendar, kind)
        for globs in [rule.environment if kind == "reserves" else rule.scope.environment]
        if not fits(globs, PRODUCTION) and any(fits(globs, name) for name in several)
    ]
    if not about:
        return []
    return [f"Production is {listing(several)}; rules about one of these were left out ({listed(about)}): name it."]


def approvals_said(needed: Sequence[Approval], zone: str, as_of: datetime) -> str:
    """Whose approval a start needs, and until when a board has to be asked; empty: nobody's.

    >>> approvals_said([Approval(rule="soft-freeze")], "UTC", datetime(2025, 12, 14))
    ' It needs an approval (soft-freeze).'
    """
    rules = [one.rule for one in needed if one.meeting is None]
    boards = [
        f"{one.rule} decides on {local_time(one.meeting, zone, as_of)}, hand it in by "
        f"{local_time(one.deadline, zone, as_of)}"
        for one in needed
        if one.meeting is not None and one.deadline is not None
    ]
    whose = f" It needs an approval ({', '.join(rules)})." if rules else ""
    return f"{whose} {sentence_case('; '.join(boards))}." if boards else whose


def unsaid_type_warnings(calendar: Calendar, subject: Subject) -> list[str]:
    """That boards may have to decide, where it is not said whether the change is a normal one."""
    boards = [cab.id for cab in calendar.cabs if is_about(cab.scope, subject)]
    if not boards or subject.change_type is not None:
        return []
    return [f"The type is not said: of normal changes {', '.join(boards)} would have to decide."]


def company_constraints(
    reader: Reader, known: Known, histories: Iterable[History], services: Iterable[str], rules: Rules
) -> Constraints:
    """What changes of these services have to keep in the environments of these histories."""
    blocks = {}
    if reader.settings.holds == "block":
        blocks = {
            (service, known.place(history.environment)): tuple(
                f"hold: {kind or 'hold'}" for kind, _ in history.holds(service)
            )
            for history in histories
            for service in services
        }
    return Constraints(rules.calendar, reader.at, rules.state, blocks=blocks)

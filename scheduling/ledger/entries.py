"""What the ledger holds: bookings, reservations, freezes, approvals, overrides, marks, and what undoes them.

Instants are naive and in UTC; spans are half-open [start, end).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictInt,
    StrictStr,
    model_validator,
)

from shipcast.scheduling.calendar.calendar import LONGEST
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.calendar.scope import ChangeType, Subject
from shipcast.scheduling.ledger.chain import Record

LONGEST_NAME, LONGEST_TEXT = 200, 1000


def as_instant(value: object) -> datetime:
    """A naive instant in UTC, from one or from RFC 3339."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ValueError("must be a time such as 2026-01-05T10:00Z")
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def as_text(instant: datetime) -> str:
    return instant.isoformat() + "Z"


def check_name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(f"must have 1 to {LONGEST_NAME} characters")
    return name


def check_text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"must have {LONGEST_TEXT:,} characters at most")
    return text


def check_said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return check_text(text)


Instant = Annotated[datetime, PlainValidator(as_instant), PlainSerializer(as_text, return_type=str, when_used="json")]
Name = Annotated[StrictStr, AfterValidator(check_name)]
Text = Annotated[StrictStr, AfterValidator(check_text)]  # may be empty
Said = Annotated[StrictStr, AfterValidator(check_said)]
Number = Annotated[StrictInt, Field(ge=1)]


class Body(BaseModel):
    """What an entry says, beside who recorded it and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Lasting(Body):
    """Something that holds in [start, end)."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def check_span(self) -> Lasting:
        check_length(self.start, self.end)
        return self


def check_length(start: datetime, end: datetime) -> None:
    if end <= start:
        raise ValueError(f"the end {as_text(end)} must lie after the start {as_text(start)}")
    if end - start > LONGEST:
        raise ValueError(f"from the start to the end is more than {LONGEST // timedelta(days=1)} days")


class Slot(Lasting):
    """A service and an environment, in [start, end)."""

    service: Name
    environment: Name = "production"

    @property
    def target(self) -> tuple[str, str]:
        """As of a `Subject`."""
        return self.service, self.environment


class Waiver(Body):
    """The rules that a booking goes against, by their ids, and why."""

    rules: tuple[Name, ...] = Field(min_length=1)
    reason: Said


class Booking(Slot):
    """A deployment.

    Parameters
    ----------
    regions, team
        Of the service, as known when it was booked.
    resources
        Shared things that it needs, of which a capacity may speak.
    purpose
        What it is for, in words.
    override
        None: it goes against no rule.
    """

    regions: tuple[Name, ...] = ()
    team: Name | None = None
    change_type: ChangeType | None = None
    resources: tuple[Name, ...] = ()
    purpose: Text = ""
    override: Waiver | None = None


class Reservation(Lasting):
    """A whole environment, in which nobody else deploys.

    Parameters
    ----------
    team
        Whose it is: deployments of its services may go on. None: nobody's may.
    """

    environment: Name
    team: Name | None = None
    purpose: Said


class Approval(Body):
    """Somebody's word that a change may go where rules ask for an approval; whose, says the entry.

    Parameters
    ----------
    booking, slot
        What it is about: the number of a booking's entry, or a slot in which the change lies as a whole.
    rule
        The id of the only rule that it is for; None: all.
    role
        In which role it was given.
    expires_at
        From when it holds no more: the change has to start before. None: never.
    """

    booking: Number | None = None
    slot: Slot | None = None
    rule: Name | None = None
    role: Text = ""
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def check_about(self) -> Approval:
        if (self.booking is None) == (self.slot is None):
            raise ValueError("an approval is of a booking, or of a slot")
        return self


class Override(Slot):
    """A change may go in the slot against rules, by their ids."""

    rules: tuple[Name, ...] = Field(min_length=1)
    reason: Said


class Unusable(Slot):
    """A mark: a service cannot go to an environment at that time, whatever was advised."""

    reason: Said


class Undo(Body):
    """An earlier entry, by its number, holds no more."""

    entry: Number
    reason: Text = ""


KINDS: Mapping[str, type[BaseModel]] = {
    "booking": Booking,
    "reservation": Reservation,
    "freeze": Freeze,
    "approval": Approval,
    "override": Override,
    "unusable": Unusable,
    "undo": Undo,
}
NAMES = {body: kind for kind, body in KINDS.items()}
AnyBody = TypeVar("AnyBody", bound=BaseModel, covariant=True)


@dataclass(frozen=True)
class Entry(Generic[AnyBody]):
    """An entry with what it says understood; see `Record`."""

    number: int
    recorded_at: datetime
    who: str
    account: str
    body: AnyBody
    hash: str

    @property
    def kind(self) -> str:
        return NAMES[type(self.body)]

    @property
    def name(self) -> str:
        """What refusals and calendars call it, such as "booking 12"."""
        return f"{self.kind} {self.number}"


def understood(record: Record) -> Entry[BaseModel]:
    """The entry of a record.

    Raises
    ------
    ValueError
        This version of Shipcast does not know what it says.
    """
    if record.kind not in KINDS:
        raise ValueError(f"no entry is a {record.kind!r}")
    body = KINDS[record.kind].model_validate(record.body)
    return Entry(record.number, as_instant(record.recorded_at), record.who, record.account, body, record.hash)


@dataclass(frozen=True)
class Change:
    """A deployment in [start, end), as asked about or as booked.

    Parameters
    ----------
    number
        Of its booking; None: it is not booked.
    """

    subject: Subject
    start: datetime
    end: datetime
    resources: tuple[str, ...] = ()
    number: int | None = None

    @property
    def target(self) -> tuple[str, str]:
        return self.subject.target


def change_of(booking: Booking, number: int | None = None) -> Change:
    regions, team, kind = booking.regions, booking.team, booking.change_type
    subject = Subject(booking.service, booking.environment, regions, team, kind)
    return Change(subject, booking.start, booking.end, booking.resources, number)

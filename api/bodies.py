"""What a request may say in its body, and the entries of the ledger that it comes to."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shipcast.api.asking import Call
from shipcast.scheduling.calendar.scope import ChangeType
from shipcast.scheduling.faults import worded
from shipcast.settings.errors import UsageError

Entry = TypeVar("Entry", bound=BaseModel)
MOST_QUESTIONS, MOST_NAMES = 1000, 100


def printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must have no control characters")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable)]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES)]
Text = Annotated[str, Field(max_length=1000)]
Moment = Annotated[
    str,
    Field(
        min_length=1,
        max_length=60,
        description="ISO 8601; without an offset, or as a date alone, in the reporting zone.",
        examples=["2027-02-01T09:00Z"],
    ),
]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Span(Body):
    """From a start to an end, or for a duration such as 45m: one of these two."""

    start: Moment
    end: Moment | None = None
    duration: Annotated[str | None, Field(max_length=60, examples=["45m"])] = None

    def times(self, call: Call) -> dict[str, Any]:
        begins = call.instant(self.start, "start")
        assert begins is not None
        if (self.end is None) == (self.duration is None):
            raise UsageError("Give a duration, such as 45m, or an end.")
        length = call.duration(self.duration)
        return {"start": begins, "end": call.instant(self.end, "end") if length is None else begins + length}


class Override(Body):
    """Why a booking may go against rules and capacities; this needs the scope `approve`."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class BookingBody(Span):
    """A deployment to book."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"service": "checkout", "start": "2027-02-01T09:00Z", "duration": "45m", "purpose": "new prices"}
            ]
        }
    )

    service: Name
    environment: Name = "production"
    change_type: ChangeType | None = None
    purpose: Text = ""
    team: Name | None = None
    regions: Names = []
    resources: Names = []
    override: Override | None = None


class ReservationBody(Span):
    """A whole environment to keep for a team."""

    environment: Name
    team: Name | None = None
    purpose: Annotated[str, Field(min_length=1, max_length=1000)]


class ScopeBody(Body):
    """Globs by key; a key without any holds for all."""

    service: Names = []
    environment: Names = []
    region: Names = []
    team: Names = []


class FreezeBody(Body):
    """A time in which nothing goes; a date as `to` includes that day."""

    id: Name
    start: Annotated[Moment, Field(alias="from")]
    end: Annotated[Moment, Field(alias="to")]
    scope: ScopeBody = ScopeBody()
    emergency: Literal["block", "approval", "allow"] | None = None
    effect: Literal["block", "approval"] = "block"
    reason: Text = ""


class ApprovalBody(Body):
    """A word that a change may go: of a booking, or of a service from a start to an end."""

    booking: Annotated[int | None, Field(ge=1, le=10**9)] = None
    service: Name | None = None
    environment: Name = "production"
    start: Moment | None = None
    end: Moment | None = None
    rule: Name | None = None
    role: Text = ""
    expires: Moment | None = None


class OverrideBody(Span):
    """A service that may go against rules, and why."""

    service: Name
    environment: Name = "production"
    rules: Annotated[list[Name], Field(min_length=1, max_length=MOST_NAMES)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class MarkBody(Span):
    """A time at which a service cannot go, so that it is not offered again."""

    service: Name
    environment: Name = "production"
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class UndoBody(Body):
    """The number of an entry that is to hold no more."""

    entry: Annotated[int, Field(ge=1, le=10**9)]
    reason: Text = ""


class QuestionBody(Body):
    """Whether a change may go from a start to an end; where both are equal, at that instant."""

    id: Annotated[str | None, Field(max_length=200)] = None
    service: Name
    environment: Name = "production"
    regions: Names | None = None
    team: Name | None = None
    change_type: ChangeType | None = None
    start: Moment
    end: Moment


class CheckBody(Body):
    """Questions to the calendar, which are answered in their order."""

    questions: Annotated[list[QuestionBody], Field(min_length=1, max_length=MOST_QUESTIONS)]


def entry(kind: type[Entry], **given: Any) -> Entry:
    """The entry of the ledger that a body comes to.

    Raises
    ------
    UsageError
        It says what cannot be.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        fault = error.errors()[0]
        where = f"{fault['loc'][0]}: " if fault["loc"] else ""
        raise UsageError(f"{where}{worded(fault)}.") from error

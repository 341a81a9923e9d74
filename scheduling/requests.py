"""Requests for planning, as a JSON file gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
)

from shipcast.scheduling.calendar.scope import ChangeType
from shipcast.scheduling.faults import listed, shown, worded
from shipcast.scheduling.json_objects import NoObject, read_object
from shipcast.settings.errors import InputRefused

FIRST_YEAR, LAST_YEAR = 2000, 2200
LONGEST_MINUTES = 31 * 24 * 60
MOST_REQUESTS = 10_000
LONGEST_NAME = 200


def as_text(value: object) -> object:
    """A whole number may stand for a name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_list(value: object) -> object:
    """Null stands for none."""
    return () if value is None else value


def as_moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-01-05T10:00Z")
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise ValueError("must be a time such as 2026-01-05T10:00Z") from error


def check_year(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return moment


Name = Annotated[StrictStr, BeforeValidator(as_text), Field(min_length=1, max_length=LONGEST_NAME)]
Names = Annotated[tuple[Name, ...], BeforeValidator(as_list)]
Moment = Annotated[datetime, BeforeValidator(as_moment), AfterValidator(check_year)]
Size = Annotated[int, Field(ge=0, le=10**12, strict=True)]
Price = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False, strict=True)]


class PlanRequest(BaseModel):
    """One change that wants a start; what is null was not said.

    Parameters
    ----------
    earliest, latest
        It runs in [earliest, latest) as a whole; by default from `as_of` on and within 7 days.
    depends_on
        Requests that have to be scheduled, over and baked before it starts.
    bake_minutes
        How long it bakes after its end before anything that depends on it may start.
    excludes
        Requests that must not run while it does.
    approval_needed
        A change board has to decide on it, as on every normal change.
    resources
        Shared things that a capacity of the calendar may limit.
    pinned_start
        The only start it may have.
    cost
        Its price at each quarter hour from `earliest` on, instead of the forecast; null: not allowed.
    deferral_cost
        The price of not scheduling it; by default three times its dearest start.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    id: Name
    service: Name
    environment: Name = "production"
    duration_minutes: Annotated[float, Field(ge=1 / 60, le=LONGEST_MINUTES, allow_inf_nan=False, strict=True)]
    lines_added: Size | None = None
    lines_deleted: Size | None = None
    files_changed: Size | None = None
    commits: Size | None = None
    authors: Size | None = None
    bot_commits: Size | None = None
    change_type: ChangeType | None = None
    earliest: Moment | None = None
    latest: Moment | None = None
    depends_on: tuple[Name, ...] | None = None
    bake_minutes: Annotated[float, Field(ge=0, le=LONGEST_MINUTES, allow_inf_nan=False, strict=True)] = 0
    excludes: Names = ()
    approval_needed: StrictBool = False
    team: Name | None = None
    resources: Names = ()
    pinned_start: Moment | None = None
    cost: tuple[Price | None, ...] | None = None
    deferral_cost: Price | None = None

    @property
    def duration(self) -> timedelta:
        return timedelta(minutes=self.duration_minutes)

    @property
    def lines(self) -> int | None:
        """Lines added and deleted; null: neither was said."""
        given = [lines for lines in (self.lines_added, self.lines_deleted) if lines is not None]
        return sum(given) if given else None


class RequestFile(BaseModel):
    """What a file of requests holds, and what it says that is of no use.

    Parameters
    ----------
    unknown_keys
        Keys that were left out.
    """

    as_of: datetime | None
    requests: tuple[PlanRequest, ...]
    unknown_keys: tuple[str, ...] = ()


def read_requests(text: str, name: str, zone: str) -> RequestFile:
    """The requests of a file in their order.

    Parameters
    ----------
    name
        Of the file, for what is said of it.
    zone
        That of times without an offset.

    Raises
    ------
    InputRefused
        It is no such file, or a request cannot be; that one is named, and none is planned.
    """
    try:
        whole = read_object(text, '{"requests": [...]}')
    except NoObject as error:
        raise refused(name, f"{error}.") from error
    given = whole.get("requests")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise refused(name, 'it must hold {"requests": [{"id": ..., "service": ..., "duration_minutes": ...}, ...]}.')
    if len(given) > MOST_REQUESTS:
        raise refused(name, f"it holds {len(given):,} requests; {MOST_REQUESTS:,} is the most.")
    requests = read_all(given, name, zone)
    unknown = {key for one in given for key in one} - PlanRequest.model_fields.keys()
    unknown |= whole.keys() - {"as_of", "requests"}
    return RequestFile(as_of=read_as_of(whole, name, zone), requests=requests, unknown_keys=tuple(sorted(unknown)))


def read_all(given: Sequence[dict[str, Any]], name: str, zone: str) -> tuple[PlanRequest, ...]:
    """The requests, or an error that holds all that is wrong with them."""
    found: list[PlanRequest] = []
    wrong: list[str] = []
    for place, one in enumerate(given):
        try:
            request = read_request(one, zone)
        except ValidationError as error:
            said = [fault_said(fault, one) for fault in error.errors(include_url=False)]
        else:
            said = [*faults(request)]
            found.append(request)
        wrong += [f"{called(one, place)}: {fault}." for fault in said]
    wrong = wrong or [f"{fault}." for fault in id_faults(found)]
    if wrong:
        raise refused(name, *wrong)
    return tuple(found)


def read_request(given: dict[str, Any], zone: str) -> PlanRequest:
    found = PlanRequest.model_validate(given)
    return found.model_copy(
        update={key: in_zone(getattr(found, key), zone) for key in ("earliest", "latest", "pinned_start")}
    )


def fault_said(fault: Any, given: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        meant = next((other for other in given if nearest_key(other) == key), None)
        return f"{key}: {worded(fault)}" + (
            f"; the key {shown(meant)}, which no request has, may stand for it" if meant else ""
        )
    return f"{key}: {worded(fault)}. Got {shown(fault['input'])} instead"


def nearest_key(key: str) -> str | None:
    """The key of a request that one which none has is meant for; None: it reads like none, or is one.

    >>> nearest_key("duration"), nearest_key("colour"), nearest_key("team")
    ('duration_minutes', None, None)
    """
    known = PlanRequest.model_fields
    return None if key in known else next(iter(get_close_matches(key.lower(), known, n=1)), None)


def unknown_said(key: str) -> str:
    """A key that no request has, with the one that it may be meant for."""
    near = nearest_key(key)
    return f"{key} (meant as {near}?)" if near else key


def faults(one: PlanRequest) -> Iterator[str]:
    """What of a request does not go together."""
    if one.earliest and one.latest and one.latest <= one.earliest:
        yield f"latest {one.latest.isoformat()} does not come after earliest {one.earliest.isoformat()}"
    if one.pinned_start and (one.pinned_start.minute % 15 or one.pinned_start.second or one.pinned_start.microsecond):
        yield f"pinned_start {one.pinned_start.isoformat()} is no quarter hour"
    if one.cost is not None and not one.cost:
        yield "cost holds no start"


def called(given: dict[str, Any], place: int) -> str:
    """A request by its id, or by its place, the first being 1."""
    name = given.get("id")
    return f"request {name}" if isinstance(name, str | int) and name != "" else f"request number {place + 1}"


def id_faults(requests: Sequence[PlanRequest]) -> Iterator[str]:
    """Ids that are given twice, or that nothing has."""
    ids = Counter(one.id for one in requests)
    for twice in (one for one, count in ids.items() if count > 1):
        yield f"two requests are called {twice}"
    for one in requests:
        for key, others in (("depends_on", one.depends_on or ()), ("excludes", one.excludes)):
            for other in others:
                if other not in ids:
                    yield f"request {one.id}: {key}: there is no request {other}"
                if other == one.id:
                    yield f"request {one.id}: {key}: it names itself"


def read_as_of(whole: dict[str, Any], name: str, zone: str) -> datetime | None:
    if whole.get("as_of") is None:
        return None
    try:
        moment = as_moment(whole["as_of"])
        assert isinstance(moment, datetime)
        return in_zone(check_year(moment), zone)
    except ValueError as error:
        raise refused(name, f"as_of {error}. Got {str(whole['as_of'])[:60]!r} instead.") from error


def in_zone(moment: datetime | None, zone: str) -> datetime | None:
    """The moment in UTC; one without an offset is on the clock of the zone."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def refused(name: str, *faults: str) -> InputRefused:
    """The error that says what is wrong with a file, in sentences."""
    next_step = "Nothing was planned."
    if len(faults) == 1:
        return InputRefused(f"{name}: {faults[0]}", next_step=next_step, file=name)
    return InputRefused(f"{name}: {len(faults):,} faults.", lines=listed(faults), next_step=next_step, file=name)


def request_text(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    InputRefused
        It cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
        raise refused(str(path), f"{said}.") from error

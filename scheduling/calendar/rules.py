"""The rules a calendar file holds, as it writes them, and the spans in which each is in force."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, ClassVar, Literal
from zoneinfo import available_timezones

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    model_validator,
)

from shipcast.features.clock import Instants
from shipcast.scheduling.calendar.cron import parse_cron
from shipcast.scheduling.calendar.moments import ClockTime, Moment, PlainDate, begin, end, local
from shipcast.scheduling.calendar.public import check_country, public_holidays
from shipcast.scheduling.calendar.recurrence import Recurrence, parse_rrule
from shipcast.scheduling.calendar.scope import Names, Scope, SharedScope, Subject, fits, is_about
from shipcast.scheduling.calendar.spans import NONE, Spans, merged
from shipcast.scheduling.calendar.zones import MICROSECONDS, clock, microseconds
from shipcast.settings.zone import check_zone

Effect = Literal["block", "approval"]
LONGEST_MINUTES = 366 * 24 * 60
LONGEST_NAME = 200
TAKEN = ("default", "no-allow-window")
DAY = timedelta(days=1)
MARGIN = timedelta(days=2)  # by which a local time and its instant are never apart


def check_name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(f"must have 1 to {LONGEST_NAME} characters")
    if name in TAKEN:
        raise ValueError(f"{name!r} is what an answer says where no rule decides; choose another id")
    return name


def check_near_zone(name: str) -> str:
    """The zone, if it is one; else the nearest are named."""
    try:
        return check_zone(name)
    except ValueError as error:
        near = difflib.get_close_matches(name, available_timezones(), n=1, cutoff=0.75)
        said = f"{name!r} is not a time zone; did you mean {near[0]}?" if near else str(error)
        raise ValueError(said) from error


def check_cron(expression: str) -> str:
    parse_cron(expression)
    return expression


Name = Annotated[StrictStr, AfterValidator(check_name)]
Zone = Annotated[StrictStr, AfterValidator(check_near_zone)]
Expression = Annotated[StrictStr, AfterValidator(check_cron)]
Minutes = Annotated[StrictInt, Field(ge=1, le=LONGEST_MINUTES)]


class Rule(BaseModel):
    """What all rules have.

    Parameters
    ----------
    id
        What refusals name.
    reason
        Why it is there, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    kind_said: ClassVar[str] = ""

    id: Name
    reason: StrictStr = ""


class TimedRule(Rule):
    """A rule that is in force at some times, on the clock of its zone."""

    tz: Zone = "UTC"
    scope: Scope = Scope()

    @abstractmethod
    def spans(self, since: np.datetime64, until: np.datetime64) -> Spans:
        """The spans that meet [since, until) (UTC), whole."""

    def admits(self, subject: Subject, region: str | None) -> bool:
        """Whether it is about the subject in one of its regions."""
        return self.scope.admits(subject, region)

    @abstractmethod
    def strength(self, change_type: str | None) -> Effect | None:
        """What it does to a change of that type while it is in force; None: nothing."""


class Window(TimedRule):
    """A recurring span in which changes may go, or may not.

    Parameters
    ----------
    cron, rrule, dates
        When it opens: one of cron and rrule, or neither; `dates` are openings besides. One without a time of day is at
        those of cron, at that of `dtstart`, or else at midnight.
    dtstart
        The first opening of `rrule`, on the clock of `tz`.
    excepted
        Openings of cron or rrule that don't happen, or days on which none does; `except` in the file.
    minutes
        How long it stays open, elapsed.
    effect
        Of a deny window: what a change in it needs.
    outside
        Of an allow window: what a change outside of it needs.
    fit
        Whether a deployment is looked at as a whole, or its start alone.
    """

    kind_said: ClassVar[str] = "window"

    kind: Literal["allow", "deny"]
    cron: Expression | None = None
    rrule: StrictStr | None = None
    dtstart: Moment | None = None
    dates: tuple[Moment, ...] = ()
    excepted: tuple[Moment, ...] = Field((), alias="except")
    minutes: Minutes
    effect: Effect = "block"
    outside: Effect = "block"
    fit: Literal["whole", "start"] = "whole"

    @model_validator(mode="before")
    @classmethod
    def check_parts(cls, given: object) -> object:
        """What of its keys go together."""
        if isinstance(given, Mapping):
            named = [key for key in ("cron", "rrule") if given.get(key) is not None]
            if len(named) == 2:
                raise ValueError("rrule: a window opens by cron or by rrule, not by both")
            if not named and not given.get("dates"):
                raise ValueError("id: the window says not when it opens; give it a cron, or an rrule with dtstart")
            if "rrule" in named and given.get("dtstart") is None:
                raise ValueError("rrule: it needs a dtstart, its first opening on the clock of tz")
            if "rrule" not in named and given.get("dtstart") is not None:
                raise ValueError("dtstart: only an rrule has one")
        return given

    @model_validator(mode="after")
    def check_recurrence(self) -> Window:
        if self.rrule is not None and self.dtstart is not None:
            try:
                parse_rrule(self.rrule, local(self.dtstart, self.tz))
            except ValueError as error:
                raise ValueError(f"rrule: {error}") from error
        return self

    def strength(self, change_type: str | None) -> Effect | None:
        return self.effect if self.kind == "deny" else None

    def spans(self, since: np.datetime64, until: np.datetime64) -> Spans:
        length = np.timedelta64(self.minutes, "m").astype("timedelta64[us]")
        opens = self.openings(since - length, until)
        return merged(opens, opens + length).within(since, until)

    def openings(self, since: np.datetime64, until: np.datetime64) -> Instants:
        """The instants at which it opens in [since, until), and some around them, in no order."""
        first, last = around(since, until)
        times = self.recurring(first, last)
        if self.excepted:
            times = times[~self.is_excepted(times)]
        opens = clock(self.tz).instants(times)
        if self.recurrence and self.recurrence.until_instant:
            opens = opens[opens <= np.datetime64(self.recurrence.until_instant, "us")]
        if not self.dates:
            return opens
        dated = microseconds(time for moment in self.dates for time in self.times_on(moment))
        return np.concatenate([opens, clock(self.tz).instants(dated)])

    def is_excepted(self, times: Instants) -> NDArray[np.bool_]:
        """Which of the local times are left out."""
        days = np.array([moment for moment in self.excepted if not isinstance(moment, datetime)], dtype="datetime64[D]")
        moments = microseconds(local(moment, self.tz) for moment in self.excepted if isinstance(moment, datetime))
        return np.asarray(np.isin(times, moments) | np.isin(times.astype("datetime64[D]"), days))

    def times_on(self, moment: date | datetime) -> list[datetime]:
        """The local times that one of `dates` means."""
        begins = local(moment, self.tz)
        if isinstance(moment, datetime):
            return [begins]
        if self.cron is not None:
            return [begins + time for time in parse_cron(self.cron).times.tolist()]
        first = begins if self.dtstart is None else local(self.dtstart, self.tz)
        return [datetime.combine(begins, first.time())]

    @cached_property
    def recurrence(self) -> Recurrence | None:
        if self.rrule is None or self.dtstart is None:
            return None
        return parse_rrule(self.rrule, local(self.dtstart, self.tz))

    def recurring(self, first: datetime, last: datetime) -> Instants:
        """The local times at which its cron or rrule opens it."""
        if self.cron is not None:
            return parse_cron(self.cron).starts(first.date(), last.date())
        return NONE.starts if self.recurrence is None else self.recurrence.starts(first, last)


class Freeze(TimedRule):
    """One span in which nothing goes.

    Parameters
    ----------
    start, end
        A date begins at its midnight and ends at the next; a date-time ends as it says. A time with an offset is that
        instant, without one it is the clock of `tz`.
    emergency
        What it does to emergency changes; None: the same as to others.
    """

    kind_said: ClassVar[str] = "freeze"

    start: Moment
    end: Moment
    emergency: Literal["block", "approval", "allow"] | None = None
    effect: Effect = "block"

    @model_validator(mode="after")
    def check_order(self) -> Freeze:
        if end(self.end, self.tz) <= begin(self.start, self.tz):
            raise ValueError(f"end: the freeze ends ({self.end}) before or as it starts ({self.start}); swap them")
        return self

    def strength(self, change_type: str | None) -> Effect | None:
        if change_type != "emergency" or self.emergency is None:
            return self.effect
        return None if self.emergency == "allow" else self.emergency

    def spans(self, since: np.datetime64, until: np.datetime64) -> Spans:
        whole = merged(np.array([begin(self.start, self.tz)]), np.array([end(self.end, self.tz)]))
        return whole.within(since, until)


class RegionalRule(TimedRule):
    """A rule that may be about some regions only."""

    region: Names = ()
    effect: Effect = "block"

    def admits(self, subject: Subject, region: str | None) -> bool:
        return fits(self.region, region) and super().admits(subject, region)

    def strength(self, change_type: str | None) -> Effect | None:
        return self.effect


class Holidays(RegionalRule):
    """Days on which nothing goes, from midnight to midnight.

    Parameters
    ----------
    country, subdivision
        Whose public holidays, as the library `holidays` knows them.
    dates
        These instead of the library's.
    """

    kind_said: ClassVar[str] = "holidays"

    country: StrictStr | None = None
    subdivision: StrictStr | None = None
    dates: tuple[PlainDate, ...] | None = None

    @model_validator(mode="after")
    def check_days(self) -> Holidays:
        if self.country is not None:
            check_country(self.country, self.subdivision)
        elif self.dates is None:
            raise ValueError("id: they say not of which days; give them a country, such as DE, or dates")
        elif self.subdivision is not None:
            raise ValueError("subdivision: it is one of a country, which is not given")
        return self

    def days(self, first: date, last: date) -> dict[date, str]:
        """The days from one to another, both included, and their names."""
        if self.dates is not None:
            return {day: "" for day in sorted(set(self.dates)) if first <= day <= last}
        found = public_holidays(str(self.country), self.subdivision, first.year, last.year)
        return {day: name for day, name in found.items() if first <= day <= last}

    def spans(self, since: np.datetime64, until: np.datetime64) -> Spans:
        first, last = around(since, until)
        midnights = microseconds(self.days(first.date(), last.date()))
        opens, closes = (
            clock(self.tz).instants(midnights + shift) for shift in (np.timedelta64(0), np.timedelta64(DAY))
        )
        return merged(opens, closes).within(since, until)


class BusinessHours(RegionalRule):
    """Hours in which people work, so that nothing goes.

    Parameters
    ----------
    open, close
        On the clock of `tz`; a `close` before `open` is that of the next day.
    days
        On which they open; 0 is Monday.
    """

    kind_said: ClassVar[str] = "business_hours"

    open: ClockTime = timedelta(hours=9)
    close: ClockTime = timedelta(hours=17)
    days: tuple[Annotated[StrictInt, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4)

    @model_validator(mode="after")
    def check_hours(self) -> BusinessHours:
        if self.open == self.close:
            raise ValueError("close: it is the same as open; write 00:00 to 24:00 for whole days")
        return self

    def spans(self, since: np.datetime64, until: np.datetime64) -> Spans:
        opens, closes = daily(since, until, self.tz, self.open, self.close, self.days)
        return merged(opens, closes).within(since, until)


class Cab(Rule):
    """A meeting that decides on normal changes.

    Parameters
    ----------
    deadline_hours
        How long before a meeting, elapsed, a change has to be with it.
    """

    kind_said: ClassVar[str] = "cab"

    cron: Expression
    tz: Zone = "UTC"
    deadline_hours: Annotated[float, Field(ge=0, le=LONGEST_MINUTES / 60, strict=True)] = 0
    scope: Scope = Scope()

    def meetings(self, since: np.datetime64, until: np.datetime64) -> Instants:
        """The instants in [since, until) at which it meets."""
        first, last = around(since, until)
        found = np.unique(clock(self.tz).instants(parse_cron(self.cron).starts(first.date(), last.date())))
        return found[(found >= since) & (found < until)]

    def deadlines(self, meetings: Instants) -> Instants:
        """Until when a change has to be with each meeting."""
        notice = np.timedelta64(round(self.deadline_hours * 3600), "s")
        return np.asarray(meetings - notice, dtype=MICROSECONDS)


class Reserve(Rule):
    """One block a day in which nothing planned runs, kept for emergency changes; where it lies is for a plan to say.

    Parameters
    ----------
    environment
        Globs; none: each environment.
    between
        The times of day in which the block lies as a whole, on the clock of `tz`.
    """

    kind_said: ClassVar[str] = "reserve"

    environment: Names = ()
    per_day_minutes: Annotated[StrictInt, Field(ge=1, le=24 * 60)]
    between: tuple[ClockTime, ClockTime] = (timedelta(), DAY)
    tz: Zone = "UTC"

    @model_validator(mode="after")
    def check_room(self) -> Reserve:
        opens, closes = self.between
        room = (closes - opens if closes > opens else closes - opens + DAY).total_seconds() / 60
        if opens == closes or self.per_day_minutes > room:
            raise ValueError(f"between: it leaves no room for {self.per_day_minutes} minutes")
        return self

    def room(self, since: np.datetime64, until: np.datetime64) -> Spans:
        """Where the blocks of the days that meet [since, until) may lie; unlike other spans, these may touch."""
        opens, closes = daily(since, until, self.tz, *self.between, days=range(7))
        kept = (closes > since) & (opens < until) & (closes > opens)
        return Spans(opens[kept], closes[kept])


class Capacity(Rule):
    """How many deployments within a scope may run at once."""

    kind_said: ClassVar[str] = "capacity"

    scope: SharedScope = SharedScope()
    resource: Names = ()
    concurrent: Annotated[StrictInt, Field(ge=1)]

    @property
    def resources(self) -> tuple[str, ...]:
        """Globs of the shared things it is about; none: it is about services."""
        return (*self.resource, *self.scope.resource)

    def counts(self, subject: Subject, resources: Iterable[str] = ()) -> bool:
        """Whether a deployment that takes these resources is one of those that it limits."""
        shared = self.resources
        return is_about(self.scope, subject) and (not shared or any(fits(shared, name) for name in resources))


def around(since: np.datetime64, until: np.datetime64) -> tuple[datetime, datetime]:
    """Local times such that what is between in any zone lies in [since, until)."""
    first, last = since - np.timedelta64(MARGIN), until + np.timedelta64(MARGIN)
    return first.astype(MICROSECONDS).item(), last.astype(MICROSECONDS).item()


def daily(
    since: np.datetime64, until: np.datetime64, zone: str, opens: timedelta, closes: timedelta, days: Iterable[int]
) -> tuple[Instants, Instants]:
    """The instants of two times of some days of the week (0 is Monday), the second on the next day if not later."""
    first, last = (np.datetime64(moment, "D") for moment in around(since, until))
    dates = np.arange(first, last + 1)
    weekdays = (dates.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    midnights: Instants = dates[np.isin(weekdays, list(days))].astype(MICROSECONDS)
    later = closes if closes > opens else closes + DAY
    begins: Instants = midnights + np.timedelta64(opens)
    ends: Instants = midnights + np.timedelta64(later)
    return clock(zone).instants(begins), clock(zone).instants(ends)

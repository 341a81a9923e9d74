"""A sync window as Argo CD's types have it, with its schedule, its duration and its globs as Argo CD reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from shipcast.scheduling.calendar.argo_globs import NoGlob, ours
from shipcast.scheduling.calendar.cron import parse_cron
from shipcast.scheduling.calendar.rules import LONGEST_MINUTES
from shipcast.settings.zone import check_zone

UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", flags=re.ASCII)
DURATION = re.compile(rf"[+-]?(?:0|(?:{PART.pattern})+)", flags=re.ASCII)
LONGEST_TEXT = 100  # of a duration
SOME_YEARS = (date(2024, 1, 1), date(2028, 12, 31))  # of which two have a 29 February
OPEN_WEEKDAY = re.compile(r"^(\w+)/(\d+)$")

Globs = tuple[str, ...]


def go_minutes(text: object) -> Fraction:
    """A duration of Go's in minutes; 0 where it is negative.

    >>> [str(go_minutes(text)) for text in ("1h30m", "90s", "1.5h", "0s", "-1h")]
    ['90', '3/2', '90', '0', '0']
    """
    if not isinstance(text, str):
        raise ValueError("must be text such as 1h30m")
    if len(text) > LONGEST_TEXT or not DURATION.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no duration such as 1h30m, of hours (h), minutes (m) and seconds (s)")
    length = sum(Fraction(number) * UNITS[unit] for number, unit in PART.findall(text))
    minutes = Fraction(0) if text.startswith("-") else Fraction(length) / UNITS["m"]
    if minutes > LONGEST_MINUTES:
        raise ValueError(f"{text!r} is longer than 366 days")
    return minutes


def common_schedule(text: object) -> str:
    """A schedule so that our reader takes it as Argo CD's does: `?` is any, and weekdays 1/2 end on Saturday.

    >>> common_schedule("0 22 ? * 1-5"), common_schedule("0 3 * * 1/2")
    ('0 22 * * 1-5', '0 3 * * 1-6/2')
    """
    fields = str(text).replace("?", "*").split()
    if len(fields) == 5:
        fields[4] = ",".join(OPEN_WEEKDAY.sub(r"\1-6/\2", term) for term in fields[4].split(","))
    found = " ".join(fields)
    parse_cron(found)
    return found


def as_list(value: object) -> object:
    return () if value in ("", "null", "~", None) else value


Names = Annotated[tuple[str, ...], BeforeValidator(as_list)]


class Given(BaseModel):
    """A sync window as Argo CD's types have it.

    Parameters
    ----------
    length
        How long it is open, in minutes; 0: never.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    kind: Literal["allow", "deny"]
    schedule: Annotated[str, BeforeValidator(common_schedule)]
    length: Annotated[Fraction, BeforeValidator(go_minutes)] = Field(alias="duration")
    zone: str = Field("UTC", alias="timeZone")
    applications: Names = ()
    namespaces: Names = ()
    clusters: Names = ()
    is_both: bool = Field(False, alias="andOperator")
    by_hand: bool = Field(False, alias="manualSync")
    overruns: bool = Field(False, alias="syncOverrun")
    description: str = ""

    @property
    def minutes(self) -> int:
        """How long it is open in whole minutes, of which begun ones forbid."""
        return ceil(self.length) if self.kind == "deny" else floor(self.length)

    @field_validator("applications", "namespaces", "clusters")
    @classmethod
    def check_globs(cls, names: Globs) -> Globs:
        globs_of(names)
        return names

    @cached_property
    def chosen(self) -> dict[str, Globs]:
        """What it chooses applications by, in globs of ours; none where Argo CD can read none of its own."""
        return {
            key: globs_of(names)
            for key, names in (
                ("applications", self.applications),
                ("namespaces", self.namespaces),
                ("clusters", self.clusters),
            )
            if names
        }

    @cached_property
    def unread(self) -> list[str]:
        """Its globs that Argo CD cannot read."""
        return [one for one in (*self.applications, *self.namespaces, *self.clusters) if not readable(one)]

    @cached_property
    def comes(self) -> bool:
        """Whether its schedule comes about; Argo CD takes one that never does for one that is always open."""
        return len(parse_cron(self.schedule).starts(*SOME_YEARS)) > 0

    @property
    def is_zone(self) -> bool:
        try:
            check_zone(self.zone)
        except ValueError:
            return False
        return True


def readable(glob: str) -> Globs:
    try:
        return ours(glob)
    except NoGlob:
        return ()


def globs_of(names: Iterable[str]) -> Globs:
    """In globs of ours; those that Argo CD cannot read match nothing."""
    return tuple(dict.fromkeys(glob for name in names for glob in readable(name)))

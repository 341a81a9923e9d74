"""What a rule is about: services, environments, regions, teams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictStr

ChangeType = Literal["standard", "normal", "emergency"]


def as_names(value: object) -> object:
    """One name, or a list of them."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[StrictStr, ...], BeforeValidator(as_names)]


@dataclass(frozen=True)
class Subject:
    """What is to be shipped, where.

    Parameters
    ----------
    regions
        Where the service runs; none: not known, so that no rule about a region is about it.
    team
        None: not known.
    change_type
        standard, normal or emergency; None: not said, which counts as no emergency.
    """

    service: str
    environment: str = "production"
    regions: tuple[str, ...] = ()
    team: str | None = None
    change_type: str | None = None

    @property
    def target(self) -> tuple[str, str]:
        """The service and the environment, in which only one deployment runs at a time."""
        return self.service, self.environment

    def places(self) -> tuple[str | None, ...]:
        """The regions, each of which has to be clear; one that is not known where there are none."""
        return self.regions or (None,)


class Scope(BaseModel):
    """Globs by key: of each key one has to fit, of an empty one none. Case matters."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    service: Names = ()
    environment: Names = ()
    region: Names = ()
    team: Names = ()

    def admits(self, subject: Subject, region: str | None) -> bool:
        """Whether the rule is about the subject in one of its regions.

        >>> pay = Subject("pay-api", regions=("eu", "us"))
        >>> Scope(service=("pay-*",), region=("eu",)).admits(pay, "eu"), Scope(region=("eu",)).admits(pay, "us")
        (True, False)
        """
        return (
            fits(self.service, subject.service)
            and fits(self.environment, subject.environment)
            and fits(self.region, region)
            and fits(self.team, subject.team)
        )


class Admitting(Protocol):
    """A scope, or a rule that has one."""

    def admits(self, subject: Subject, region: str | None) -> bool: ...


def is_about(one: Admitting, subject: Subject | None) -> bool:
    """Whether it is about the subject in any of its regions; about no subject in particular everything is."""
    return subject is None or any(one.admits(subject, region) for region in subject.places())


class SharedScope(Scope):
    """The scope of a capacity, which may be about things that several services share."""

    resource: Names = ()


def fits(globs: Sequence[str], name: str | None) -> bool:
    """Whether one of the globs fits the name; all do where there are none, none does where there is no name."""
    return not globs or (name is not None and any(fnmatchcase(name, glob) for glob in globs))

"""What is asked about where nobody says it: the service deployed most, and how long its deployments usually take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shipcast.answers.outlook import DEPLOYED, RECENT
from shipcast.answers.pricing import known_duration
from shipcast.answers.reading import Reader


@dataclass(frozen=True)
class UsualLength:
    """How long a deployment of a service takes.

    Parameters
    ----------
    n
        The deployments that it is the median of; none: it is assumed.
    """

    minutes: int
    n: int


def most_deployed(reader: Reader, environment: str = "production", team: str | None = None) -> str | None:
    """The service with the most deployments in the last 91 days, of a team where one is given; null: there is none."""
    return next(iter(busiest(reader, environment, team)), None)


def busiest(
    reader: Reader, environment: str = "production", team: str | None = None, most: int | None = None
) -> tuple[str, ...]:
    """The services of which there are deployments, those deployed most in the last 91 days first; `most`: so many."""
    found = reader.rows(DEPLOYED, service=None, team=team, environment=environment, since=reader.at - RECENT)
    return tuple(str(service) for service, *_ in found[:most])


def usual_length(reader: Reader, service: str, environment: str = "production") -> UsualLength:
    history = reader.history(environment)
    length, _ = known_duration(history, service, None)
    _, n = history.median_minutes(service)
    return UsualLength(length // timedelta(minutes=1), n)

"""What a question may be about: the services, teams and environments known at an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shipcast.answers import metric_queries as queries
from shipcast.answers.answer import utc
from shipcast.answers.reading import Reader


@dataclass(frozen=True)
class Choices:
    """Names in their order; `zones` are those that services keep to.

    Parameters
    ----------
    first
        When the first deployment that is known started; null: none is.
    """

    services: tuple[str, ...]
    teams: tuple[str, ...]
    environments: tuple[str, ...]
    zones: tuple[str, ...]
    is_simulated: bool
    first: datetime | None


def choices(reader: Reader) -> Choices:
    services = reader.rows(queries.SERVICES)
    zones = reader.rows(
        f"select distinct business_zone from dim_services where {queries.IS_EXISTING} and business_zone is not null"
        " order by 1"
    )
    [(first,)] = reader.rows("select min(started_at) from fct_deployments where started_at <= $as_of")
    return Choices(
        tuple(name for name, _ in services),
        tuple(sorted({team for _, team in services if team is not None})),
        tuple(name for name, *_ in reader.rows(queries.ENVIRONMENTS)),
        tuple(zone for (zone,) in zones),
        reader.facts.is_simulated,
        None if first is None else utc(first),
    )

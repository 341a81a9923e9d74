"""The published data as it was known at one instant: what every answer reads from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import duckdb

from shipcast.answers.answer import in_utc, rfc3339
from shipcast.answers.errors import UnknownName
from shipcast.answers.metric_queries import ENVIRONMENTS
from shipcast.answers.shared import Part, Shared
from shipcast.answers.words import share
from shipcast.settings import Settings
from shipcast.warehouse.snapshot import open_current, reading
from shipcast.warehouse.statements import bound

if TYPE_CHECKING:
    import polars as pl  # only those who ask for tables wait for it

    from shipcast.features.history import History

FACTS = """
select newest_at, built_at, is_simulated, settle_days, attribution, attribution_hours, occupancy_minutes,
    production_environments
from snapshot_facts
"""
REFUSED = """
with refused as (select table_name, sum(rows)::bigint as rows from quarantine_counts group by table_name),
stored as (select table_name, sum(inserted)::bigint as rows from loads group by table_name)
select refused.table_name, refused.rows, refused.rows + coalesce(stored.rows, 0)
from refused left join stored on refused.table_name is not distinct from stored.table_name
order by refused.table_name
"""
MUCH_REFUSED = 0.1  # of the rows of a table: from above that its numbers are not to be trusted
INSTANTS = (  # every column that dates an event
    ("fct_deployments", ("started_at", "completed_at")),
    ("fct_incidents", ("started_at", "resolved_at")),
    ("fct_changes", ("authored_at", "known_at")),
    ("fct_environment_usage", ("started_at", "known_end_at")),
    ("fct_load_hourly", ("known_at",)),
    ("fct_approvals", ("requested_at", "decided_at")),
    ("fct_holds", ("switched_at",)),
)


@dataclass(frozen=True)
class Refused:
    """Rows of a table that were refused and not loaded since, of all that were read: these, and those that are kept."""

    table: str
    rows: int
    read: int

    @property
    def is_much(self) -> bool:
        """Whether that is so much that numbers made of the rest are not to be trusted: more than a tenth."""
        return self.rows > MUCH_REFUSED * self.read


@dataclass(frozen=True)
class Facts:
    """What the snapshot says about itself: its newest instant, and the settings its marts were built with.

    `newest_at` is null where the snapshot holds no event at all. Instants are naive and in UTC.
    """

    newest_at: datetime | None
    built_at: datetime | None
    is_simulated: bool
    settle_days: float
    attribution: str
    attribution_hours: float
    occupancy_minutes: float
    production_environments: tuple[str, ...]


class Reader:
    """A snapshot, the settings, and the instant at which the question is asked.

    Parameters
    ----------
    connection
        Reads the published marts.
    as_of
        Aware; nothing known later may influence an answer.
    shared
        What it has in common with other questions about that snapshot and instant, while the files beside the snapshot
        stay as they are; None: nothing, as where one reader is asked for as long as somebody likes.

    Attributes
    ----------
    at
        `as_of` as the marts hold instants: naive, in UTC. Every query has it as `$as_of`.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: Settings,
        as_of: datetime,
        shared: Shared | None = None,
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.shared = shared
        self.as_of = in_utc(as_of)
        self.at = self.as_of.replace(tzinfo=None)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query over the marts; `$as_of` and the parameters it names are filled in."""
        statement, used = bound(query, {"as_of": self.at, **parameters})
        return self.connection.execute(statement, used).fetchall()

    def shared_rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The same of what many questions look up, asked once for all of them; nobody may change it."""
        key = ("rows", query, *sorted(parameters.items()))
        return self.once(key, lambda: self.rows(query, **parameters))

    def once(self, name: Hashable, make: Callable[[], Part]) -> Part:
        """What `make` gives, or gave to another question that this one shares it with."""
        return make() if self.shared is None else self.shared.once(name, make)

    def records(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query, each by column name."""
        rows = self.rows(query, **parameters)
        names = [column[0] for column in self.connection.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def frame(self, query: str, **parameters: Any) -> pl.DataFrame:
        """The rows of a query as a table, with the same parameters filled in."""
        statement, used = bound(query, {"as_of": self.at, **parameters})
        self.connection.complete()  # a relation is refused while an earlier statement is unfinished
        rows: pl.DataFrame = self.connection.sql(statement, params=used).pl()
        return rows

    @cached_property
    def facts(self) -> Facts:
        return self.once("facts", self.read_facts)

    def read_facts(self) -> Facts:
        newest_at, built_at, is_simulated, settle, attribution, hours, occupancy, production = self.rows(FACTS)[0]
        return Facts(
            newest_at,
            built_at,
            bool(is_simulated),
            float(settle),
            attribution,
            float(hours),
            float(occupancy),
            tuple(production or ()),
        )

    @cached_property
    def data_as_of(self) -> datetime | None:
        """The newest event known at `as_of`, aware; null when nothing was known by then."""
        return self.once("data_as_of", self.read_data_as_of)

    def read_data_as_of(self) -> datetime | None:
        newest = self.facts.newest_at
        if newest is not None and newest > self.at:
            parts = [
                f"select max({column}) filter (where {column} <= $as_of) from {table}"
                for table, columns in INSTANTS
                for column in columns
            ]
            newest = self.rows(f"select greatest({', '.join(f'({part})' for part in parts)})")[0][0]
        return newest.replace(tzinfo=UTC) if newest is not None else None

    def check_environment(self, name: str) -> None:
        """Refuse an environment that is not known; where none is known yet, any may be right.

        Raises
        ------
        UnknownName
            Naming the nearest ones.
        """
        known = [known for (known,) in self.shared_rows("select environment from dim_environments")]
        if known and name not in ("production", *known):
            raise UnknownName("environment", name, ["production", *known])

    def history(self, environment: str, connection: duckdb.DuckDBPyConnection | None = None) -> History:
        """What was known of an environment; what it looked up already others need not.

        The one environment of production is "production", by whatever name it is asked about.
        """
        from shipcast.features.history import History

        rows = self.shared_rows(ENVIRONMENTS)
        is_production = [name for name, is_production, _ in rows if is_production] == [environment]
        scope = "production" if is_production else environment
        cache: dict[str, pl.DataFrame] = self.once(("history", scope), dict)
        return History(connection or self.connection, self.at, scope, self.settings.tz, cache)

    def envelope(self) -> dict[str, Any]:
        """The fields that every answer opens with."""
        return {"generated_at": datetime.now(UTC), "as_of": self.as_of, "data_as_of": self.data_as_of}

    def warnings(self) -> list[str]:
        """What every answer from this data should say: that it is simulated, stale, not whole, or otherwise built."""
        return list(self.once("warnings", self.read_warnings))

    def read_warnings(self) -> tuple[str, ...]:
        return (*self.simulated(), *self.stale(), *self.incomplete(), *self.differing_settings())

    def simulated(self) -> list[str]:
        return ["The data is simulated."] if self.facts.is_simulated else []

    def stale(self) -> list[str]:
        if self.data_as_of is None:
            return [
                f"Nothing was known at {rfc3339(self.as_of)}: load data with `shipcast ingest`, then `shipcast build`."
            ]
        age = self.as_of - self.data_as_of
        if age <= timedelta(days=self.settings.stale_days):
            return []
        return [f"The data is {age.days} days old: the newest record is of {rfc3339(self.data_as_of)}."]

    def incomplete(self) -> list[str]:
        """How many refused rows the data lacks: of all that was loaded, since such a row may not say when it is of."""
        found = self.refused()
        if not found:
            return []
        counts = ", ".join(
            f"{one.rows:,} of {one.table}{f' ({share(one.rows / one.read)} of those read)' if one.is_much else ''}"
            for one in found
        )
        return [f"The data loaded lacks refused rows: {counts}. See them with `shipcast quarantine list`."]

    def refused(self) -> tuple[Refused, ...]:
        """Of each table that has any, the rows that were refused."""
        return self.once("refused", lambda: tuple(Refused(*row) for row in self.rows(REFUSED)))

    def differing_settings(self) -> list[str]:
        """Settings that shape the marts and have changed since these were built."""
        names = ("settle_days", "attribution", "attribution_hours", "occupancy_minutes", "production_environments")
        changed = [
            name for name in names if ordered(getattr(self.settings, name)) != ordered(getattr(self.facts, name))
        ]
        if not changed:
            return []
        was = ", ".join(f"{name} = {shown(getattr(self.facts, name))}" for name in changed)
        return [f"The data was built with {was}; run `shipcast build` for the present settings to count."]


def ordered(value: object) -> object:
    """The value; of several names, in an order of their own, since theirs means nothing."""
    return sorted(value) if isinstance(value, tuple) else value


def shown(value: object) -> str:
    """A setting's value as a person would write it."""
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


@contextmanager
def open_reader(settings: Settings, as_of: datetime) -> Iterator[Reader]:
    """The published snapshot as known at `as_of`, open while the block runs.

    Raises
    ------
    NothingPublished
        Nothing was built in this home yet.
    StorageError
        The snapshot cannot be read.
    """
    connection = open_current(settings.home, settings)
    try:
        with reading(settings.home):
            yield Reader(connection, settings, as_of)
    finally:
        connection.close()

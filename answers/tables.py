"""The published tables as they were known at an instant, for those who would rather look than ask.

Of tables of events (`CUTS`) the rows that came to be later are left out, and of those that stay what was only known
later is null. All else in a row is as newest known: a correction of a severity or a size has no date. Other tables are
whole: services and environments, what the tables mean, and sums over weeks or spells, which hold no instants to cut by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from shipcast.answers.errors import UnknownName
from shipcast.answers.reading import Reader

TABLES = "select table_name from duckdb_tables() order by table_name"


@dataclass(frozen=True)
class Cut:
    """What of a table was known at `$as_of`.

    Parameters
    ----------
    known_at
        From when a row is there.
    later
        What may have become known later, by the instant from which it was: null before.
    instead
        What stood in a column before, as SQL, where that was not null.
    """

    known_at: str
    later: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)


CUTS: Mapping[str, Cut] = {
    "fct_approvals": Cut("known_at", {"decided_at": ("decision", "decided_at")}),
    "fct_changes": Cut(
        "known_at",
        {
            "first_released_at": ("first_release", "first_released_at"),
            "landed_at": ("landed_at", "landed_deployment_id"),
            "next_known_at": ("next_landed_at", "next_known_at", "next_landed_deployment_id"),
            "environment_next_known_at": (
                "environment_next_landed_at",
                "environment_next_known_at",
                "environment_next_landed_deployment_id",
            ),
        },
    ),
    "fct_deployments": Cut(
        "started_at",
        {
            "completed_at": ("finished_at", "completed_at"),
            "settled_at": ("settled_at",),
            "rolled_back_at": ("rolled_back_at",),
            "failed_at": ("failed_at",),
        },
        {
            "status": "case when completed_at > $as_of then 'running' "
            "when status = 'rolled_back' and rolled_back_at > $as_of then 'succeeded' else status end",
            "is_landed": "is_landed and completed_at <= $as_of",
        },
    ),
    "fct_environment_usage": Cut("started_at", {"known_end_at": ("ended_at", "known_end_at")}),
    "fct_holds": Cut("known_at"),
    "fct_incidents": Cut(
        "started_at",
        {"resolved_at": ("resolved_at", "deployment_id"), "link_known_at": ("cause_deployment_id", "link_known_at")},
        {"is_deployment_known": "is_deployment_known and coalesce(resolved_at <= $as_of, true)"},
    ),
    "fct_load_hourly": Cut("known_at"),
    "fct_rollbacks": Cut("coalesce(rolled_back_at, completed_at)"),
}


def tables(reader: Reader) -> tuple[str, ...]:
    """The names of the published tables."""
    return tuple(name for (name,) in reader.rows(TABLES))


def table(reader: Reader, name: str) -> pl.DataFrame:
    """A published table as known at the reader's `as_of`; instants are naive and in UTC.

    Raises
    ------
    UnknownName
        There is no such table; the nearest are named.
    """
    known = tables(reader)
    if name not in known:
        raise UnknownName("table", name, known)
    cut = CUTS.get(name)
    return reader.frame(f"select * from {name}" if cut is None else cut_query(name, cut))


def cut_query(name: str, cut: Cut) -> str:
    """
    >>> cut_query("fct_holds", Cut("known_at", {"ended_at": ("ended_at",)}))
    'select * replace (if(ended_at > $as_of, null, ended_at) as ended_at) from fct_holds where known_at <= $as_of'
    """
    replaced = [
        f"if({instant} > $as_of, null, {column}) as {column}"
        for instant, columns in cut.later.items()
        for column in columns
    ]
    replaced += [f"{before} as {column}" for column, before in cut.instead.items()]
    columns = f"* replace ({', '.join(replaced)})" if replaced else "*"
    return f"select {columns} from {name} where {cut.known_at} <= $as_of"

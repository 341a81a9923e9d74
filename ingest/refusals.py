"""Refused rows by why they were: those of one load, or those that wait in the quarantine."""

from __future__ import annotations

import duckdb

from shipcast.ingest.report import Refusals
from shipcast.warehouse.tables import TABLES

WAITING = "(select *, table_name as _place from raw._quarantine)"
OF_LOAD = "(select *, _part as _place, _line as line from scratch.bad join scratch.parts using (_part))"
# What could not be taken apart has no column of its own, but a mapping's words begin with the one that they are about.
REFUSED = r"""
select table_name, rule, column_said, count(*) as rows, min_by(reason, (_place, line)) from (
    select *, regexp_replace(reason, '^.*?:\d+: ', '') as detail, split_part(detail, ' ', 1) as word,
        coalesce(column_name, case when list_contains(?, word) then word end) as column_said
    from {rows} where ? is null or table_name = ?
) group by table_name, rule, column_said, case when {is_by_value} and rule = 'unknown_value' then detail end
order by rows desc, 5 {limit}
"""
COLUMNS = sorted({column.name for table in TABLES for column in table.columns})
MOST = 12


def waiting(connection: duckdb.DuckDBPyConnection, table: str | None = None) -> list[Refusals]:
    """The rows in quarantine by table, rule and column, the most first; those of one table, if it is named."""
    query = REFUSED.format(rows=WAITING, is_by_value=False, limit="")
    return [Refusals(*row) for row in connection.execute(query, [COLUMNS, table, table]).fetchall()]


def of_load(connection: duckdb.DuckDBPyConnection) -> list[Refusals]:
    """The refused rows of the load that is staged, apart by value where a mapping does not know it; the most first."""
    query = REFUSED.format(rows=OF_LOAD, is_by_value=True, limit=f"limit {MOST}")
    return [Refusals(*row) for row in connection.execute(query, [COLUMNS, None, None]).fetchall()]

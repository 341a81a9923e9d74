"""Bad rows of a load into the quarantine, within the load's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import duckdb

from shipcast.ingest.merging import quoted, same
from shipcast.ingest.rules import raw, typed
from shipcast.warehouse.tables import BY_NAME, Table

ID = "md5(concat_ws(chr(31), table_name, file, _line, row))[:16]"

SOURCE = r"regexp_replace(file, ': [^:]*$', '')"  # what several feeds of one source have in common
TOLD = """
select {keys}, _part, source from scratch.{table} join feeds using (_part) where not _is_bad
union all
select {keys}, _part, source from (
    select *, {typed} from (select _part, source, {texts} from scratch.bad join feeds using (_part))
) where {is_whole}
"""
WAITING = """
select quarantine_id, {keys}, source from (
    select *, {typed} from (
        select quarantine_id, {source} as source, {texts} from raw._quarantine where table_name = '{table}'
    )
) semi join feeds using (source) where {is_whole}
"""
SETTLED = """
create temp table settled as
select _part, _line
from (
    select _part, _line, table_name, file, row,
        row_number() over (partition by table_name, file, row order by _line) as place
    from scratch.bad join scratch.parts using (_part)
    where _origin is null
) join (
    select table_name, file, row, count(*) as corrections from raw._corrected group by all
) using (table_name, file, row)
where place <= corrections
"""


def settle(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """Take out of `scratch.bad` what an export corrected; how many rows of each part.

    A line that still stands in its source as it was refused is not refused again, wherever in the file it moved:
    its correction is stored. Of several lines that read alike as many are settled as were corrected.
    """
    connection.execute(SETTLED)
    counts = connection.execute("select _part, count(*) from settled group by 1").fetchall()
    connection.execute("delete from scratch.bad b using settled s where b._part = s._part and b._line = s._line")
    connection.execute("drop table temp.settled")
    return dict(counts)


def set_aside(connection: duckdb.DuckDBPyConnection, tables: Iterable[str], load_id: int, now: datetime) -> None:
    """Bring the quarantine up to date with `scratch.bad`.

    Lines that were read again leave the quarantine unless they are bad again; those it holds already are not stored
    twice. What a shorter file no longer holds stays, since nothing says that it was corrected; except on a retry, which
    is asked to look. A feed that brought only what is new tells nothing about its other lines, but its source has the
    last word on each key: a row takes the place of what was refused before under the same one. A corrected row of an
    export takes the place of the row it came from.
    """
    tables = list(tables)
    if not tables:
        return
    staged = (*tables, "bad")
    connection.execute(
        f"create temp table found as select {ID} as quarantine_id, b.*, p.table_name, p.file, p.header "
        "from scratch.bad b join scratch.parts p using (_part)"
    )
    origins = " union ".join(f"select _origin from scratch.{name} where _origin is not null" for name in staged)
    connection.execute(
        f"create temp table corrected as select * from raw._quarantine where quarantine_id in ({origins})"
    )
    remember_corrected(connection, tables)
    connection.execute(
        "update found set quarantine_id = c.quarantine_id, file = c.file, _line = c.line, header = c.header "
        "from corrected c where c.quarantine_id = found._origin and c.table_name = found.table_name"
    )
    lines = " union all ".join(f"select _part, max(_line) as last from scratch.{name} group by 1" for name in staged)
    connection.execute(
        "create temp table before as select quarantine_id, min(quarantined_at) as first_at from raw._quarantine q "
        "where quarantine_id in (select quarantine_id from corrected) or exists ("
        f"from scratch.parts p left join (select _part, max(last) as last from ({lines}) group by 1) using (_part) "
        "where p.table_name = q.table_name and p.file = q.file and p.refused is null and not p.is_addition "
        "and (p.stands_at is not null or q.line <= last)) group by 1"
    )
    connection.execute("delete from raw._quarantine where quarantine_id in (select quarantine_id from before)")
    for name in tables:
        remove_outdated(connection, BY_NAME[name])
    connection.execute(
        "insert into raw._quarantine select quarantine_id, ?, table_name, file, _line, column_name, rule, reason, "
        "header, row, coalesce(first_at, ?) from found left join before using (quarantine_id)",
        [load_id, now],
    )
    for name in ("found", "corrected", "before"):
        connection.execute(f"drop table temp.{name}")


def remember_corrected(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Keep which rows of the temp table `corrected` passed, and in which load's place they stand."""
    passed = " union all ".join(
        f"select '{name}' as table_name, _origin as quarantine_id from scratch.{name} "
        "where _origin is not null and not _is_bad"
        for name in tables
    )
    connection.execute(
        "insert into raw._corrected select quarantine_id, load_id, table_name, file, row "
        f"from corrected semi join ({passed}) using (table_name, quarantine_id)"
    )


def remove_outdated(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Remove rows that were refused before of things that the same source has told anew, whether that passed or not."""
    connection.execute(
        f"create temp table feeds as select _part, {SOURCE} as source from scratch.parts "
        f"where table_name = '{table.name}' and is_addition and refused is null"
    )
    words = {
        "table": table.name,
        "keys": quoted(table.key),
        "texts": ", ".join(f"{key_text(name)} as {raw(name)}" for name in table.key),
        "typed": ", ".join(f'{typed(table.column(name))} as "{name}"' for name in table.key),
        "is_whole": " and ".join(is_whole_key(table, name) for name in table.key),
        "source": SOURCE,
    }
    connection.execute(
        f"delete from raw._quarantine where quarantine_id in (select quarantine_id from ({WAITING.format(**words)}) q "
        f"semi join ({TOLD.format(**words)}) s on q.source = s.source and {same(table.key, 'q', 's')})"
    )
    connection.execute("drop table temp.feeds")


def key_text(name: str) -> str:
    """SQL for a value of a row that a feed gave; null where it is empty."""
    return f"nullif(trim(case when json_valid(row) then json_extract_string(row, '$.{name}') end), '')"


def is_whole_key(table: Table, name: str) -> str:
    """SQL that is true where that part of the key can be read, or may be empty and is."""
    is_there = f'"{name}" is not null'
    return is_there if table.column(name).required else f"({is_there} or {raw(name)} is null)"

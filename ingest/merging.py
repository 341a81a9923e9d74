"""From checked rows to the raw tables: rows of one key become one, and only what differs is written."""

from __future__ import annotations

import duckdb

from shipcast.ingest.report import FileLoad
from shipcast.warehouse.tables import BY_NAME, Column, Table

# Rows of one load are ordered by file, then by line: `_place` is that order, and 2^40 lines are more than any file has.
PLACE = "_part * 1099511627776 + _line"


def merge(connection: duckdb.DuckDBPyConnection, table: Table, load_id: int, items: dict[int, FileLoad]) -> None:
    """Merge `scratch.<table>` into `raw.<table>` and fill in the items' counts, by part number.

    Within a load the surviving row of a key stands at its first occurrence and the others count as merged. A row of
    the database is replaced whole by a row of the load that differs, except where it came from a load after the one
    in whose place the row stands.
    """
    find_repeats(connection, table, load_id)
    decide(connection, table)
    fates: set[str] = set()
    for part, fate, count in connection.execute("select _part, fate, count(*) from fates group by all").fetchall():
        setattr(items[part], fate, count)
        fates.add(fate)
    for part, count in connection.execute("select _part, count(*) from good where _place >= 0 group by 1").fetchall():
        items[part].merged = count - items[part].inserted - items[part].updated - items[part].unchanged
    write(connection, table, fates, load_id)
    for view in ("survivors", "good", "read"):
        connection.execute(f"drop view {view}")
    for name in ("repeats", "fates"):
        connection.execute(f"drop table temp.{name}")


def find_repeats(connection: duckdb.DuckDBPyConnection, table: Table, load_id: int) -> None:
    """The views of the rows to load: `good` all of them, `survivors` one of each key."""
    connection.execute(
        f"create temp view read as select s.* exclude (_is_bad), {PLACE} as _place, "
        f"coalesce(q.load_id, c.load_id, p.stands_at, {load_id}) as _stands_at, p.file as _file "
        f"from scratch.{table.name} s join scratch.parts p using (_part) "
        "left join raw._quarantine q on q.quarantine_id = s._origin "
        "left join (select quarantine_id, max(load_id) as load_id from raw._corrected group by 1) c "
        "on c.quarantine_id = s._origin where not s._is_bad"
    )
    corrected = connection.execute("select count(*) from read where _origin is not null").fetchall()
    siblings = "" if corrected == [(0,)] else f" union all by name {stored_siblings(table)}"
    connection.execute(f"create temp view good as select * exclude (_origin) from read{siblings}")
    keys = quoted(table.key)
    connection.execute(f"create temp table repeats as select {keys} from good group by {keys} having count(*) > 1")
    count = connection.execute("select count(*) from repeats").fetchall()
    single = "select * from good"
    if count != [(0,)]:
        single = (
            f"select * from good g anti join repeats r on {same(table.key, 'g', 'r')} union all by name {merged(table)}"
        )
    connection.execute(f"create temp view survivors as {single}")


def stored_siblings(table: Table) -> str:
    """SQL for the stored rows of the load that a corrected row belongs to, and with which it is merged.

    They stand before all rows that were read, at negative places, and count as none of them.
    """
    keys = quoted(table.key)
    corrected = (
        f"select {keys}, min(_part) as _part, min(_place) as _place, max(_stands_at) as _stands_at "
        f"from read where _origin is not null group by {keys}"
    )
    return (
        f"select r.* exclude (_load_id, _changed_id), c._part, -1 - c._place as _place, c._stands_at "
        f"from raw.{table.name} r join ({corrected}) c on {same(table.key, 'r', 'c')} and r._load_id = c._stands_at"
    )


def merged(table: Table) -> str:
    """SQL for one row of each key that occurs more than once."""
    values = [
        f'"{column.name}"' if column.key else f'{kept(table, column)} as "{column.name}"' for column in table.columns
    ]
    first = [f"arg_min({name}, _place) as {name}" for name in ("_part", "_line", "_file")]
    values += [*first, "min(_place) as _place", "max(_stands_at) as _stands_at"]
    chosen = f"select g.* from good g semi join repeats r on {same(table.key, 'g', 'r')}"
    return f"select {', '.join(values)} from ({chosen}) group by {quoted(table.key)}"


def kept(table: Table, column: Column) -> str:
    """SQL for the value that stays of a column, over the rows of one key."""
    name = f'"{column.name}"'
    if table.episodes and column.name == table.episodes[0]:
        return f"min({name})"
    if table.episodes and column.name == table.episodes[1]:
        # Of rows that start together one with an end says more: one episode, opened and then closed.
        last = f"max({{'start': \"{table.episodes[0]}\", 'is_closed': {name} is not null}})"
        return f"case when ({last}).is_closed then max({name}) end"
    match column.merge:
        case "earliest":
            return f"min({name})"
        case "latest":
            return f"max({name})"
        case "worst":
            choices = ", ".join(f"'{choice}'" for choice in column.choices)
            return f"([{choices}])[min(list_position([{choices}], {name}))]"
        case "last":
            return f"arg_max({name}, _place)" if table.keeps_given else f"arg_max_null({name}, _place)"


def decide(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Whether each survivor is inserted, updated or unchanged."""
    others = [column.name for column in table.columns if not column.key]
    differs = " or ".join(f'r."{name}" is distinct from s."{name}"' for name in others) or "false"
    connection.execute(
        "create temp table fates as select s._place, s._part, case when r._load_id is null then 'inserted' "
        f"when r._load_id <= s._stands_at and ({differs}) then 'updated' else 'unchanged' end as fate "
        f"from survivors s left join raw.{table.name} r on {same(table.key, 'r', 's')}"
    )


def write(connection: duckdb.DuckDBPyConnection, table: Table, fates: set[str], load_id: int) -> None:
    """Write the survivors that are new or differ, as rows of the load in whose place they stand."""
    changed = [
        *(column.name for column in table.columns if not column.key),
        "_file",
        "_line",
        "_load_id",
        "_changed_id",
    ]
    names = quoted([*table.key, *changed])
    rows = f"select *, _stands_at::bigint as _load_id, {load_id}::bigint as _changed_id from survivors"
    chosen = f"select {names} from ({rows}) semi join (from fates where fate = '{{}}') using (_place)"
    if "updated" in fates:
        values = ", ".join(f'"{name}" = s."{name}"' for name in changed)
        connection.execute(
            f"merge into raw.{table.name} r using ({chosen.format('updated')}) s on {same(table.key, 'r', 's')} "
            f"when matched then update set {values}"
        )
    if "inserted" in fates:
        new = chosen.format("inserted") if len(fates) > 1 else f"select {names} from ({rows})"
        connection.execute(f"insert into raw.{table.name} ({names}) {new}")


def quoted(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def same(keys: tuple[str, ...], left: str, right: str) -> str:
    """SQL for equal keys, empty being equal to empty."""
    return " and ".join(f'{left}."{key}" is not distinct from {right}."{key}"' for key in keys)


def dangling(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, int]:
    """`table.column` to the number of stored rows whose reference leads to no stored row; none where all lead."""
    found: dict[str, int] = {}
    for column, target in table.references:
        key = BY_NAME[target].key[0]
        row = connection.execute(
            f'select count(*) from raw.{table.name} a anti join raw.{target} b on a."{column}" = b."{key}" '
            f'where a."{column}" is not null'
        ).fetchall()
        if row[0][0]:
            found[f"{table.name}.{column}"] = int(row[0][0])
    return found

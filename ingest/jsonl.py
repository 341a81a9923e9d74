"""JSON lines: one object a line; its names are the headers, lists are allowed for list columns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from shipcast.ingest.errors import FileRefused
from shipcast.ingest.headers import Header, understood, word, words
from shipcast.ingest.piece import ORIGIN, Piece, queried
from shipcast.ingest.records import LINE_FEED, Mask, Places, decodes, stretches
from shipcast.ingest.sources import Part
from shipcast.ingest.stream import whole_lines
from shipcast.warehouse.instance import literal

# `try_cast` makes what is no JSON null, on which the JSON functions raise no error as they do on bad text. A line of an
# export holds the quarantined row under "row", as an object or, where it was none, as text. As with headers, names that
# spell one column otherwise mean it, so that no object may hold two of them.
CHECKED = """
select *, coalesce(json_type(object) = 'OBJECT' and len(json_keys(object)) = len(list_distinct(
    list_transform(json_keys(object), lambda name: {word}))), false) as is_object
from (
    select *, try_cast(row as json) as object
    from (
        select _line, is_text, _origin,
            case when _origin is null then line
                when json_type(given, '/row') = 'OBJECT' then cast(given -> '/row' as varchar)
                else given ->> '/row' end as row
        from (
            select *, case when json_exists(given, '/row') then given ->> '/quarantine_id' end as _origin
            from (select *, try_cast(line as json) as given from json_lines)
        )
    )
)
"""
PLAIN = "lower(trim(name))"


def read_jsonl(part: Part, connection: duckdb.DuckDBPyConnection) -> tuple[Header, Iterator[Piece]]:
    """The names of all the file's objects, and its rows piece by piece; the file is read twice.

    Raises
    ------
    FileRefused
        At once or while the pieces are read.
    """
    found = spellings(names(part, connection), words(part.table))
    header = understood(part.table, [same[0] for same in found])
    return header, pieces(part, header, found, connection)


def spellings(names: Iterable[str], known: Container[str]) -> list[list[str]]:
    """The names in order of appearance, those together that are read as one, since rows may spell it differently.

    >>> spellings(["started_at", "tier", "startedAt", "Tier", "my_mood", "myMood"], {"started_at", "tier"})
    [['started_at', 'startedAt'], ['tier', 'Tier'], ['my_mood'], ['myMood']]
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(word(known, name), []).append(name)
    return list(alike.values())


def names(part: Part, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Every name that a row of the file uses, in order of appearance."""
    found: dict[str, None] = {}
    objects = 0
    start = b""
    query = CHECKED.format(word=PLAIN)
    for chunk in whole_lines(part.path):
        start = start or chunk.lstrip().split(b"\n", 1)[0].strip()
        connection.register("json_lines", lines(chunk, 1))
        keys = connection.execute(
            f"select json_keys(object), count(*), min(_line) from ({query}) where is_object group by 1 order by 3"
        ).fetchall()
        connection.unregister("json_lines")
        for some, count, _ in keys:
            objects += count
            found.update(dict.fromkeys(some))
    is_array = start.startswith(b"[") and (not objects or not start.endswith(b"]"))
    if is_array or not objects:
        what = "is one JSON array, not one object a line" if is_array else "holds no JSON object"
        raise FileRefused(f"{what}. Nothing was stored; write one object a line")
    return list(found)


def lines(chunk: bytes, first_line: int) -> pa.Table:
    """The chunk's lines that are not blank, as text, each with its number and whether its bytes decode."""
    array = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero(array == LINE_FEED) + 1
    is_text = decodes(chunk, ends)
    # Bytes that don't decode are written as \\xNN; a chunk of sound ones is not copied.
    text = chunk if is_text.all() else mended(chunk, ends, is_text)
    cut = np.flatnonzero(np.frombuffer(text, np.uint8) == LINE_FEED) + 1
    offsets = np.append(0, cut)
    frame = pl.DataFrame(
        {
            "_line": np.arange(first_line, first_line + len(ends)),
            "line": stretches(pa.large_string(), offsets, text).str.strip_chars(" \t\r\n"),
            "is_text": is_text,
        }
    )
    return frame.filter(pl.col("line") != "").to_arrow()


def mended(chunk: bytes, ends: Places, is_text: Mask) -> bytes:
    starts = np.append(0, ends[:-1])
    parts = [
        chunk[start:end] if sound else chunk[start:end].decode("utf-8", "backslashreplace").encode()
        for start, end, sound in zip(starts.tolist(), ends.tolist(), is_text.tolist(), strict=True)
    ]
    return b"".join(parts)


def pieces(
    part: Part, header: Header, names: Sequence[Sequence[str]], connection: duckdb.DuckDBPyConnection
) -> Iterator[Piece]:
    keys = {name: names[place] for name, place in header.columns.items()}
    query = CHECKED.format(word=word_of(keys))
    line = 1
    for chunk in whole_lines(part.path):
        table = lines(chunk, line)
        line += chunk.count(b"\n")
        if table.num_rows:
            yield piece(table, part, keys, query, connection)


def word_of(keys: Mapping[str, Sequence[str]]) -> str:
    """SQL for what an object's `name` is read as: a column that rows spell in several ways, else in lower case."""
    cases = [f"when {literal(key)} then {literal(same[0])}" for same in keys.values() if len(same) > 1 for key in same]
    return f"case name {' '.join(cases)} else {PLAIN} end" if cases else PLAIN


def piece(
    table: pa.Table,
    part: Part,
    keys: Mapping[str, Sequence[str]],
    query: str,
    connection: duckdb.DuckDBPyConnection,
) -> Piece:
    """The chunk's rows; `keys` are the spellings of each column's name, the query is what looks at the objects."""
    connection.register("json_lines", table)
    values = ", ".join(value(part, name, same) for name, same in keys.items())
    checked = queried(connection, f"select * exclude (object) from ({query}) order by _line")
    connection.register("json_rows", checked.filter(pl.col("is_text") & pl.col("is_object")).to_arrow())
    frame = queried(connection, f"select _line, {values}, _origin from json_rows")
    connection.unregister("json_lines")
    connection.unregister("json_rows")
    rows = checked.select("_line", "row")
    broken = checked.filter(~(pl.col("is_text") & pl.col("is_object"))).select(
        "_line",
        ORIGIN,
        pl.when("is_text").then(pl.lit("not_an_object")).otherwise(pl.lit("bytes_do_not_decode")).alias("rule"),
        pl.when("is_text")
        .then(pl.lit("it is not one JSON object whose names differ"))
        .otherwise(pl.lit("its bytes are not UTF-8 (kept as \\xNN)"))
        .alias("detail"),
        "row",
    )
    held = int(rows.estimated_size())
    return Piece(frame, lambda wanted: rows.filter(pl.col("_line").is_in(wanted.implode()))["row"], broken, held)


def value(part: Part, name: str, keys: Sequence[str]) -> str:
    """SQL for one column's text, under whichever of its spellings it stands."""
    return f'coalesce({", ".join(text_of(part, name, key) for key in keys)}) as "{name}"'


def text_of(part: Part, name: str, key: str) -> str:
    """SQL for the text under one key: a list's elements joined by `;`, anything else as JSON writes it."""
    pointer = literal("/" + key.replace("~", "~0").replace("/", "~1"))
    text = f"json_extract_string(row, {pointer})"
    if part.table.column(name).kind == "list":
        elements = f"cast(json_extract(row, {pointer}) as varchar[])"
        text = f"case when json_type(row, {pointer}) = 'ARRAY' then array_to_string({elements}, ';') else {text} end"
    return text

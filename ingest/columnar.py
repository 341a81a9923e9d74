"""Parquet: row groups in batches; values become the text that the same checks read in every format."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from shipcast.ingest.errors import FileRefused
from shipcast.ingest.headers import Header, understood
from shipcast.ingest.piece import BROKEN, ORIGIN, Piece, queried
from shipcast.ingest.sources import Part

BATCH = 16_384  # rows
BATCH_BYTES = 16 * 2**20
DAMAGE = (pa.ArrowException, OSError, ValueError, NotImplementedError)


def read_parquet(part: Part, connection: duckdb.DuckDBPyConnection) -> tuple[Header, Iterator[Piece]]:
    """The file's columns, and its rows piece by piece; times without a zone keep none.

    Raises
    ------
    FileRefused
        At once or while the pieces are read.
    """
    try:
        file = pq.ParquetFile(part.path)
    except DAMAGE as error:
        raise damaged(error) from error
    header = understood(part.table, file.schema_arrow.names)
    check_plain(file.schema_arrow, header)
    return header, pieces(file, header, connection)


def check_plain(schema: pa.Schema, header: Header) -> None:
    """Nothing, if every column of the table holds plain values or lists of them."""
    for name, place in header.columns.items():
        kind = schema.field(place).type
        if not is_plain(kind.value_type if is_list(kind) else kind):
            raise FileRefused(
                f"its column {name} holds {kind}, not plain values. Nothing was stored; export it as text"
            )


def damaged(error: Exception) -> FileRefused:
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return FileRefused(
        f"the Parquet file is truncated or corrupt ({first_line[:120]}). Nothing was stored; copy it again"
    )


def pieces(file: pq.ParquetFile, header: Header, connection: duckdb.DuckDBPyConnection) -> Iterator[Piece]:
    line = 1
    with file:
        try:
            for batch in file.iter_batches(batch_size=BATCH):
                for some in slices(batch):
                    yield piece(readable(some), line, header, connection)
                    line += some.num_rows
        except DAMAGE as error:
            raise damaged(error) from error


def slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in stretches of bounded size: what a file holds once may be the value of every row."""
    rows = max(1, batch.num_rows * BATCH_BYTES // max(batch.nbytes, 1))
    yield from (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))


def readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without the types that its readers do not all know."""
    fields = [field.with_type(known_type(field.type)) for field in batch.schema]
    return batch if fields == list(batch.schema) else batch.cast(pa.schema(fields))


def known_type(kind: pa.DataType) -> pa.DataType:
    """The type itself, or the nearest one that every reader knows; a zone is only how an instant is shown."""
    if pa.types.is_timestamp(kind) and kind.tz:
        return pa.timestamp(kind.unit, "UTC")
    known = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary(), pa.float16(): pa.float32()}
    return known.get(kind, kind)


def piece(batch: pa.RecordBatch, first_line: int, header: Header, connection: duckdb.DuckDBPyConnection) -> Piece:
    lines = pl.Series("_line", np.arange(first_line, first_line + batch.num_rows))
    columns = [batch.column(place) for place in header.columns.values()]
    read = pl.DataFrame(pl.from_arrow(pa.RecordBatch.from_arrays(columns, list(header.columns))))
    given = {values.name: values for values in read}
    texts = {name: as_text(values) for name, values in given.items()}
    is_lost = pl.Series(np.zeros(batch.num_rows, np.bool_))
    for name, values in given.items():
        is_lost |= texts[name].is_null() & values.is_not_null()
    frame = pl.DataFrame({"_line": lines, **texts}).with_columns(pl.lit(None, pl.String).alias(ORIGIN))

    def verbatim(wanted: pl.Series) -> pl.Series:
        return as_objects(batch.take((wanted - first_line).to_arrow()), connection)

    broken = pl.DataFrame(schema=BROKEN)
    if is_lost.any():
        lost = lines.filter(is_lost)
        reason = "its bytes are not UTF-8"
        broken = pl.DataFrame({"_line": lost, "row": verbatim(lost)}).select(
            "_line", pl.lit(None, pl.String).alias(ORIGIN), pl.lit("bytes_do_not_decode").alias("rule"),
            pl.lit(reason).alias("detail"), "row",
        )  # fmt: skip
    return Piece(frame.filter(~is_lost), verbatim, broken, batch.nbytes)


def as_text(values: pl.Series) -> pl.Series:
    """The values as a delimited file would hold them."""
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        zone = "Z" if kind.time_zone else ""
        instants = values.dt.convert_time_zone("UTC") if zone else values
        return instants.dt.cast_time_unit("us").dt.to_string(f"%Y-%m-%dT%H:%M:%S%.6f{zone}")
    if kind == pl.Binary:
        return decoded(values)
    if isinstance(kind, (pl.List, pl.Array)):
        return values.cast(pl.List(pl.String)).list.join(";", ignore_nulls=True)
    return values.cast(pl.String)


def decoded(values: pl.Series) -> pl.Series:
    """Binary values as text; null where the bytes are not UTF-8."""
    try:
        return values.cast(pl.String)
    except pl.exceptions.PolarsError:
        return pl.Series([None if value is None else sound(value) for value in values], dtype=pl.String)


def sound(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def as_objects(batch: pa.RecordBatch, connection: duckdb.DuckDBPyConnection) -> pl.Series:
    """The rows as JSON objects of all columns; should a type be one that JSON lacks, of the plain ones."""
    table = pa.Table.from_batches([batch])
    try:
        return encoded(table, connection)
    except duckdb.Error:
        return encoded(table.select([field.name for field in table.schema if is_plain(field.type)]), connection)


def encoded(table: pa.Table, connection: duckdb.DuckDBPyConnection) -> pl.Series:
    values = []
    for field in table.schema:
        name, key = (field.name.replace(quote, quote * 2) for quote in ('"', "'"))
        # JSON knows no NaN and no infinity, and they are what such a row may be quarantined for.
        finite = f"""case when not isfinite("{name}") then to_json("{name}"::varchar) else to_json("{name}") end"""
        values.append(f"""'{key}', """ + (finite if pa.types.is_floating(field.type) else f"""to_json("{name}")"""))
    connection.register("parquet_rows", table)
    try:
        query = f"select cast(json_object({', '.join(values)}) as varchar) as row from parquet_rows"
        return queried(connection, query)["row"]
    finally:
        connection.unregister("parquet_rows")


def is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_plain(kind: pa.DataType) -> bool:
    """Whether values of the type are written as one text."""
    types = pa.types
    if types.is_dictionary(kind):
        return is_plain(kind.value_type)
    texts = (types.is_string, types.is_large_string, types.is_string_view)
    bytes_ = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    numbers = (types.is_integer, types.is_floating, types.is_decimal32, types.is_decimal64, types.is_decimal128)
    others = (types.is_boolean, types.is_timestamp, types.is_date, types.is_time, types.is_null)
    return any(test(kind) for test in (*texts, *bytes_, *numbers, *others))

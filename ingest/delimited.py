"""Delimited text: the header understood, records split into fields by polars, broken rows named one by one."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator

import numpy as np
import polars as pl

from shipcast.ingest.errors import FileRefused
from shipcast.ingest.headers import Header, Vocabulary, vocabulary
from shipcast.ingest.piece import ORIGIN, Piece
from shipcast.ingest.records import Grammar, Mask, Places, Records, cut
from shipcast.ingest.sources import Part
from shipcast.ingest.stream import whole_lines

LONGEST_HEADER = 2**20  # bytes
DELIMITERS = ",;\t"


def read_delimited(
    part: Part, words: Vocabulary | None = None, encoding: str | None = None
) -> tuple[Header, Iterator[Piece]]:
    """The file's header, and its rows piece by piece.

    Parameters
    ----------
    words
        What its headers may be; None: those of the part's table.
    encoding
        That of its text; None: UTF-8, or UTF-16 with its mark.

    Raises
    ------
    FileRefused
        At once or while the pieces are read.
    """
    chunks = whole_lines(part.path, encoding)
    first = next(chunks, b"")
    if not first.strip():
        raise FileRefused("holds nothing but blank lines. Nothing was stored; export it again")
    header, delimiter, used, lines = read_header(words or vocabulary(part.table), first)
    return header, pieces(header, Grammar(delimiter, len(header.cells)), first[used:], lines, chunks)


def read_header(words: Vocabulary, chunk: bytes) -> tuple[Header, str, int, int]:
    """The header, its delimiter, and the bytes and lines it takes up."""
    start = chunk[:LONGEST_HEADER].decode("utf-8", "replace")
    if start.lstrip().startswith("<"):
        raise FileRefused("is a web page or XML, not a table. Nothing was stored; download the export itself")
    if "\0" in start.partition("\n")[0]:
        raise FileRefused("is no text: its first line holds NUL bytes. Nothing was stored; export it as CSV in UTF-8")
    readings = [first_record(start, delimiter) for delimiter in DELIMITERS]
    scores = [(sum(words.knows(cell) for cell in cells), len(cells)) for cells, _ in readings]
    best = scores.index(max(scores))
    cells, lines = readings[best]
    used = 0
    for _ in range(lines):
        used = chunk.index(b"\n", used) + 1
    text = chunk[:used].decode("utf-8", "replace").strip("\r\n")
    header = words.understood(cells, text)
    if header.own:
        text = Grammar(DELIMITERS[best], len(cells)).without_export(pl.Series([text]))[0]
    return words.understood(cells, text), DELIMITERS[best], used, lines


def first_record(text: str, delimiter: str) -> tuple[list[str], int]:
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    try:
        cells = next((cells for cells in reader if any(cell.strip() for cell in cells)), [])
    except csv.Error as error:
        raise FileRefused(f"has no header that can be read ({error}). Nothing was stored") from error
    return cells, reader.line_num


def pieces(header: Header, grammar: Grammar, first: bytes, lines: int, chunks: Iterator[bytes]) -> Iterator[Piece]:
    rest, line = b"", lines + 1
    for chunk in itertools.chain([first] if first else [], chunks):
        records = cut(rest + chunk, line, grammar, is_last=False)
        rest, line = records.rest, records.rest_line
        yield from piece(records, header, grammar)
    if rest:
        yield from piece(cut(rest, line, grammar, is_last=True), header, grammar)


def piece(records: Records, header: Header, grammar: Grammar) -> Iterator[Piece]:
    """The chunk's rows taken apart; nothing if there are none."""
    if records.is_blank.all():
        return
    is_right = records.is_text & records.is_complete & (records.fields == grammar.fields) & ~records.is_blank
    is_bare = is_right & records.is_strict
    frames = [fast(records, is_bare, header, grammar), slow(records, is_right & ~is_bare, header, grammar)]
    frame = pl.concat([frame for frame in frames if frame.height] or frames[:1])
    is_broken = ~is_right & ~records.is_blank
    yield Piece(
        frame=frame.sort("_line") if frames[1].height else frame,
        verbatim=lambda lines: verbatim(records, np.isin(records.lines, lines.to_numpy()), header, grammar),
        broken=broken(records, is_broken, header, grammar),
        held=records.size,
    )


def fast(records: Records, mask: Mask, header: Header, grammar: Grammar) -> pl.DataFrame:
    """The records whose quotes, if any, enclose whole fields."""
    content = records.content(mask)
    wanted = sorted({*header.columns.values(), *([] if header.origin is None else [header.origin])})
    if not content:
        return named(pl.DataFrame(schema={str(place): pl.String for place in wanted}), records.lines[mask], header)
    reading = pl.scan_csv(
        content,
        has_header=False,
        schema={str(place): pl.String for place in range(grammar.fields)},
        separator=grammar.delimiter,
        quote_char='"' if b'"' in content else None,
    )
    try:
        cells = reading.select(str(place) for place in wanted).collect()
    except pl.exceptions.PolarsError:
        return slow(records, mask, header, grammar)
    if cells.height != int(mask.sum()):
        return slow(records, mask, header, grammar)
    return named(cells, records.lines[mask], header)


def slow(records: Records, mask: Mask, header: Header, grammar: Grammar) -> pl.DataFrame:
    """The records with quotes inside unquoted fields."""
    return named(grammar.split(text_of(records, mask)), records.lines[mask], header)


def named(cells: pl.DataFrame, lines: Places, header: Header) -> pl.DataFrame:
    origin = pl.lit(None, pl.String) if header.origin is None else pl.col(str(header.origin)).str.strip_chars()
    rows = cells.select(
        *(pl.col(str(place)).alias(name) for name, place in header.columns.items()), origin.alias(ORIGIN)
    )
    return rows.insert_column(0, pl.Series("_line", lines, pl.Int64))


def text_of(records: Records, mask: Mask) -> pl.Series:
    """The records as text, their line feeds taken off; a byte that doesn't decode is written as \\xNN."""
    binary = records.binary(mask)
    is_text = records.is_text[mask]
    if is_text.all():
        text = binary.cast(pl.String)
    else:
        text = pl.Series([row.decode("utf-8", "backslashreplace") for row in binary], dtype=pl.String)
    return text.str.replace(r"\r?\n$", "")


def verbatim(records: Records, mask: Mask, header: Header, grammar: Grammar) -> pl.Series:
    rows = text_of(records, mask)
    return grammar.without_export(rows) if header.own else rows


def broken(records: Records, mask: Mask, header: Header, grammar: Grammar) -> pl.DataFrame:
    """The rows that could not be taken apart, and why."""
    rows = text_of(records, mask)
    own = header.own
    is_count = pl.col("is_complete")
    noun = pl.when(pl.col("fields") - own == 1).then(pl.lit(" field")).otherwise(pl.lit(" fields"))
    return pl.DataFrame(
        {
            "_line": records.lines[mask],
            "fields": records.fields[mask],
            "is_complete": records.is_complete[mask],
            "is_text": records.is_text[mask],
            "row": grammar.without_export(rows) if own else rows,
            ORIGIN: grammar.origin(rows) if own else pl.Series([None] * len(rows), dtype=pl.String),
        }
    ).select(
        pl.col("_line").cast(pl.Int64),
        ORIGIN,
        pl.when(~pl.col("is_text"))
        .then(pl.lit("bytes_do_not_decode"))
        .when(is_count)
        .then(pl.lit("wrong_number_of_fields"))
        .otherwise(pl.lit("unterminated_quote"))
        .alias("rule"),
        pl.when(~pl.col("is_text"))
        .then(pl.lit("its bytes are not UTF-8 (kept as \\xNN)"))
        .when(is_count)
        .then(pl.format("{}{} where the header has {}", pl.col("fields") - own, noun, pl.lit(grammar.fields - own)))
        .otherwise(pl.lit("a quote is opened and not closed, or stands where none may"))
        .alias("detail"),
        "row",
    )

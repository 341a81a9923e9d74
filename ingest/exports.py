"""Exports of other programs into the raw tables: CSV or JSON, read by a mapping.

An export is a file like the contract's own, under other names: it is read whole each time, its rows go by the same
rules, and what they break sends them to the quarantine with file and line (of JSON, the number of the record), as the
mapping reads them. What it does not hold any more stays.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from shipcast.ingest.delimited import read_delimited
from shipcast.ingest.errors import FileRefused, MappingWrong, NothingToLoad
from shipcast.ingest.files import counted, load_parts
from shipcast.ingest.headers import Header, Vocabulary, clipped, folded
from shipcast.ingest.json_records import UNDECODED, as_text, is_there, paths, records_of, value_at
from shipcast.ingest.mapping import ISO, nearest, own_value, read_mapping
from shipcast.ingest.mapping import Mapping as Meaning
from shipcast.ingest.origins import EXPORT
from shipcast.ingest.people import PEOPLE, Pseudonyms, pseudonyms
from shipcast.ingest.piece import BATCH_ROWS, BROKEN, ORIGIN, Piece, as_objects
from shipcast.ingest.proposals import proposals
from shipcast.ingest.refusals import of_load
from shipcast.ingest.report import LoadReport
from shipcast.ingest.sources import Feed, Part, check_regular, located, shown
from shipcast.settings import ExportSource, Settings
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.tables import BY_NAME

CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
JSON = (".json", ".json.gz")
LOOKED_AT = 200  # records whose paths are proposed
KEPT_NAMES = ("service", "environment")  # whose values mean themselves where the mapping does not name them
SHOWN = 3
FIRST = f"select {{names}} from scratch.{{table}} where not _is_bad order by _part, _line limit {SHOWN}"
NO_UTF8 = "its bytes are not UTF-8 (kept as \\xNN)"
DEPLOYED = "select distinct service from raw.deployments"

Progress = Callable[[str], None]


def ingest_export(
    settings: Settings,
    source: ExportSource,
    *,
    strict: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Load the files of an export; hold `run_lock` around it.

    Parameters
    ----------
    strict
        Load nothing if any row is bad.
    dry_run
        Do everything, report it, and keep nothing.

    Raises
    ------
    MappingWrong
        The mapping cannot be read, or names what an export does not have.
    NothingToLoad
        There is no such file.
    """
    meaning = read_mapping(source.mapping)
    with open_work(settings.home, settings) as connection:
        people = pseudonyms(connection)
    exports = [Export(path, source.mapping, meaning, None if source.names else people) for path in files(source.path)]
    report = LoadReport(is_dry_run=dry_run)
    parts = [export.part(number) for number, export in enumerate(exports)]

    def within(connection: duckdb.DuckDBPyConnection) -> None:
        people.keep(connection)
        if dry_run:
            look(connection, meaning.table, report)

    # A time without an offset is one of the source's zone, and this source has its own.
    zoned = settings.model_copy(update={"source_zone": meaning.zone or settings.source_zone})
    load_parts(zoned, parts, report, strict=strict, progress=progress, within=within)
    report.warnings += [warning for export in exports for warning in export.warnings()]
    report.warnings += suspicions(source.mapping, report)
    if meaning.table != "deployments":
        report.warnings += service_proposals(settings, source, exports)
    return report


def look(connection: duckdb.DuckDBPyConnection, table: str, report: LoadReport) -> None:
    """Let the report show the first rows as they would be stored, and why others would not."""
    names = ", ".join(f'"{column.name}"' for column in BY_NAME[table].columns)
    cursor = connection.execute(FIRST.format(names=names, table=table))
    columns = [name for name, *_ in cursor.description or ()]
    report.samples[table] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    report.refusals = of_load(connection)


def suspicions(mapping: Path, report: LoadReport) -> Iterator[str]:
    """Where the mapping is more likely wrong than the rows are."""
    for item in report.items:
        if item.is_all_quarantined:
            yield f"{mapping}: no row of {item.file} passed, so look at the mapping first, and then at the rows."


def service_proposals(settings: Settings, source: ExportSource, exports: Sequence[Export]) -> Iterator[str]:
    with open_work(settings.home, settings) as connection:
        deployed = {service for (service,) in connection.execute(DEPLOYED).fetchall()}
    found = {service for export in exports for service in export.services}
    yield from proposals(source.label, found, deployed, f"{source.mapping}, under [values.service]: ")


def files(path: Path) -> list[Path]:
    """The file, or those of the folder, by name.

    Raises
    ------
    NothingToLoad
        There is none.
    """
    try:
        is_there, is_dir = path.exists(), path.is_dir()
        found = sorted(each for each in path.iterdir() if not each.name.startswith((".", "_"))) if is_dir else [path]
    except OSError as error:
        raise NothingToLoad(
            f"{shown(path)} cannot be read: {error.strerror or error}.", next_step="Let this user read it."
        ) from error
    if not is_there:
        raise NothingToLoad(f"{shown(path)}: there is no such file or folder.", next_step="Export it there first.")
    wanted = [each for each in found if each.name.lower().endswith(CSV + JSON)]
    if not wanted:
        endings = ", ".join(CSV + JSON)
        raise NothingToLoad(f"{shown(path)} is no export.", next_step=f"Looked for files that end in {endings}.")
    return wanted


@dataclass
class Export:
    """One file of an export.

    Parameters
    ----------
    people
        What stands for people; None: their names are kept.

    Attributes
    ----------
    services
        Services that it names and the mapping does not.
    left_out
        Rows that the mapping leaves out, by what in it does.
    """

    path: Path
    mapping: Path
    meaning: Meaning
    people: Pseudonyms | None
    services: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)

    def part(self, number: int) -> Part:
        table, given = self.meaning.target, shown(self.path)
        feed = Feed(f"{EXPORT}{shown(located(self.path))}", self.pieces)
        return Part(table, self.path, shown(self.path.name), "feed", given, number, feed=feed)

    def pieces(self) -> Iterator[Piece]:
        """Its rows under the contract's names."""
        stamp = check_regular(self.path)
        if self.path.name.lower().endswith(JSON):
            given = self.json_pieces()
        else:
            places = frozenset(map(folded, self.meaning.places))
            words = Vocabulary(lambda header: folded(header) in places, self.understood)
            _, given = read_delimited(self.part(0), words, self.meaning.encoding)
        for piece in given:
            yield self.mapped(piece)
        if check_regular(self.path) != stamp:
            raise FileRefused("was changed while it was read. Nothing was stored; load it when it is complete")

    def understood(self, cells: Sequence[str], text: str) -> Header:
        """Where the mapping's headers stand; of several alike the first counts.

        Raises
        ------
        MappingWrong
            One is missing.
        """
        names = [folded(cell) for cell in cells]
        if missing := [header for header in self.meaning.places if folded(header) not in names]:
            raise self.lacks(missing, [cell for cell in cells if cell.strip()])
        columns = {name: names.index(folded(header)) for name, header in self.wanted()}
        return Header(tuple(cells), columns, text=text)

    def wanted(self) -> Iterator[tuple[str, str]]:
        """What a piece has to hold, each with its header or path: the columns, and behind them what rows go by."""
        yield from self.meaning.columns.items()
        for number, header in enumerate(self.meaning.only):
            yield f"only {number}", header

    def lacks(self, places: Sequence[str], there: Sequence[str]) -> MappingWrong:
        """That it has not what the mapping names, each with what is nearest."""
        has = [clipped(each) for each in there]
        said = [f"has no {place!r}.{nearest(place, has, else_all=place == places[-1])}" for place in places]
        own = None if self.meaning.encoding or not any("\ufffd" in each for each in has) else UNDECODED
        return MappingWrong(
            f"{self.mapping}: {shown(self.path.name)} {' It '.join(said)}",
            next_step=f"{own[0].upper()}{own[1:]}." if own else "Correct the mapping, or export that too.",
        )

    def json_pieces(self) -> Iterator[Piece]:
        records = records_of(self.path, self.meaning.records, self.meaning.encoding)
        found = [record for record in records if isinstance(record, dict)]
        missing = [place for place in self.meaning.places if not any(is_there(record, place) for record in found)]
        if found and missing:
            raise self.lacks(missing, sorted({path for record in found[:LOOKED_AT] for path in paths(record)}))
        numbered = enumerate(records, 1)
        while batch := list(islice(numbered, BATCH_ROWS)):
            yield self.json_piece(batch)

    def json_piece(self, batch: Sequence[tuple[int, Any]]) -> Piece:
        wanted = dict(self.wanted())
        rows = [
            {"_line": line, ORIGIN: None, **{name: self.text(record, place) for name, place in wanted.items()}}
            for line, record in batch
            if isinstance(record, dict)
        ]
        frame = pl.DataFrame(rows, schema={"_line": pl.Int64, ORIGIN: pl.String, **dict.fromkeys(wanted, pl.String)})
        others = [(line, json.dumps(record)) for line, record in batch if not isinstance(record, dict)]
        broken = [(line, None, "not_an_object", "it is no JSON object", row) for line, row in others]
        return Piece(frame, as_objects(frame), pl.DataFrame(broken, schema=BROKEN, orient="row"))

    def text(self, record: Any, place: str) -> str | None:
        """A value as a file of the contract would hold it.

        Raises
        ------
        MappingWrong
            It is an object, of which the mapping does not say the part that is meant.
        """
        found = value_at(record, place)
        for each in found if isinstance(found, list) else [found]:
            if isinstance(each, dict):
                parts = [f"{place}.{name}" for name in list(each)[:8]]
                raise MappingWrong(
                    f"{self.mapping}: {place!r} is an object in {shown(self.path.name)}.",
                    next_step=f"Name a part of it: {', '.join(map(clipped, parts))}.",
                )
        return as_text(found)

    def mapped(self, piece: Piece) -> Piece:
        """The rows as the mapping reads them; those with a value that it does not know go to the broken ones."""
        frame = self.translated(self.chosen(piece.frame))
        broken = [self.decoded(piece.broken)]
        for name in self.meaning.values:
            frame, unknown = self.with_values(frame, name)
            broken.append(unknown)
        frame, unread = self.with_times(frame)
        broken.append(unread)
        if "service" in self.meaning.columns:
            named = set(self.meaning.values.get("service", {}).values())
            self.services.update(set(frame["service"].drop_nulls()) - named)
        return Piece(frame, as_objects(frame.drop(ORIGIN)), pl.concat(broken), piece.held)

    def chosen(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows that are wanted, their values trimmed, and null where empty."""
        frame = frame.with_columns(pl.col(pl.String).str.strip_chars())
        frame = frame.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)))
        for number, (header, values) in enumerate(self.meaning.only.items()):
            is_wanted = pl.col(f"only {number}").is_in([value.strip() for value in values])
            frame = self.kept(frame, is_wanted.fill_null(value=False), f"[only] {header!r}")
        return frame

    def translated(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows with the contract's times, the constants, and what stands for people."""
        meaning = self.meaning
        instants = [column.name for column in meaning.target.columns if column.kind == "instant"]
        people = sorted(PEOPLE & meaning.columns.keys())
        return frame.with_columns(
            *(self.instant(name) for name in instants if name in meaning.columns and meaning.time_format),
            *(pl.lit(value).alias(name) for name, value in meaning.constants.items()),
            *(pl.col(name).map_elements(self.people.of, pl.String) for name in people if self.people),
        ).select("_line", ORIGIN, *meaning.columns, *meaning.constants)

    def decoded(self, broken: pl.DataFrame) -> pl.DataFrame:
        """The broken rows, of which those with bytes that are no letters say the encoding that was tried."""
        said = f"its bytes are not {self.meaning.encoding}" if self.meaning.encoding else f"{NO_UTF8}: {UNDECODED}"
        is_one = pl.col("rule") == "bytes_do_not_decode"
        return broken.with_columns(detail=pl.when(is_one).then(pl.lit(said)).otherwise(pl.col("detail")))

    def kept(self, frame: pl.DataFrame, is_kept: pl.Expr, why: str) -> pl.DataFrame:
        """The rows that are; the others are counted."""
        rows = frame.filter(is_kept)
        self.left_out[why] += frame.height - rows.height
        return rows

    def with_values(self, frame: pl.DataFrame, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows with what a column's values mean, and as broken ones those whose value nobody knows."""
        column = self.meaning.target.column(name)
        given = {text.lower(): own_value(column, text) for text in frame[name].drop_nulls().unique()}
        meanings = {text: value for text, value in given.items() if value is not None}
        meanings |= {folded(theirs): ours for theirs, ours in self.meaning.values[name].items()}
        own, meant = pl.col(name), pl.col(name).str.to_lowercase().replace_strict(
            meanings, default=None, return_dtype=pl.String
        )  # fmt: skip
        is_unknown = own.is_not_null() & meant.is_null() & (name not in KEPT_NAMES)
        unknown = frame.filter(is_unknown)
        frame = frame.filter(~is_unknown).with_columns(pl.coalesce(meant, own).alias(name))
        frame = self.kept(frame, pl.col(name).ne_missing(""), f"[values.{name}]")
        said = "{} '{}' is not named under [values.{}] of the mapping"
        told = pl.format(said, pl.lit(name), own.map_elements(clipped, pl.String), pl.lit(name))
        return frame, broken_of(unknown, "unknown_value", told)

    def with_times(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows whose times are in ISO 8601 by now, and as broken ones those that the format does not fit."""
        broken, form = [frame.clear().pipe(broken_of, "", pl.lit(""))], self.meaning.time_format
        instants = [column.name for column in self.meaning.target.columns if column.kind == "instant"]
        for name in instants if form else ():
            if name in self.meaning.columns:
                is_unread = pl.col(name).is_not_null() & ~pl.col(name).str.contains(ISO)
                unread = frame.filter(is_unread)
                frame = frame.filter(~is_unread)
                given = pl.col(name).map_elements(clipped, pl.String)
                told = pl.format("{} '{}' does not fit time_format {}", pl.lit(name), given, pl.lit(repr(form)))
                broken.append(broken_of(unread, "not_a_time", told))
        return frame, pl.concat(broken)

    def instant(self, name: str) -> pl.Expr:
        """The time in ISO 8601, in its own offset's UTC or without one; what the format does not fit stays as it is."""
        form = self.meaning.time_format or ""
        read = pl.col(name).str.to_datetime(form, strict=False, time_unit="us")
        return pl.coalesce(read.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if "%z" in form else "")), pl.col(name))

    def warnings(self) -> Iterator[str]:
        for why, count in self.left_out.items():
            if count:
                yield f"{shown(self.path.name)}: left out {counted(count, 'row')} by {why}."


def broken_of(rows: pl.DataFrame, rule: str, told: pl.Expr) -> pl.DataFrame:
    """The rows as such that could not be taken apart, and why."""
    return rows.select(
        pl.col("_line"),
        pl.col(ORIGIN),
        pl.lit(rule, pl.String).alias("rule"),
        told.cast(pl.String).alias("detail"),
        as_objects(rows.drop(ORIGIN))(rows["_line"]).alias("row"),
    )

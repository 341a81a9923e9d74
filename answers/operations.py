"""What the verbs say that change the home: loads, builds, runs, quarantine, set-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Number, Part
from shipcast.answers.errors import UnknownName
from shipcast.answers.words import plural
from shipcast.settings import Settings, Source
from shipcast.settings.sources import RemoteSource
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.tables import BY_NAME

if TYPE_CHECKING:
    from shipcast.ingest.files import FileLoad, LoadReport
    from shipcast.ingest.report import Refusals
    from shipcast.settings.errors import ShipcastError
    from shipcast.warehouse.snapshot import Snapshot
    from shipcast.warehouse.transform import BuildReport


COUNTS = ("read", "inserted", "updated", "unchanged", "merged", "quarantined")


class IngestItem(Part):
    """What became of one file: read = inserted + updated + unchanged + merged + quarantined."""

    table: str
    file: str
    read: Count
    inserted: Count
    updated: Count
    unchanged: Count
    merged: Count
    quarantined: Count
    refused: str | None


class Sample(Part):
    """The first rows for a table, by the contract's columns; people are pseudonyms, unless their names are kept."""

    table: str
    rows: tuple[dict[str, str | None], ...]


class RefusedRows(Part):
    """Rows of a table that are refused for one reason, and why the first of them is; `column` null: as a whole."""

    table: str
    rule: str
    column: str | None
    rows: Count
    first: str


class IngestAnswer(Answer):
    """What a load did, file by file.

    Parameters
    ----------
    samples, refused
        Of a dry run of an export: the first rows as they would be stored, and the others by reason.
    """

    schema_name: Literal["shipcast/ingest/1"] = Field("shipcast/ingest/1", alias="schema")
    items: tuple[IngestItem, ...]
    dry_run: bool
    samples: tuple[Sample, ...] = ()
    refused: tuple[RefusedRows, ...] = ()
    sentence: str


class BuiltMart(Part):
    """A published table and its rows."""

    mart: str
    rows: Count


class BuildAnswer(Answer):
    schema_name: Literal["shipcast/build/1"] = Field("shipcast/build/1", alias="schema")
    items: tuple[BuiltMart, ...]
    snapshot: str
    tests: Count
    seconds: Number
    sentence: str


class RunAnswer(Answer):
    """What a run loaded and published.

    Parameters
    ----------
    training
        Why and what was trained; null: no training was due, or it failed, which is a warning.
    notified
        What people were told at its end; null: no channel is configured, or none could be.
    """

    schema_name: Literal["shipcast/run/1"] = Field("shipcast/run/1", alias="schema")
    items: tuple[IngestItem, ...]
    snapshot: str
    training: str | None
    notified: str | None = None
    sentence: str


class QuarantinedRow(Part):
    """A refused row: where it lay, which rule it broke, and its text as it was."""

    quarantine_id: str
    table: str
    file: str
    line: int | None
    column: str | None
    rule: str
    reason: str
    row: str | None


class QuarantineAnswer(Answer):
    """The first refused rows.

    Parameters
    ----------
    total
        How many there are in all.
    refused
        All of them by table, rule and column, the most first.
    """

    schema_name: Literal["shipcast/quarantine/1"] = Field("shipcast/quarantine/1", alias="schema")
    items: tuple[QuarantinedRow, ...]
    total: Count
    refused: tuple[RefusedRows, ...] = ()
    sentence: str


class WrittenFile(Part):
    """A file the verb wrote, and the rows in it (null: not a table)."""

    file: str
    rows: Count | None = None


class WrittenAnswer(Answer):
    """Files that `simulate`, `init` or `quarantine export` wrote."""

    schema_name: Literal["shipcast/written/1"] = Field("shipcast/written/1", alias="schema")
    items: tuple[WrittenFile, ...]
    sentence: str


class Component(Part):
    """A program or library Shipcast runs on, and its version."""

    component: str
    version: str


class VersionAnswer(Answer):
    schema_name: Literal["shipcast/version/1"] = Field("shipcast/version/1", alias="schema")
    items: tuple[Component, ...]


def envelope(as_of: datetime, data_as_of: Instant | None = None) -> dict[str, Any]:
    return {"generated_at": datetime.now(UTC), "as_of": as_of, "data_as_of": data_as_of}


def ingest_answer(report: LoadReport, as_of: datetime, *, dry_run: bool) -> IngestAnswer:
    """What a load did, file by file."""
    return IngestAnswer(
        **envelope(as_of),
        items=ingest_items(report.items),
        warnings=tuple(report.warnings),
        dry_run=dry_run,
        samples=samples_of(report.samples),
        refused=refused_rows(report.refusals),
        sentence=load_sentence(report, dry_run),
    )


def samples_of(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Sample, ...]:
    """Rows as they are shown: instants to the second in UTC, whatever says them."""
    return tuple(
        Sample(table=table, rows=tuple({name: shown_value(value) for name, value in row.items()} for row in first))
        for table, first in rows.items()
    )


def shown_value(value: Any) -> str | None:
    """
    >>> shown_value(datetime(2026, 1, 5, 9)), shown_value(["a", "b"]), shown_value(None)
    ('2026-01-05T09:00:00Z', 'a;b', None)
    """
    from shipcast.ingest.json_records import as_text

    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else as_text(value)


def ingest_items(loads: Sequence[FileLoad]) -> tuple[IngestItem, ...]:
    return tuple(IngestItem(**{name: getattr(load, name) for name in IngestItem.model_fields}) for load in loads)


def load_sentence(report: LoadReport, dry_run: bool) -> str:
    counts = {name: sum(getattr(item, name) for item in report.items) for name in COUNTS}
    parts = [f"{number:,} {name}" for name, number in counts.items() if number and name != "read"]
    refused = sum(item.refused is not None for item in report.items)
    told = f"Read {plural(counts['read'], 'row')}" + (f": {', '.join(parts)}" if parts else "")
    told += f"; {plural(refused, 'file')} refused" if refused else ""
    return f"{told}. {'Nothing was stored: this was a dry run.' if dry_run else ''}".strip()


def build_answer(report: BuildReport, snapshot: Snapshot, as_of: datetime) -> BuildAnswer:
    """What was built, tested and published."""
    return BuildAnswer(
        **envelope(as_of),
        items=tuple(BuiltMart(mart=name, rows=rows) for name, rows in sorted(report.rows.items())),
        snapshot=snapshot.snapshot_id,
        tests=report.tests,
        seconds=report.seconds,
        sentence=built_sentence(report),
    )


def built_sentence(report: BuildReport) -> str:
    deployments = report.rows.get("fct_deployments", 0)
    how = "built in full" if report.is_full else "to which was added what has changed since the last build"
    return (
        f"Published {plural(deployments, 'deployment')} in {len(report.rows)} tables, {how}; "
        f"all {report.tests} tests passed, {report.seconds:.1f} s."
    )


def run_answer(
    loads: Sequence[tuple[Source, LoadReport | ShipcastError]],
    report: BuildReport,
    snapshot: Snapshot,
    as_of: datetime,
    dropped: int = 0,
    training: str | None = None,
    untrained: ShipcastError | None = None,
) -> RunAnswer:
    """What one run loaded and published; a refused source is a warning, and so is a training that failed."""
    reports = [load for _, load in loads if not isinstance(load, Exception)]
    refusals = [str(load) for _, load in loads if isinstance(load, Exception)]
    said = [source_sentence(source, load) for source, load in loads if not isinstance(load, Exception)]
    return RunAnswer(
        **envelope(as_of),
        items=tuple(item for load in reports for item in ingest_items(load.items)),
        warnings=(
            *refusals,
            *(warning for load in reports for warning in load.warnings),
            *pruned(dropped),
            *([f"A training was due and failed: {untrained}"] if untrained else []),
        ),
        snapshot=snapshot.snapshot_id,
        training=training,
        sentence=" ".join([*said, built_sentence(report)]),
    )


def source_sentence(source: Source, load: LoadReport) -> str:
    alone = isinstance(source, RemoteSource) and source.is_told_alone
    return f"{f'{source.label} is told of by webhooks alone. ' if alone else ''}{load_sentence(load, dry_run=False)}"


def pruned(dropped: int) -> list[str]:
    if not dropped:
        return []
    rows = plural(dropped, "refused row")
    return [f"Dropped {rows} older than quarantine_days, which their files no longer hold."]


def written_answer(
    files: Mapping[Path, int | None], sentence: str, as_of: datetime, warnings: Sequence[str] = ()
) -> WrittenAnswer:
    """The files a verb wrote, in their order."""
    items = tuple(WrittenFile(file=str(path), rows=rows) for path, rows in files.items())
    return WrittenAnswer(**envelope(as_of), items=items, sentence=sentence, warnings=tuple(warnings))


def quarantine_answer(settings: Settings, as_of: datetime, *, table: str | None, limit: int) -> QuarantineAnswer:
    """The first refused rows, and how many there are in all and by reason.

    Raises
    ------
    UnknownName
        No input table has that name.
    """
    from shipcast.ingest.quarantine import quarantined
    from shipcast.ingest.refusals import waiting

    if table is not None and table not in BY_NAME:
        raise UnknownName("table", table, BY_NAME)
    with run_lock(settings.home, "quarantine list"), open_work(settings.home) as connection:
        rows, refused = quarantined(connection, table), refused_rows(waiting(connection, table))
    items = tuple(
        QuarantinedRow(**{name: getattr(row, name) for name in QuarantinedRow.model_fields}) for row in rows[:limit]
    )
    shown = f", the first {limit} here" if len(rows) > limit else ""
    sentence = f"{plural(len(rows), 'refused row')} in quarantine{shown}." if rows else "No row is in quarantine."
    return QuarantineAnswer(**envelope(as_of), items=items, total=len(rows), refused=refused, sentence=sentence)


def refused_rows(found: Sequence[Refusals]) -> tuple[RefusedRows, ...]:
    return tuple(RefusedRows(**asdict(each)) for each in found)


def quarantine_export_answer(settings: Settings, as_of: datetime, directory: Path) -> WrittenAnswer:
    """The files that the refused rows were written to, with the rows in each."""
    from shipcast.ingest.quarantine import export, quarantined

    with run_lock(settings.home, "quarantine export"):
        paths = export(settings, directory)
        with open_work(settings.home) as connection:
            is_empty = not quarantined(connection, limit=1)
    files = {path: rows_in(path) for path in paths}
    rows = plural(sum(files.values()), "refused row")
    nothing = "No row is in quarantine." if is_empty else f"All refused rows lie in {directory} already."
    sentence = f"Wrote {rows} to {plural(len(paths), 'file')} in {directory}." if paths else nothing
    return written_answer(files, sentence, as_of)


def rows_in(path: Path) -> int:
    """Lines below the header; exported JSON lines have none."""
    with path.open("rb") as file:
        lines = sum(1 for _ in file)
    return lines - (path.suffix == ".csv")

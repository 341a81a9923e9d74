"""Contract files to raw tables: one call, one load, one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from shipcast.ingest.merging import dangling, merge
from shipcast.ingest.origins import ways_out
from shipcast.ingest.report import FileLoad, LoadReport
from shipcast.ingest.set_aside import set_aside, settle
from shipcast.ingest.sources import SIMULATED, Part, parts_of
from shipcast.ingest.staging import Staging, scratch
from shipcast.settings import Settings
from shipcast.warehouse.connection import WORK_FILE, checkpoint, open_work, storage_error
from shipcast.warehouse.tables import BY_NAME, TABLES

__all__ = ["FileLoad", "LoadReport", "ingest_files", "load_parts"]

SHOWN_ROWS = 5
COUNTS = ("read", "inserted", "updated", "unchanged", "merged", "quarantined")
NAMESAKES = r"""
with named as ({named}),
spelt as (
    select service, string_agg(table_name, ', ' order by table_name) as tables from named
    where service is not null group by 1
)
select list((service, tables) order by service) from spelt
group by regexp_replace(lower(service), '[\s_-]+', '', 'g') having count(*) > 1 order by 1
"""
Progress = Callable[[str], None]
Within = Callable[[duckdb.DuckDBPyConnection], None]


def silent(message: str) -> None:
    """Progress that nobody wants to see."""


def ingest_files(
    settings: Settings,
    paths: Sequence[Path],
    *,
    strict: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Load the files of the contract's tables that the paths hold; hold `run_lock` around it.

    Parameters
    ----------
    paths
        Folders of files named after the tables, or single such files. All of them are one load.
    strict
        Load nothing and quarantine nothing if any row or file is bad.
    dry_run
        Do everything, report it, and keep nothing.

    Raises
    ------
    NothingToLoad
        A path is missing, or nothing in it is named after a table.
    StorageError
        The database cannot be written.
    """
    parts, skipped = parts_of(paths)
    report = LoadReport(skipped=skipped, is_dry_run=dry_run)
    if skipped:
        report.warnings.append(f"Skipped, since they are named after no table: {listed(skipped)}.")
    is_simulated = any(says_simulated(path) for path in paths)
    load_parts(settings, parts, report, strict=strict, progress=progress, is_simulated=is_simulated)
    return report


def load_parts(
    settings: Settings,
    parts: Sequence[Part],
    report: LoadReport,
    *,
    strict: bool = False,
    progress: Progress | None = None,
    is_simulated: bool = False,
    within: Within | None = None,
) -> None:
    """Load the parts and fill in the report; see `ingest_files`.

    Parameters
    ----------
    within
        What else is to be written in the same transaction, such as how far a source was read. It sees the rows in
        `scratch` and in `raw`, and is not called where `strict` loads nothing.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        with open_work(settings.home, settings) as connection, scratch(connection, settings):
            items = read_all(connection, parts, now, progress or silent)
            report.items = list(items.values())
            warn_of_headers(report)
            with transaction(connection, is_kept=not report.is_dry_run):
                store(connection, parts, items, report, now, strict, is_simulated, within)
            checkpoint(connection, settings.home)
    except duckdb.Error as error:
        raise storage_error(settings.home / WORK_FILE, error) from error


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection, *, is_kept: bool) -> Iterator[None]:
    """What the block writes, kept whole or not at all."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise
    connection.execute("commit" if is_kept else "rollback")


def read_all(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], now: datetime, progress: Progress
) -> dict[int, FileLoad]:
    """Every part read, checked and staged; by part number."""
    items: dict[int, FileLoad] = {}
    for table in TABLES:
        mine = [part for part in parts if part.table is table]
        if not mine:
            continue
        staging = Staging(connection, table, now, progress)
        for part in mine:
            items[part.number] = staging.read(part)
        staging.flush()
        progress(f"{table.name}: read {counted(sum(items[part.number].read for part in mine), 'row')}")
    for number, count in settle(connection).items():
        items[number].settled = count
    for number, count in connection.execute("select _part, count(*) from scratch.bad group by 1").fetchall():
        items[number].quarantined = count
    return items


def store(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    items: dict[int, FileLoad],
    report: LoadReport,
    now: datetime,
    strict: bool,
    is_simulated: bool,
    within: Within | None,
) -> None:
    """Merge what was staged, keep the quarantine and the record of the load; within the caller's transaction."""
    load_id = next_load_id(connection)
    report.load_id = load_id
    offences = bad_rows(connection)
    if strict and (offences or any(item.refused for item in items.values())):
        refuse_all(items, report, offences)
    else:
        for table in TABLES:
            of_table = {part.number: items[part.number] for part in parts if part.table is table}
            if of_table:
                merge(connection, table, load_id, of_table)
        for item in items.values():
            item.unchanged += item.settled
        set_aside(connection, {part.table.name for part in parts}, load_id, now)
        if is_simulated:
            connection.execute("delete from raw._facts where name = 'is_simulated'")
            connection.execute("insert into raw._facts values ('is_simulated', 'true')")
        if within:
            within(connection)
        count_dangling(connection, {part.table.name for part in parts}, report)
        warn_of_namesakes(connection, report)
    warn_of_rows(report, offences, strict)
    record(connection, parts, items, load_id, now)


def next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select coalesce(max(load_id), 0) + 1 from raw._loads").fetchall()
    return int(row[0][0])


def bad_rows(connection: duckdb.DuckDBPyConnection) -> dict[int, list[str]]:
    """The reasons of the first few bad rows of every part that has any."""
    rows = connection.execute(
        "select _part, list(reason order by _line)[:5] from scratch.bad group by 1 order by 1"
    ).fetchall()
    return dict(rows)


def refuse_all(items: dict[int, FileLoad], report: LoadReport, offences: dict[int, list[str]]) -> None:
    bad = sum(item.quarantined for item in items.values())
    refused = sum(item.refused is not None for item in items.values())
    what = " and ".join(
        words for count, words in ((bad, counted(bad, "bad row")), (refused, counted(refused, "refused file"))) if count
    )
    for item in items.values():
        for name in COUNTS:
            setattr(item, name, 0)
        item.refused = item.refused or f"strict: nothing was loaded, since the load holds {what}"
    shown = [reason for reasons in offences.values() for reason in reasons][:SHOWN_ROWS]
    report.warnings += shown
    if bad > len(shown):
        report.warnings.append(f"… and {counted(bad - len(shown), 'more bad row')}.")


def count_dangling(connection: duckdb.DuckDBPyConnection, loaded: set[str], report: LoadReport) -> None:
    for table in TABLES:
        if table.name in loaded or any(target in loaded for _, target in table.references):
            report.dangling.update(dangling(connection, table))
    for where, count in report.dangling.items():
        report.warnings.append(
            f"{where}: {counted(count, 'row')} with a deployment that is not known (yet); kept until it is."
        )


def warn_of_namesakes(connection: duckdb.DuckDBPyConnection, report: LoadReport) -> None:
    """Name the services that may be one under two spellings; nothing is put together."""
    of_services = [table.name for table in TABLES if any(column.name == "service" for column in table.columns)]
    named = " union all ".join(
        f"select distinct service, '{name}' as table_name from raw.{name}" for name in of_services
    )
    alike = connection.execute(NAMESAKES.format(named=named)).fetchall()
    for spellings in alike[:SHOWN_ROWS]:
        names = listed([f"{name!r} ({tables})" for pair in spellings for name, tables in pair])
        report.warnings.append(f"Different services, or one? {names} differ only in case, spaces or dashes.")
    if len(alike) > SHOWN_ROWS:
        report.warnings.append(f"… and {counted(len(alike) - SHOWN_ROWS, 'more such name')}.")


def record(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    items: dict[int, FileLoad],
    load_id: int,
    now: datetime,
) -> None:
    rows = [
        [load_id, now, part.given, part.file, part.table.name, *(getattr(item, name) for name in COUNTS), item.refused]
        for part in parts
        for item in [items[part.number]]
    ]
    if rows:
        names = ["load_id", "loaded_at", "source", "file", "table_name", *COUNTS, "refused"]
        frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
        connection.register("load_records", frame.to_arrow())
        connection.execute("insert into raw._loads by name select * from load_records")
        connection.unregister("load_records")


def warn_of_headers(report: LoadReport) -> None:
    """Name what was mapped and what was left out, once per table."""
    for table in BY_NAME:
        mapped = {header: name for item in report.items if item.table == table for header, name in item.mapped.items()}
        unknown = {header: None for item in report.items if item.table == table for header in item.unknown}
        if mapped:
            pairs = [f"{header} as {name}" for header, name in mapped.items()]
            report.warnings.append(f"{table}: took {listed(pairs)}.")
        if unknown:
            noun = "unknown column" if len(unknown) == 1 else "unknown columns"
            report.warnings.append(f"{table}: left out the {noun} {listed(list(unknown))}.")
        near = {header: name for item in report.items if item.table == table for header, name in item.near.items()}
        if near:
            pairs = [f"{header} meant as {name}" for header, name in near.items()]
            report.warnings.append(f"{table}: is {listed(pairs)}? Then rename it, and load the file again.")


def warn_of_rows(report: LoadReport, offences: dict[int, list[str]], strict: bool) -> None:
    for item in report.items:
        if item.refused and not item.refused.startswith("strict: "):
            report.warnings.append(f"{item.file}: {item.refused}.")
        elif not item.refused and item.read == 0 and not item.is_addition:
            report.warnings.append(f"{item.file}: holds a header and no rows; nothing changed.")
    if strict and any(item.refused for item in report.items):
        return
    for item in report.items:
        if item.settled:
            report.warnings.append(
                f"{item.file}: {counted(item.settled, 'row')} still as once refused; the correction you loaded stands."
            )
    bad = [item for item in report.items if item.quarantined]
    for item, reasons in zip(bad, offences.values(), strict=True):
        item.reason = reasons[0]
    report.warnings += quarantine_told(report.items)


def quarantine_told(items: Sequence[FileLoad]) -> Iterator[str]:
    """How many rows of each were quarantined, why the first was, and what mends them."""
    bad = [item for item in items if item.quarantined]
    for item in bad:
        share = "all" if item.is_all_quarantined else f"{item.quarantined:,} of"
        yield f"{item.file}: {share} {counted(item.read, 'row')} quarantined, the first: {item.reason}."
    yield from ways_out(item.path for item in bad)


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(name if len(name) <= 60 else name[:59] + "…" for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def says_simulated(path: Path) -> bool:
    """Whether the folder's `simulated.json` says that a simulator wrote the data."""
    try:
        content = json.loads((path / SIMULATED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("simulated") is True

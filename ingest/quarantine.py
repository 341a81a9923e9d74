"""Refused rows: kept verbatim, listed, exported, tried again."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from shipcast.ingest.delimited import DELIMITERS
from shipcast.ingest.files import load_parts
from shipcast.ingest.headers import EXPORTED
from shipcast.ingest.origins import is_file, way_out
from shipcast.ingest.report import LoadReport
from shipcast.ingest.sources import Part, numbered, parts_of, split_name
from shipcast.settings import Settings
from shipcast.settings.errors import StorageError
from shipcast.settings.files import write_whole
from shipcast.warehouse.connection import checkpoint, open_work
from shipcast.warehouse.tables import BY_NAME

BATCH = 10_000
EXPORTED_ID = re.compile(r'^(?:\{\s*"quarantine_id"\s*:)?\W*([0-9a-f]{16})\b', re.MULTILINE)
LONGEST_DAYS = 300_000  # what a date can still be reduced by
PRUNE = """
delete from raw._quarantine q where quarantined_at < ? and exists (
    from raw._loads l where l.table_name = q.table_name and l.file = q.file and l.refused is null
    and l.load_id > q.load_id)
returning quarantine_id
"""


@dataclass(frozen=True)
class QuarantinedRow:
    """One row that was refused.

    Parameters
    ----------
    row, header
        As they stood in the file; a row of a Parquet file is a JSON object, and its header is empty.
    rule, reason, column
        The first rule it broke, every rule it broke in words, and the column of the first; None where the row could
        not be taken apart.
    """

    quarantine_id: str
    table: str
    file: str
    line: int
    column: str | None
    rule: str
    reason: str
    header: str
    row: str
    quarantined_at: datetime


FIELDS = "quarantine_id, table_name, file, line, column_name, rule, reason, header, row, quarantined_at"


def quarantined(
    connection: duckdb.DuckDBPyConnection,
    table: str | None = None,
    limit: int | None = None,
    rule: str | None = None,
) -> list[QuarantinedRow]:
    """The rows in quarantine, by table, file and line; those of one table, or by one rule, if it is named."""
    rows = connection.execute(
        f"select {FIELDS} from raw._quarantine where (? is null or table_name = ?) and (? is null or rule = ?) "
        "order by table_name, file, line, quarantine_id limit ?",
        [table, table, rule, rule, limit],
    ).fetchall()
    return [QuarantinedRow(*row) for row in rows]


def export(settings: Settings, directory: Path, table: str | None = None) -> list[Path]:
    """Write the quarantined rows to be corrected by hand; the files written.

    `directory/<table>/` gets one CSV for each header, with the rows verbatim behind the columns `quarantine_id`,
    `file`, `line`, `column`, `rule` and `reason`. Rows of JSON and Parquet files go to a `.jsonl` that holds each row
    under `row`. Correct the rows and give the directory to `retry`. A row that lies in the directory already, corrected
    or not, is not written again.

    Raises
    ------
    StorageError
        The directory cannot be written.
    """
    written: list[Path] = []
    try:
        with open_work(settings.home) as connection:
            headers = connection.execute(
                "select distinct table_name, header from raw._quarantine "
                "where ? is null or table_name = ? order by 1, 2",
                [table, table],
            ).fetchall()
            there = {name: exported_ids(directory / name) for name in {name for name, _ in headers}}
            for name, header in headers:
                written += export_one(connection, directory, name, header, there[name])
    except OSError as error:
        raise StorageError(f"{directory}: {error.strerror}.", next_step="Choose a folder you may write.") from error
    return written


def exported_ids(folder: Path) -> list[str]:
    """The quarantine ids of the rows that earlier exports left in a folder."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("quarantine-*")]
    return [found for text in texts for found in EXPORTED_ID.findall(text)]


def export_one(
    connection: duckdb.DuckDBPyConnection, directory: Path, table: str, header: str, there: list[str]
) -> list[Path]:
    """Write one table's rows of one header, save those whose ids are there; the file, none if nothing is new."""
    chosen = (
        "from raw._quarantine where table_name = ? and header = ? "
        "and quarantine_id not in (select unnest(?::varchar[]))"
    )
    asked = [table, header, there]
    if connection.execute(f"select 1 {chosen} limit 1", asked).fetchall() == []:
        return []
    folder = directory / table
    folder.mkdir(parents=True, exist_ok=True)
    rows = connection.execute(
        f"select quarantine_id, file, line, column_name, rule, reason, row {chosen} order by file, line", asked
    )
    number = next(number for number in itertools.count(1) if not list(folder.glob(f"quarantine-{number}.*")))
    path = folder / f"quarantine-{number}{'.csv' if header else '.jsonl'}"
    lines = csv_lines(rows, header) if header else json_lines(rows)
    write_whole(path, lines)
    return [path]


def csv_lines(rows: duckdb.DuckDBPyConnection, header: str) -> Iterator[str]:
    delimiter = delimiter_of(header)
    yield prefixed(list(EXPORTED), header, delimiter)
    while some := rows.fetchmany(BATCH):
        for *facts, row in some:
            yield prefixed(facts, row, delimiter)


def prefixed(facts: list[object], row: str, delimiter: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="").writerow(facts)
    return f"{buffer.getvalue()}{delimiter}{row}\n"


def json_lines(rows: duckdb.DuckDBPyConnection) -> Iterator[str]:
    while some := rows.fetchmany(BATCH):
        for *facts, row in some:
            yield (
                json.dumps({**dict(zip(EXPORTED, facts, strict=True)), "row": as_object(row)}, ensure_ascii=False)
                + "\n"
            )


def as_object(row: str) -> object:
    try:
        found = json.loads(row)
    except ValueError:
        return row
    return found if isinstance(found, dict) else row


def delimiter_of(header: str) -> str:
    """The delimiter of a header: the one that is most frequent in it."""
    return max(DELIMITERS, key=header.count)


def prune(settings: Settings, now: datetime | None = None) -> int:
    """Drop what nobody can correct any more; the number of rows dropped. Hold `run_lock` around it.

    A refused row goes when it is older than `quarantine_days` and its file was loaded again since without holding it:
    a row that is still in its file, or whose file never came again, stays for good.

    Parameters
    ----------
    now
        The wall clock, naive UTC; None: the present.
    """
    if not settings.quarantine_days:
        return 0
    moment = now or datetime.now(UTC).replace(tzinfo=None)
    before = moment - timedelta(days=min(settings.quarantine_days, LONGEST_DAYS))
    with open_work(settings.home, settings) as connection:
        dropped = connection.execute(PRUNE, [before]).fetchall()
        checkpoint(connection, settings.home)
    return len(dropped)


def retry(
    settings: Settings,
    directory: Path | None = None,
    *,
    strict: bool = False,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> LoadReport:
    """Load refused rows again: rows that pass leave the quarantine.

    Without a directory the files the rows came from are read again where they lay, corrected meanwhile. With one, the
    exported and corrected files in it are read. Either way a row takes the place in history it would have had: what a
    later load has written since is not overwritten. Hold `run_lock` around it.

    Raises
    ------
    NothingToLoad
        The directory is missing or holds no exported file.
    """
    report = LoadReport(is_dry_run=dry_run)
    parts, report.skipped = (sources(settings), []) if directory is None else parts_of([directory])
    if directory is None:  # what no file of a table gave stands under its source's name
        fed = [part for part in parts if not is_file(str(part.path))]
        parts = [part for part in parts if is_file(str(part.path))]
        report.warnings += [
            f"{part.path}: its rows come from no file of a table. {way_out(str(part.path))}" for part in fed
        ]
    if not parts:
        report.warnings = report.warnings or ["The quarantine is empty; there is nothing to try again."]
        return report
    load_parts(settings, parts, report, strict=strict, progress=progress)
    return report


def sources(settings: Settings) -> list[Part]:
    """The files that quarantined rows came from, each in the place of the load that saw it last."""
    with open_work(settings.home) as connection:
        rows = connection.execute(
            "select table_name, file, max(load_id) from raw._quarantine group by all order by 3, 1, 2"
        ).fetchall()
    found = []
    for table, file, load_id in rows:
        path = Path(file)
        stem, form = split_name(path.name)
        label = path.name if stem == table else f"{path.parent.name}/{path.name}"
        found.append(Part(BY_NAME[table], path, label, form or "delimited", "quarantine", stands_at=load_id))
    return numbered(found)

"""Where the data comes from, how new it is, what was refused, and what the pages lack for want of some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shipcast.answers.answer import optional_utc, utc
from shipcast.answers.operations import COUNTS as ROW_COUNTS
from shipcast.answers.operations import QuarantinedRow
from shipcast.answers.reading import INSTANTS, Reader
from shipcast.answers.words import age, plural
from shipcast.models.registry import promoted
from shipcast.scheduling.calendar.files import calendar_files
from shipcast.settings.errors import ModelError
from shipcast.warehouse.connection import WORK_FILE, open_beside
from shipcast.warehouse.damage import told
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.transform import LOG

MOST_FILES = 200
COUNTS = ", ".join(f"sum({name})::bigint" for name in ROW_COUNTS)
BY_TABLE = f"""
select table_name, null, count(distinct load_id), max(loaded_at), {COUNTS}, count(refused), null
from loads where table_name is not null group by table_name order by table_name
"""
BY_FILE = f"""
select table_name, file, count(distinct load_id), max(loaded_at), {COUNTS}, count(refused),
    arg_max_null(refused, load_id)
from loads group by table_name, file order by max(loaded_at) desc, table_name, file limit {MOST_FILES}
"""
REFUSED = """
select table_name, rule, count(distinct file), sum(rows)::bigint
from quarantine_counts group by table_name, rule order by table_name, rule
"""
TABLES: Mapping[str, str] = {
    "deployments": "fct_deployments",
    "incidents": "fct_incidents",
    "changes": "fct_changes",
    "load": "fct_load_hourly",
    "environment_usage": "fct_environment_usage",
    "approvals": "fct_approvals",
    "holds": "fct_holds",
}
OWN_ROWS: Mapping[str, str] = {"environment_usage": "source = 'session'"}
ENDED = re.compile(r"^Done\. PASS=(\d+) WARN=(\d+) ERROR=(\d+) SKIP=(\d+)", re.MULTILINE)
TEST = re.compile(r"^\d+ of \d+ (PASS|WARN|FAIL|ERROR)(?: \d+)?(?: creating sql \w+ model)? (\S+)", re.MULTILINE)
WRONG = ("FAIL", "ERROR")
INGEST = "`shipcast ingest files DIR` with `{file}`, then `shipcast build`"
ASKED = {  # what gives a table when it is asked, beside files
    "deployments": "github OWNER/NAME",
    "changes": "github OWNER/NAME",
    "incidents": "pagerduty",
    "load": "prometheus QUERY --url URL",
}
MISSING = (  # a table, the page that lacks it, and what that cannot say
    ("deployments", "all pages", "nothing can be said"),
    ("incidents", "Delivery", "no time to recover, and a failure is known by its status alone"),
    ("incidents", "Outlook, Plan", "the time to restore is assumed, not forecast"),
    ("changes", "Delivery", "no lead time"),
    ("load", "Outlook, Plan", "costs are in minutes of disruption, not in requests"),
    ("load", "Forecast quality", "nothing to judge forecasts of the load by"),
    ("environment_usage", "Environments", "idle time counts deployments alone"),
    ("approvals", "Why", "who approved a change is not known"),
)
COLUMNS = (
    (
        "select count(*) > 0 and count(cost_per_hour) = 0 from dim_environments",
        "Environments",
        "what an idle hour costs is not known",
        INGEST.format(file="environments.csv"),
    ),
    (
        "select count(*) > 0 and count(business_zone) = 0 from dim_services",
        "Outlook, Plan",
        "no service has a zone of its own: its working hours are taken for those of the reports",
        INGEST.format(file="services.csv"),
    ),
    (
        "select count(*) > 0 and count(team) = 0 from dim_services",
        "all pages",
        "no service has a team: there is none to filter by",
        INGEST.format(file="services.csv"),
    ),
    (
        "select count(*) > 0 and count(lines_changed) = 0 from fct_deployments where started_at <= $as_of",
        "Outlook, Plan",
        "the size of a change is not known: a small one is forecast like a large one",
        "`shipcast ingest git REPO`, or the column `lines_changed`",
    ),
)


@dataclass(frozen=True)
class Loaded:
    """What became of the rows of a table, or of one file of it, over all loads.

    read = inserted + updated + unchanged + merged + quarantined.

    Parameters
    ----------
    loads
        In how many it came.
    refused_files, refused
        How often a file was refused as a whole, and why the last load did; null: it did not.
    """

    table: str
    file: str | None
    loads: int
    loaded_at: datetime
    read: int
    inserted: int
    updated: int
    unchanged: int
    merged: int
    quarantined: int
    refused_files: int
    refused: str | None


@dataclass(frozen=True)
class Newest:
    """The newest record of a table that was known at `as_of`, and how many were; load by the hour. `at` null: none."""

    table: str
    rows: int
    at: datetime | None
    is_stale: bool


@dataclass(frozen=True)
class RefusedRows:
    """The rows of a table that broke one rule."""

    table: str
    rule: str
    files: int
    rows: int


@dataclass(frozen=True)
class Lack:
    """What a page cannot say for want of data, and the command that brings it."""

    page: str
    says: str
    remedy: str


@dataclass(frozen=True)
class LastBuild:
    """What is recorded of the last build, published or not.

    Parameters
    ----------
    tests
        How many tests held.
    wrong
        The models and tests that failed.
    """

    tests: int
    wrong: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class DataHealth:
    """What a snapshot says of its sources.

    Parameters
    ----------
    tables, files
        Loads by table, and by file: the last 200 that came.
    newest
        By table, as known at `as_of`.
    refused
        All that was refused and not loaded since, whenever it is of.
    lacks
        By page.
    build
        Null: nothing is recorded of it.
    """

    tables: tuple[Loaded, ...]
    files: tuple[Loaded, ...]
    newest: tuple[Newest, ...]
    refused: tuple[RefusedRows, ...]
    lacks: tuple[Lack, ...]
    build: LastBuild | None
    warnings: tuple[str, ...]
    sentence: str


def data_health(reader: Reader) -> DataHealth:
    """How the published data stands, as known at the reader's `as_of`; loads are told as of the last build."""
    tables = tuple(loaded(row) for row in reader.rows(BY_TABLE))
    newest = tuple(newest_of(reader, table) for table in TABLES)
    refused = tuple(RefusedRows(*row) for row in reader.rows(REFUSED))
    return DataHealth(
        tables=tables,
        files=tuple(loaded(row) for row in reader.rows(BY_FILE)),
        newest=newest,
        refused=refused,
        lacks=tuple(lacks(reader, {one.table: one.rows for one in newest})),
        build=last_build(reader.settings.home),
        warnings=tuple(reader.warnings()),
        sentence=sentence(reader, newest, refused),
    )


def loaded(row: tuple[str, str | None, int, datetime, int, int, int, int, int, int, int, str | None]) -> Loaded:
    table, file, loads, at, *counts = row
    return Loaded(table, file, loads, utc(at), *counts)  # type: ignore[arg-type]


def newest_of(reader: Reader, table: str) -> Newest:
    """Of all columns that date its events."""
    mart = TABLES[table]
    columns = dict(INSTANTS)[mart]
    latest = ", ".join(f"max({column}) filter ({column} <= $as_of)" for column in columns)
    own = OWN_ROWS.get(table, "true")
    [(rows, at)] = reader.rows(
        f"select count(*), greatest({latest}) from {mart} where {columns[0]} <= $as_of and {own}"
    )
    found = optional_utc(at)
    is_stale = found is not None and reader.as_of - found > timedelta(days=reader.settings.stale_days)
    return Newest(table, rows, found, is_stale)


def sentence(reader: Reader, newest: tuple[Newest, ...], refused: tuple[RefusedRows, ...]) -> str:
    """How many rows are known, how many wait in the quarantine, and how old the newest record is."""
    known, waiting = [one.rows for one in newest if one.rows], sum(one.rows for one in refused)
    at = reader.data_as_of
    old = "no record was known by then" if at is None else f"the newest record is {age(reader.as_of - at)} old"
    is_are = "is" if sum(known) == 1 else "are"
    hourly = ", load by the hour" if any(one.table == "load" and one.rows for one in newest) else ""
    told = f"{waiting:,} {'waits' if waiting == 1 else 'wait'} in quarantine" if waiting else "none waits in quarantine"
    return f"{plural(sum(known), 'row')} of {plural(len(known), 'table')} {is_are} known{hourly}; {told}, and {old}."


def lacks(reader: Reader, rows: Mapping[str, int]) -> Iterator[Lack]:
    """What is missing, page by page, the gravest first."""
    for table, page, says in MISSING:
        if not rows[table]:
            asked = f"; or `shipcast connect {ASKED[table]}`, then `shipcast run`" if table in ASKED else ""
            yield Lack(page, says, f"{INGEST.format(file=f'{table}.csv')}{asked}")
    for query, page, says, remedy in COLUMNS:
        [(is_lacking,)] = reader.rows(query)
        if is_lacking:
            yield Lack(page, says, remedy)
    if not has_model(reader):
        yield Lack("Outlook, Plan", "chances of failure rest on assumptions: no model serves", "`shipcast train`")
    if not calendar_files(reader.settings):
        says = "no freeze, approval board or capacity is known: any hour may be shipped in"
        yield Lack("Calendar, Plan", says, "a file `calendar.toml` in the home; `shipcast calendar import FILE`")


def has_model(reader: Reader) -> bool:
    try:
        return any(entry.cut_off <= reader.at for entry in promoted(reader.settings.home))
    except ModelError:
        return False


def last_build(home: Path) -> LastBuild | None:
    """What the record of the last build says; null: there is none, or it broke off."""
    path = home / LOG
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = ENDED.search(text)
    if found is None:
        return None
    outcomes = TEST.findall(text)
    wrong = tuple(name for word, name in outcomes if word in WRONG)
    tests, failed = sum(word == "PASS" for word, _ in outcomes), int(found[3])
    return LastBuild(tests, wrong, build_said(tests, failed, wrong))


def build_said(tests: int, failed: int, wrong: tuple[str, ...]) -> str:
    """
    >>> build_said(95, 0, ())
    'All 95 tests held in the last build.'
    """
    if not failed:
        return f"All {tests} tests held in the last build."
    names = f" ({', '.join(wrong[:3])})" if wrong else ""
    return f"The last build failed{names}: this page shows the one before. See why with `shipcast build`."


def refused_rows(reader: Reader, table: str | None, rule: str | None, limit: int) -> tuple[QuarantinedRow, ...]:
    """Refused rows verbatim, by table, file and line; null: of all tables, by all rules.

    They lie in the work database, which is opened for reading and only while no command writes to the home; meanwhile
    none can begin to, so this is asked when somebody wants to see them.

    Raises
    ------
    Locked
        A command is at work: it says which, and since when.
    StorageError
        The work database cannot be read.
    """
    from shipcast.ingest.quarantine import quarantined

    path = reader.settings.home / WORK_FILE
    if not path.exists():
        return ()
    with run_lock(reader.settings.home, "quarantine list"), told(path), open_beside(path) as connection:
        rows = quarantined(connection, table, limit, rule)
    return tuple(QuarantinedRow(**{name: getattr(row, name) for name in QuarantinedRow.model_fields}) for row in rows)

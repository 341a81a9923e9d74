"""Raw tables to marts: `dbt build` in a process of its own, so that the database is free again when it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import duckdb

from shipcast import warehouse
from shipcast.settings import Settings
from shipcast.settings.errors import StorageError
from shipcast.warehouse.built import built_load, forget_built, newest_load, note_built, remove_marts
from shipcast.warehouse.connection import MARTS_FILE, open_built, open_work
from shipcast.warehouse.damage import FULL
from shipcast.warehouse.errors import DamagedFile

PROJECT = Path(warehouse.__file__).parent.parent / "dbt_project"
SCHEMAS = ("staging", "intermediate")
SETTINGS = ("settle_days", "attribution", "attribution_hours", "occupancy_minutes", "production_environments")
# What a partial build leaves as it is: views on the raw tables, whose rows the tests of later models look at.
UNCHANGED = ["--exclude", "path:models/staging"]
LOG = Path("dbt") / "logs" / "dbt.log"  # what dbt told of the last build
NODES_NAMED = 3
LINES_PER_NODE = 2
PREAMBLES = ("Runtime Error", "Database Error in", "Encountered an error:")

Progress = Callable[[str], None]


class TransformFailed(StorageError):
    """A model could not be built or a test did not hold; what was published before stays in force."""

    title = "The build failed"


@dataclass(frozen=True)
class BuildReport:
    """What one build made.

    Parameters
    ----------
    models, tests, seconds
        How many models and tests, in how many seconds.
    rows
        The rows of each mart.
    is_full
        Whether everything was built; False: what had changed was added.
    """

    models: int
    tests: int
    seconds: float
    rows: dict[str, int]
    is_full: bool = True


def build(settings: Settings, progress: Progress | None = None, *, in_full: bool = False) -> BuildReport:
    """Build and test every model of the home; hold `run_lock` around it.

    What was built before is added to, where that gives what building everything would give.

    Parameters
    ----------
    progress
        Called with a line of words for every model that is done.
    in_full
        Build everything, whatever was built before.

    Raises
    ------
    TransformFailed
        Naming the models and tests that failed. The marts are then incomplete: publish nothing.
    StorageError
        The home cannot be written.
    """
    started = monotonic()
    target = settings.home / "dbt" / "target"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "Choose a folder you may write: --home DIR."
        raise StorageError(f"{target}: {error.strerror}.", next_step=hint) from error
    since = None if in_full else built_before(settings)
    load_id = prepare_build(settings, since)
    limited = limits(settings, is_full=since is None)
    results = run_dbt(settings.home, progress or (lambda line: None), limited, is_full=since is None)
    tests = [result for result in results if result["unique_id"].startswith("test.")]
    rows = finished(settings.home, load_id)
    return BuildReport(len(results) - len(tests), len(tests), monotonic() - started, rows, since is None)


def built_before(settings: Settings) -> int | None:
    """The load up to which the marts are built and may be added to; None: they must be built in full."""
    if not (settings.home / MARTS_FILE).exists():
        return None
    try:
        with open_built(settings.home) as connection:
            return built_load(connection, PROJECT, setting_rows(settings))
    except DamagedFile:
        return None  # of the work database the next step says so; the marts are made again


def prepare_build(settings: Settings, since: int | None) -> int:
    """Hand the settings to the models as a table, and clear away what they are not to add to; the newest load."""
    with open_work(settings.home) as connection:
        if since is None:
            remove_marts(connection, settings.home)
        forget_built(connection)
        connection.execute("create or replace table raw._settings (name varchar, value varchar)")
        rows = [*setting_rows(settings), *([] if since is None else [("built_load_id", str(since))])]
        connection.executemany("insert into raw._settings values (?, ?)", rows)
        for schema in SCHEMAS if since is None else ():
            connection.execute(f"drop schema if exists {schema} cascade")
        return newest_load(connection)


def finished(home: Path, load_id: int) -> dict[str, int]:
    """Note that the marts are whole up to a load; the rows of each."""
    with open_built(home) as connection:
        note_built(connection, PROJECT, load_id)
        return rows_per_mart(connection)


def setting_rows(settings: Settings) -> list[tuple[str, str]]:
    """(name, value) of the settings that models read; a setting with several values has several rows."""
    values = {name: getattr(settings, name) for name in SETTINGS}
    return [
        (name, str(value))
        for name, given in values.items()
        for value in (given if isinstance(given, tuple) else (given,))
    ]


def limits(settings: Settings, *, is_full: bool) -> dict[str, str]:
    """What dbt's profile reads from the environment: how much of the machine the database may use.

    Two models at once help where each is small; in a full build they would need their memory at the same time.
    """
    threads = settings.threads or os.cpu_count() or 1
    return {
        "SHIPCAST_DBT_MEMORY": settings.memory_limit,
        "SHIPCAST_DBT_THREADS": str(threads),
        "SHIPCAST_DBT_NODES": "1" if is_full else "2",
    }


def run_dbt(home: Path, progress: Progress, limited: dict[str, str], *, is_full: bool) -> list[dict[str, Any]]:
    """dbt's result of every model, seed and test, all of them good."""
    errors, told, results = [], [], []
    with dbt_process(home, limited, ["--full-refresh"] if is_full else UNCHANGED) as process:
        assert process.stdout is not None
        for event in map(read_event, process.stdout):
            told.append(event["message"])
            if event["level"] == "error":
                errors.append(event["message"].strip())
            elif "node" in event:
                progress("{node} ({index} of {total})".format_map(event))
            elif "results" in event:
                results = event["results"]
        code = process.wait()
    with suppress(OSError):
        (home / LOG).write_text("\n".join(told) + "\n", encoding="utf-8")
    bad = [result for result in results if result["status"] in ("error", "fail", "runtime error")]
    if code or bad:
        raise failure(home, bad, errors, code)
    return results


@contextmanager
def dbt_process(home: Path, limited: dict[str, str], options: list[str]) -> Iterator[subprocess.Popen[str]]:
    """dbt at work on the home; it never outlives the block, nor this process, whose end closes its input."""
    arguments = [
        "build",
        *options,
        *("--exclude-resource-type", "unit_test"),
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(home / "dbt" / "target"), "--log-path", str((home / LOG).parent)),
    ]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "shipcast.warehouse.dbt_process", *arguments],
        cwd=home,
        env={**clean_environment(), **limited},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    try:
        with process:
            yield process
    finally:
        process.kill()
        process.wait()


def clean_environment() -> dict[str, str]:
    """This process's environment without what would steer Python or dbt elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DBT_"))}
    return {**kept, "PYTHONUTF8": "1", "DO_NOT_TRACK": "1"}


def read_event(line: str) -> dict[str, Any]:
    """One event of dbt; a line that is none (a traceback's, say) counts as an error."""
    try:
        event: dict[str, Any] = json.loads(line)
        return {"level": event["level"], "message": event["message"], **event}
    except (ValueError, KeyError, TypeError):
        return {"level": "error", "message": line.rstrip()}


def failure(home: Path, bad: list[dict[str, Any]], errors: list[str], code: int) -> TransformFailed:
    """The error that names the first nodes that failed, or else what dbt said last."""
    names = [node_name(result["unique_id"]) for result in bad]
    lines = [f"{name}: {short(result['message'])}" for name, result in zip(names, bad, strict=True)]
    if not lines:
        # Where the disk is full, what comes last is the logging that failed for it.
        last = [error for error in errors if FULL.search(error)][:1] or errors[-1:]
        lines = [short("\n".join(last)) or f"dbt ended with code {code}."]
    more = [f"... and {len(lines) - NODES_NAMED} more"] if len(lines) > NODES_NAMED else []
    return TransformFailed(
        "\n".join([*lines[:NODES_NAMED], *more]),
        next_step=f"Nothing was published. See {home / LOG}.",
        nodes=names,
    )


def node_name(unique_id: str) -> str:
    """`test key_fct_deployments_deployment_id` of `test.shipcast.key_fct_deployments_deployment_id.0a1b2c`."""
    kind, _, name, *_ = unique_id.split(".")
    return f"{kind} {name}"


def short(message: str | None) -> str:
    """The lines of a message that say something, at most two."""
    lines = [line.strip() for line in (message or "").splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(PREAMBLES)]
    return "\n".join((telling or lines)[:LINES_PER_NODE])


def rows_per_mart(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    marts = connection.execute("select table_name from duckdb_tables() where database_name = 'marts'").fetchall()
    counts = {name: connection.execute(f'select count(*) from marts."{name}"').fetchall() for (name,) in marts}
    return {name: counts[name][0][0] for name in sorted(counts)}

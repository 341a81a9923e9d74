"""How long, how fast, how much memory: every step of the pipeline as a user runs it, on a made-up history.

    python benchmarks/run.py                        10,000,000 deployments, 41,000,000 rows in all
    python benchmarks/run.py --deployments 1000000

Prints a Markdown table. Each step is a process of its own; its memory is the largest of it and its children. The last
step builds everything again, and what it publishes must equal what adding to the last build has published.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

SHIPCAST = [sys.executable, "-P", "-m", "shipcast", "--quiet"]
UNTIL = "2025-12-01"
SERVICES = 1000
TWO_YEARS, ONE_DAY = 63_072_000, 86_400  # seconds

# Row number i of a load whose ids begin with a prefix of its own, and that covers the seconds before or after `until`.
TABLES = {
    "deployments": """
select '{prefix}d' || i as deployment_id, 'service-' || (hash(i) % {services}) as service,
    case hash(i, 1) % 3 when 0 then 'production' when 1 then 'staging' else 'test' end as environment,
    timestamp '{until}' - to_seconds(hash(i, 2) % {seconds} + 3600) as started_at,
    started_at + to_seconds(300 + hash(i, 3) % 1800) as finished_at,
    case when hash(i, 4) % 20 = 0 then 'failed' when hash(i, 4) % 97 = 1 then 'rolled_back' else 'succeeded' end
        as status,
    md5('{prefix}' || i // 3) as commit_sha, 'normal' as change_type, hash(i, 5) % 900 as lines_changed
from range({rows}) as numbers(i)
""",
    "changes": """
select '{prefix}c' || i as change_id, 'service-' || (hash(i) % {services}) as service,
    md5('{prefix}' || i // 3) as commit_sha, '{prefix}d' || i as deployment_id,
    timestamp '{until}' - to_seconds(hash(i, 2) % {seconds} + 90000) as authored_at
from range({rows}) as numbers(i)
""",
    "incidents": """
select '{prefix}i' || i as incident_id, 'service-' || (hash(i) % {services}) as service,
    '{prefix}d' || i as deployment_id, timestamp '{until}' - to_seconds(hash(i, 2) % {seconds} + 1800) as started_at,
    started_at + to_seconds(600 + hash(i, 6) % 7200) as resolved_at
from range({rows} // 10) as numbers(i)
""",
    "load": """
select 'service-' || (i % {services}) as service, timestamp '{load_from}' + to_hours(i // {services}) as observed_at,
    1000 + hash(i, 7) % 1000 as value
from range({rows} * 2) as numbers(i)
""",
}
ADDED = 12_200  # deployments of the second load; with what belongs to them 50,020 rows


@dataclass(frozen=True)
class Step:
    """One command, and the rows it takes in (0: none that count)."""

    name: str
    arguments: tuple[str, ...]
    rows: int = 0


def steps(folder: Path, rows: int, added: int) -> list[Step]:
    asked = ("--as-of", UNTIL)
    return [
        Step("ingest", ("ingest", "files", str(folder / "exports")), rows),
        Step("build and publish", ("build",), rows),
        Step("metrics", ("metrics", *asked)),
        Step("metrics by service", ("metrics", "--by", "service", *asked)),
        Step("windows", ("windows", "service-7", "--duration", "45m", *asked)),
        Step("ingest the same again", ("ingest", "files", str(folder / "exports")), rows),
        Step("ingest what is new", ("ingest", "files", str(folder / "added")), added),
        Step("build and publish what is new", ("build",), added),
        Step("build and publish in full", ("build", "--full"), rows + added),
    ]


def generate(folder: Path, deployments: int, *, prefix: str, seconds: int, load_from: str) -> int:
    """Write the tables as Parquet; the number of rows in all of them."""
    folder.mkdir()
    facts = {"rows": deployments, "until": UNTIL, "services": SERVICES, "seconds": seconds}
    with duckdb.connect() as connection:
        for name, query in TABLES.items():
            filled = query.format(**facts, prefix=prefix, load_from=load_from)
            connection.execute(f"copy ({filled}) to '{folder / name}.parquet' (format parquet)")
        parts = " + ".join(f"(select count(*) from '{folder / name}.parquet')" for name in TABLES)
        return int(connection.sql(f"select {parts}").fetchall()[0][0])


def measured(arguments: list[str], memory: str) -> tuple[float, float, float]:
    """Seconds on the clock, seconds of processor, and peak GiB of one run of the command line."""
    started = time.monotonic()
    environ = {**os.environ, "SHIPCAST_MEMORY_LIMIT": memory}
    process = subprocess.Popen([*SHIPCAST, *arguments], stdout=subprocess.DEVNULL, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"shipcast {' '.join(arguments)} failed with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def fingerprints(home: Path) -> dict[str, tuple[int, str]]:
    """Of every published table the number of rows and a sum of their hashes, whatever their order."""
    found = {}
    newest = max((home / "snapshots").glob("*.duckdb"))
    with duckdb.connect(str(newest), read_only=True) as connection:
        for (name,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall():
            columns = "* exclude (built_at)" if name == "snapshot_facts" else "*"
            query = f'select count(*), sum(hash(t)::hugeint)::varchar from (select {columns} from "{name}") t'
            found[name] = connection.execute(query).fetchall()[0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deployments", type=int, default=10_000_000)
    parser.add_argument("--memory", default="6 GiB", help="memory_limit of the database; a process needs some more")
    given = parser.parse_args()
    deployments, memory = given.deployments, given.memory
    folder = Path(tempfile.mkdtemp(prefix="shipcast-bench-"))
    try:
        hours = deployments * 2 // SERVICES
        begin = str(datetime.fromisoformat(UNTIL) - timedelta(hours=hours))
        rows = generate(folder / "exports", deployments, prefix="", seconds=TWO_YEARS, load_from=begin)
        added = generate(folder / "added", ADDED, prefix="n", seconds=ONE_DAY, load_from=UNTIL)
        print(
            f"{deployments:,} deployments, {rows:,} rows in all, then {added:,} more; {os.cpu_count()} cores, "
            f"memory_limit {memory}\n"
        )
        print("| step | seconds | rows/s | processor seconds | peak GiB |\n| --- | --- | --- | --- | --- |")
        run(folder, rows, added, memory)
    finally:
        shutil.rmtree(folder)


def run(folder: Path, rows: int, added: int, memory: str) -> None:
    """Take the steps, print each, and hold the last build against the one that was added to."""
    home = folder / "home"
    before: dict[str, tuple[int, str]] = {}
    for step in steps(folder, rows, added):
        before = fingerprints(home) if "--full" in step.arguments else before
        clock, processor, peak = measured(["--home", str(home), *step.arguments], memory)
        speed = f"{step.rows / clock:,.0f}" if step.rows else ""
        print(f"| {step.name} | {clock:.1f} | {speed} | {processor:.1f} | {peak:.2f} |", flush=True)
    after = fingerprints(home)
    differing = [name for name in after if before.get(name) != after[name]]
    if differing:
        raise SystemExit(f"\nwhat was added differs from what is built in full: {', '.join(differing)}")
    print(f"\nAll {len(after)} tables that were added to equal those built in full.")


if __name__ == "__main__":
    main()

"""How long, how fast, how much memory: every step of the pipeline as a user runs it, on a made-up history.

    python benchmarks/run.py                        100,000 deployments
    python benchmarks/run.py --deployments 1000000

Prints a Markdown table. Each step is a process of its own; its memory is the largest of it and its children.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

SHIPCAST = [sys.executable, "-P", "-m", "shipcast", "--quiet"]
UNTIL = "2025-12-01"

DEPLOYMENTS = """
select 'd' || i as deployment_id, 'service-' || (hash(i) % 200) as service,
    case hash(i, 1) % 3 when 0 then 'production' when 1 then 'staging' else 'test' end as environment,
    timestamp '{until}' - to_seconds(hash(i, 2) % 63072000 + 86400) as started_at,
    started_at + to_seconds(300 + hash(i, 3) % 1800) as finished_at,
    case when hash(i, 4) % 20 = 0 then 'failed' when hash(i, 4) % 97 = 1 then 'rolled_back' else 'succeeded' end
        as status,
    md5((i // 3)::varchar) as commit_sha, 'normal' as change_type, hash(i, 5) % 900 as lines_changed
from range({rows}) as numbers(i)
"""
TABLES = {
    "deployments": DEPLOYMENTS,
    "changes": """
select 'c' || i as change_id, 'service-' || (hash(i) % 200) as service, md5((i // 3)::varchar) as commit_sha,
    'd' || i as deployment_id, timestamp '{until}' - to_seconds(hash(i, 2) % 63072000 + 172800) as authored_at
from range({rows}) as numbers(i)
""",
    "incidents": """
select 'i' || i as incident_id, 'service-' || (hash(i) % 200) as service, 'd' || i as deployment_id,
    timestamp '{until}' - to_seconds(hash(i, 2) % 63072000 + 43200) as started_at,
    started_at + to_seconds(600 + hash(i, 6) % 7200) as resolved_at
from range({rows} // 10) as numbers(i)
""",
    "load": """
select 'service-' || (i % 200) as service, timestamp '{until}' - to_hours(i // 200 + 1) as observed_at,
    1000 + hash(i) % 1000 as value
from range({rows} * 2) as numbers(i)
where i // 200 < 17520
""",
}
STEPS = {
    "ingest": ["ingest", "files", "{exports}"],
    "ingest again": ["ingest", "files", "{exports}"],
    "build and publish": ["build"],
    "metrics": ["metrics", "--as-of", UNTIL],
    "metrics by service": ["metrics", "--by", "service", "--as-of", UNTIL],
    "windows": ["windows", "service-7", "--duration", "45m", "--as-of", UNTIL],
}


def generate(folder: Path, deployments: int) -> int:
    """Write the tables as Parquet; the number of rows in all of them."""
    folder.mkdir()
    with duckdb.connect() as connection:
        for name, query in TABLES.items():
            connection.execute(
                f"copy ({query.format(rows=deployments, until=UNTIL)}) to '{folder / name}.parquet' (format parquet)"
            )
        parts = " + ".join(f"(select count(*) from '{folder / name}.parquet')" for name in TABLES)
        return int(connection.sql(f"select {parts}").fetchall()[0][0])


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds on the clock, seconds of processor, and peak GiB of one run of the command line."""
    started = time.monotonic()
    process = subprocess.Popen([*SHIPCAST, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"shipcast {' '.join(arguments)} failed with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deployments", type=int, default=100_000)
    deployments = parser.parse_args().deployments
    folder = Path(tempfile.mkdtemp(prefix="shipcast-bench-"))
    try:
        rows = generate(folder / "exports", deployments)
        print(f"{deployments:,} deployments, {rows:,} rows in all, {os.cpu_count()} cores\n")
        print("| step | seconds | processor seconds | peak GiB |\n| --- | --- | --- | --- |")
        for name, arguments in STEPS.items():
            filled = [part.format(exports=folder / "exports") for part in arguments]
            clock, processor, memory = measured(["--home", str(folder / "home"), *filled])
            print(f"| {name} | {clock:.1f} | {processor:.1f} | {memory:.2f} |", flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

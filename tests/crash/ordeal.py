"""A tiny company whose home is killed, flooded and raced, and the questions that must be answered alike after it."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

SHIPCAST = [sys.executable, "-P", "-m", "shipcast"]
AS_OF = datetime(2025, 12, 1, tzinfo=UTC)
# Of all that is published, only this differs between two runs over the same files: when the build began, and the
# record of the calls, since a run that was killed and the one after it are two.
LEFT_OUT_TABLES = ("loads",)
LEFT_OUT_COLUMNS = {"snapshot_facts": ("built_at",)}

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
static long left = -1, seen = 0;
void kill_at(long number) { left = number; seen = 0; }
long syncs(void) { return seen; }
static void hit(void) { __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (left > 0 && __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0) raise(SIGKILL); }
#define WRAPPED(name) int name(int file) { \\
    static int (*real)(int); if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, #name); hit(); return real(file); }
WRAPPED(fsync)
WRAPPED(fdatasync)
"""

# Started once with the shim loaded; for every line `number verb` a child does the verb and dies at that sync.
SERVER = """
import ctypes, os, sys
from pathlib import Path
from shipcast.settings import load_settings
from shipcast.ingest.files import ingest_files
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import publish
import polars, pyarrow
shim = ctypes.CDLL(os.environ["LD_PRELOAD"])

def book(settings):
    from datetime import UTC, datetime
    from shipcast.answers.bookings import reserve
    from shipcast.scheduling.ledger.entries import Booking
    from shipcast.scheduling.ledger.errors import EntryRefused
    span = {"start": datetime(2027, 2, 1, 9), "end": datetime(2027, 2, 1, 10)}
    try:
        reserve(settings, datetime.now(UTC), "ana", Booking(service="pay", **span))
    except EntryRefused as refusal:
        os._exit(refusal.exit_code)

def read(settings, stretch):
    from shipcast.ingest.remote import reading
    reading.STRETCH = stretch
    for source in settings.sources:
        reading.ingest_remote(settings, source)

def act(home, verb):
    settings = load_settings({"home": home}, {})
    if verb == "reserve":
        return book(settings)
    if verb in ("read", "stretches"):
        return read(settings, 2 if verb == "stretches" else 5_000)
    with run_lock(settings.home, verb):
        if verb == "ingest":
            ingest_files(settings, [source.path for source in settings.sources])
        else:
            publish(settings.home, settings.keep_snapshots)

for line in sys.stdin:
    number, verb, home = line.rstrip().split(" ", 2)
    if verb == "reserve":
        import shipcast.answers.bookings
    if verb in ("read", "stretches"):
        import shipcast.ingest.remote.reading, shipcast.ingest.remote.github
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        shim.kill_at(int(number))
        act(home, verb)
        os.write(writer, str(shim.syncs()).encode())
        os._exit(0)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), os.read(reader, 20).decode() or 0, flush=True)
    os.close(reader)
"""


def write_exports(folder: Path, *, days: int = 40, services: int = 3) -> tuple[Path, Path]:
    """The exports of a company as they were some weeks ago, and as they are now: more rows, some of them corrected."""
    from shipcast.simulator import simulate

    now, then = folder / "now", folder / "then"
    simulate(now, seed=1, days=days, services=services)
    then.mkdir()
    for path in now.glob("*.csv"):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        kept = [row.replace(",succeeded,", ",failed,") for row in rows[: len(rows) * 2 // 3]]
        (then / path.name).write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
    return then, now


def write_settings(home: Path, exports: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "shipcast.toml").write_text(f'retrain_days = 0\n\n[[sources]]\npath = "{exports}"\n', encoding="utf-8")


class Ended(NamedTuple):
    pid: int
    stderr: str
    returncode: int


def run(home: Path, *verb: str, wrapper: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`shipcast VERB` in a process of its own."""
    command = [*wrapper, *SHIPCAST, "--home", str(home), "-q", *(verb or ("run",))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def killed(home: Path, after_seconds: float, *verb: str) -> int:
    """The exit code of a command that is killed so long after its start, negative where the kill came in time."""
    command = [*SHIPCAST, "--home", str(home), "-q", *(verb or ("run",))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after_seconds)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def killed_in_build(home: Path, share: float) -> int:
    """The exit code of a `run` that is killed once that share of its models and tests is done."""
    reader, writer = os.openpty()  # to a terminal it tells of every model
    process = subprocess.Popen([*SHIPCAST, "--home", str(home), "run"], stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    said = ""
    with suppress(OSError):  # the terminal of a process that has ended
        while (done := re.findall(r"\((\d+) of (\d+)\)", said)[-1:]) == [] or int(done[0][0]) < share * int(done[0][1]):
            said += os.read(reader, 4096).decode()
    process.kill()
    os.close(reader)
    return process.wait()


def at_once(home: Path) -> list[Ended]:
    """Two runs that are started at once, those that ended well first."""
    command = [*SHIPCAST, "--home", str(home), "-q", "run"]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) for _ in range(2)]
    ended = [Ended(process.pid, process.communicate()[1], process.returncode) for process in runs]
    return sorted(ended, key=lambda one: one.returncode)


def metrics(home: Path) -> str:
    """Everything `metrics` says of a fixed day, as text; raises what it raises."""
    from shipcast.answers.metrics import metrics as asked
    from shipcast.answers.reading import open_reader
    from shipcast.settings import load_settings

    with open_reader(load_settings({"home": home}, {}), AS_OF) as reader:
        return json.dumps([item.model_dump(mode="json") for item in asked(reader, by="service").items])


def published(home: Path) -> dict[str, tuple[int, str]]:
    """Of every published table the number of rows and a sum of their hashes, whatever their order."""
    from shipcast.warehouse.snapshot import open_current

    with open_current(home) as connection:
        return fingerprints(connection, "main", LEFT_OUT_TABLES, LEFT_OUT_COLUMNS)


def stored(home: Path) -> dict[str, tuple[int, str]]:
    """The same of the raw tables; without the record of the calls, and the facts about the home itself."""
    with duckdb.connect(str(home / "work.duckdb"), read_only=True) as connection:
        return fingerprints(connection, "raw", ("_loads", "_settings", "_facts"), {})


def fingerprints(
    connection: duckdb.DuckDBPyConnection, schema: str, without: tuple[str, ...], less: dict[str, tuple[str, ...]]
) -> dict[str, tuple[int, str]]:
    tables = connection.execute("select table_name from duckdb_tables() where schema_name = ?", [schema]).fetchall()
    found = {}
    for (name,) in sorted(tables):
        if name not in without:
            columns = f"* exclude ({', '.join(less[name])})" if name in less else "*"
            query = f'select count(*), sum(hash(t)::hugeint)::varchar from (select {columns} from {schema}."{name}") t'
            found[name] = connection.execute(query).fetchall()[0]
    return found


# What a process is allowed to write into one file, before it becomes the command behind it.
LIMITED = """
import os, resource, sys
size = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
os.execv(sys.argv[2], sys.argv[2:])
"""


def limited(file_bytes: int) -> tuple[str, ...]:
    """What to put before a command, so that no file of its grows beyond so many bytes: as on a disk that is full."""
    return (sys.executable, "-c", LIMITED, str(file_bytes))


# Books the hour of each number that it is told, for a service, and says who has it.
RACER = """
import sys
from datetime import UTC, datetime, timedelta
from shipcast.answers.bookings import reserve
from shipcast.scheduling.ledger.entries import Booking
from shipcast.scheduling.ledger.errors import EntryRefused
from shipcast.settings import load_settings

settings, service = load_settings({"home": sys.argv[1]}, {}), sys.argv[2]
for number in sys.stdin:
    start = datetime(2027, 2, 1) + timedelta(hours=int(number))
    wanted = Booking(service=service, start=start, end=start + timedelta(hours=1))
    try:
        print("booked", reserve(settings, datetime.now(UTC), service, wanted).items[0].number, flush=True)
    except EntryRefused as refusal:
        [conflict] = refusal.facts["conflicts"]
        [party] = conflict["parties"]
        print(conflict["rule"], party["number"], flush=True)
"""


def raced(home: Path, services: tuple[str, str], slots: int) -> Iterator[tuple[str, ...]]:
    """What a process for each service says of each slot, when they want it at the same time."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", RACER, str(home), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in services
    ]  # fmt: skip
    try:
        for number in range(slots):
            for racer in racers:
                racer.stdin.write(f"{number}\n")  # type: ignore[union-attr]
                racer.stdin.flush()  # type: ignore[union-attr]
            yield tuple(racer.stdout.readline().strip() for racer in racers)  # type: ignore[union-attr]
    finally:
        for racer in racers:
            racer.communicate()


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


@contextmanager
def sync_killer(folder: Path) -> Iterator[Callable[[Path, str, int], tuple[int, int]]]:
    """A function that does `ingest`, `publish` or `reserve` in a home and dies at that sync; 0: it does not die.

    It gives the exit code, negative for a kill, and the number of syncs where it lived.
    """
    source, library = folder / "shim.c", folder / "shim.so"
    source.write_text(SHIM, encoding="utf-8")
    subprocess.run(
        [str(compiler()), "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"],
        check=True, capture_output=True,
    )  # fmt: skip
    ctypes.CDLL(str(library))
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "LD_PRELOAD": str(library)},
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None

    def act(home: Path, verb: str, number: int) -> tuple[int, int]:
        server.stdin.write(f"{number} {verb} {home}\n")  # type: ignore[union-attr]
        server.stdin.flush()  # type: ignore[union-attr]
        code, syncs = server.stdout.readline().split()  # type: ignore[union-attr]
        return int(code), int(syncs)

    try:
        yield act
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()

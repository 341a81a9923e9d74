"""What becomes of a home that is killed, damaged, raced, polled and filled up, in full number; prints a Markdown table.

    python benchmarks/reliability.py                            all ordeals, some ten minutes on two cores
    python benchmarks/reliability.py --only kills --kills 100

Every ordeal is held against an undisturbed run over the same files. Ends with 1 where one of them was not survived.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "crash"))

import ordeal

COMMIT_AND_DIE = """
import os, sys
from pathlib import Path
from shipcast.ingest import files
from shipcast.settings import load_settings
settings = load_settings({"home": sys.argv[1]}, {})
files.checkpoint = lambda connection, home: os._exit(9)
files.ingest_files(settings, [source.path for source in settings.sources])
"""
Row = tuple[str, int, str, bool]


class Company:
    """Homes before, between and after a run over newer exports, to be copied and ill-treated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.then, self.now = ordeal.write_exports(folder)
        self.before = folder / "before"
        ordeal.write_settings(self.before, self.then)
        self.done(ordeal.run(self.before))
        ordeal.write_settings(self.before, self.now)
        self.after = self.copy(self.before, "after")
        started = time.monotonic()
        self.done(ordeal.run(self.after))
        self.seconds = time.monotonic() - started
        self.answers = {ordeal.metrics(self.before), ordeal.metrics(self.after)}

    def copy(self, home: Path, name: str = "home") -> Path:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return shutil.copytree(home, self.folder / name)

    def done(self, process: subprocess.CompletedProcess[str]) -> None:
        if process.returncode:
            raise SystemExit(process.stderr)

    def is_well(self, home: Path) -> bool:
        """Whether one plain rerun leads to what an undisturbed run leads to."""
        again = ordeal.run(home)
        return again.returncode == 0 and ordeal.published(home) == ordeal.published(self.after)


def counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))


def kills(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    outcomes: Counter[str] = Counter()
    for seed in range(options.kills):
        home = company.copy(company.before)
        code = ordeal.killed(home, random.Random(seed).uniform(0, 1) * company.seconds)
        answered = ordeal.metrics(home) in company.answers
        outcome = "converged" if company.is_well(home) else "DIVERGED"
        outcomes[outcome if answered else "WRONG ANSWER"] += 1
        outcomes["killed too late"] += code == 0
    bad = outcomes["DIVERGED"] + outcomes["WRONG ANSWER"]
    yield "`run` killed at a random moment", options.kills, counted(+outcomes), not bad


def syncs(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    with ordeal.sync_killer(company.folder) as act:
        loaded = company.copy(company.before, "loaded")
        number = act(loaded, "ingest", 0)[1]
        old, new = ordeal.stored(company.before), ordeal.stored(loaded)
        outcomes: Counter[str] = Counter()
        for at in range(1, number + 1):
            home = company.copy(company.before)
            assert act(home, "ingest", at)[0] < 0
            whole = ordeal.stored(home) in (old, new) and ordeal.metrics(home) in company.answers
            act(home, "ingest", 0)
            outcomes["converged" if whole and ordeal.stored(home) == new else "DIVERGED"] += 1
        yield "`ingest` killed at every sync", number, counted(outcomes), not outcomes["DIVERGED"]
        ready = company.copy(company.after, "ready")
        shutil.copytree(company.before / "snapshots", ready / "snapshots", dirs_exist_ok=True)
        shutil.copy(company.before / "current.json", ready)
        number = act(company.copy(ready), "publish", 0)[1]
        outcomes = Counter()
        for at in range(1, number + 1):
            home = company.copy(ready)
            assert act(home, "publish", at)[0] < 0
            whole = ordeal.metrics(home) in company.answers
            act(home, "publish", 0)
            same = ordeal.published(home) == ordeal.published(company.after)
            outcomes["converged" if whole and same else "DIVERGED"] += 1
        yield "publication killed at every sync", number, counted(outcomes), not outcomes["DIVERGED"]


def flip(path: Path, seed: int) -> None:
    """Change one bit of a file; every other one within its first bytes, where the headers lie."""
    draw = random.Random(seed)
    size = path.stat().st_size
    with path.open("r+b") as file:
        place = draw.randrange(size if seed % 2 else min(size, 12_288))
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << draw.randrange(8)]))


def verdict(process: subprocess.CompletedProcess[str], is_same: Callable[[], bool]) -> str:
    """What a command said of a changed byte: recognised, harmless, or one of the things that must not be."""
    if "Traceback" in process.stderr or process.returncode not in (0, 7):
        return f"CRASH {process.returncode}"
    if process.returncode:
        return "recognised (7)"
    if "set aside" in process.stderr:
        return "log set aside, loaded again" if is_same() else "WRONG"
    return "harmless" if is_same() else "WRONG"


def flips(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    died = company.copy(company.before, "died")
    subprocess.run([sys.executable, "-P", "-c", COMMIT_AND_DIE, str(died)], check=False)
    loaded = company.copy(died, "loaded")
    ingest = ["ingest", "files", str(company.now)]
    company.done(ordeal.run(loaded, *ingest))
    asked = ["metrics", "--by", "service", "--json", "--as-of", ordeal.AS_OF.isoformat()]
    subjects = {
        "snapshot": (company.after, lambda home: next(iter(home.glob("snapshots/*Z.duckdb"))), asked),
        "pointer": (company.after, lambda home: home / "current.json", asked),
        "work database": (company.before, lambda home: home / "work.duckdb", ["run"]),
        "log": (died, lambda home: home / "work.duckdb.wal", ingest),
    }
    for name, (source, file_of, command) in subjects.items():
        outcomes: Counter[str] = Counter()
        for seed in range(options.flips):
            home = company.copy(source)
            if name == "snapshot":
                for older in sorted(home.glob("snapshots/*.duckdb"))[:-1]:
                    older.unlink()
            flip(file_of(home), seed)
            process = ordeal.run(home, *command)
            outcomes[verdict(process, lambda home=home, name=name: is_same(company, loaded, home, name))] += 1
        bad = any(outcome.startswith(("CRASH", "WRONG")) for outcome in outcomes)
        yield f"one bit of the {name} changed, then `{command[0]}`", options.flips, counted(outcomes), not bad


def is_same(company: Company, loaded: Path, home: Path, name: str) -> bool:
    if name == "log":
        return ordeal.stored(home) == ordeal.stored(loaded)
    return ordeal.metrics(home) == ordeal.metrics(company.after)


def races(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    outcomes: Counter[str] = Counter()
    for _ in range(options.races):
        home = company.copy(company.before)
        worked, refused = ordeal.at_once(home)
        codes = (worked.returncode, refused.returncode)
        named = codes == (0, 6) and f"(process {worked.pid})" in refused.stderr
        outcomes["one worked, one was told who and since when" if named else f"WRONG {codes}"] += 1
    yield "two runs at once", options.races, counted(outcomes), len(outcomes) == 1


def polling(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    home = company.copy(company.after)
    outcomes, runs = polled(company, home, lambda: ordeal.metrics(home), options.seconds)
    what = f"a reader every 0.2 s while {runs} runs publish, {options.seconds} s"
    yield what, outcomes.total(), counted(outcomes), set(outcomes) == {"answers"}


def page(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    """All that the page "Delivery" says, in a real browser that opens it over and over."""
    from page import opened, serving, with_browser

    home = company.copy(company.after)
    with serving(home, "--as-of", f"{ordeal.AS_OF:%Y-%m-%d}") as (address, _), with_browser() as browser:

        def read() -> str:
            tab = opened(browser, f"{address}/delivery?period=All+there+is")[1]
            try:
                return "\n".join(tab.locator('[data-testid="stHtml"]').all_inner_texts())  # all but labels of filters
            finally:
                tab.context.close()

        outcomes, runs = polled(company, home, read, options.seconds)
    what = f"a page opened over and over while {runs} runs publish, {options.seconds} s"
    yield what, outcomes.total(), counted(outcomes), set(outcomes) == {"answers"}


def polled(company: Company, home: Path, read: Callable[[], str], seconds: float) -> tuple[Counter[str], int]:
    """What a reader got while runs publish one state and the other in turn, and how many runs there were.

    It reads in the thread that it was made in, as a browser must be read.
    """
    states = set()
    for exports in (company.then, company.now):
        ordeal.write_settings(home, exports)
        company.done(ordeal.run(home))
        states.add(read())
    if len(states) != 2:
        raise AssertionError("the two states do not differ")
    runs, is_over = 0, threading.Event()

    def publish_on() -> None:
        nonlocal runs
        while not is_over.is_set():
            ordeal.write_settings(home, (company.then, company.now)[runs % 2])
            company.done(ordeal.run(home))
            runs += 1

    publisher = threading.Thread(target=publish_on)
    publisher.start()
    outcomes: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            outcomes["answers" if read() in states else "MIXED"] += 1
        except Exception as error:
            outcomes[f"ERROR {error}"] += 1
        time.sleep(0.2)
    is_over.set()
    publisher.join()
    return outcomes, runs


def bookings(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    """`reserve` killed at random moments, and two who want the same slots."""
    from shipcast.scheduling.ledger.ledger import read_ledger

    verb = ("reserve", "pay", "--start", "2027-02-01", "--duration", "1h")
    started = time.monotonic()
    company.done(ordeal.run(company.folder / "booked", *verb))
    seconds = time.monotonic() - started
    outcomes: Counter[str] = Counter()
    for seed in range(options.kills):
        home = company.folder / f"booked-{seed}"
        outcomes["killed too late"] += ordeal.killed(home, random.Random(seed).uniform(0.5, 1) * seconds, *verb) == 0
        before = len(read_ledger(home).state().bookings)
        again = ordeal.run(home, *verb).returncode
        is_well = again == (4 if before else 0) and len(read_ledger(home).state().bookings) == 1
        outcomes[("booked" if before else "not booked") if is_well else "DIVERGED"] += 1
    yield "`reserve` killed at a random moment", options.kills, counted(+outcomes), not outcomes["DIVERGED"]
    home = company.folder / "raced"
    home.mkdir()
    (home / "calendar.toml").write_text('[[capacity]]\nid = "one"\nconcurrent = 1\n')
    slots = options.races * 5
    told = list(ordeal.raced(home, ("pay", "web"), slots))
    won = Counter(pair[0].startswith("booked") for pair in told)
    is_well = all(sorted(one.split()[0] for one in pair) == ["booked", "one"] for pair in told)
    is_well = is_well and len(read_ledger(home).state().bookings) == slots
    yield "two bookings for the last slot", slots, f"one got each ({won[True]} and {won[False]})", is_well


def full_disks(company: Company, options: argparse.Namespace) -> Iterator[Row]:
    mount = company.folder / "disk"
    mount.mkdir()
    outcomes: Counter[str] = Counter()
    used = sum(path.stat().st_size for path in company.before.rglob("*") if path.is_file()) // 2**20 + 1
    sizes = range(used + 1, used + 25, 2)
    for size in sizes:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(mount)], check=False).returncode:
            yield "a full disk", 0, "not tried: only root may mount one", True
            return
        try:
            home = shutil.copytree(company.before, mount / "home")
            first = ordeal.run(home)
            fits = first.returncode == 0
            told = fits or (first.returncode == 7 and "no space left" in first.stderr)
            answered = ordeal.metrics(home) in company.answers
            subprocess.run(["mount", "-o", "remount,size=200m", str(mount)], check=True)
            well = company.is_well(home)
            if told and answered and well:
                outcomes["had room" if fits else "said so (7), then converged"] += 1
            else:
                outcomes[f"WRONG at {size} MB: {first.returncode}, {answered}, {well}: {first.stderr[-200:]}"] += 1
        finally:
            subprocess.run(["umount", str(mount)], check=True)
    bad = any(outcome.startswith("WRONG") for outcome in outcomes)
    yield f"`run` on a disk of {sizes[0]} to {sizes[-1]} MB", len(sizes), counted(outcomes), not bad


ORDEALS = {
    "kills": kills,
    "syncs": syncs,
    "flips": flips,
    "races": races,
    "polling": polling,
    "page": page,
    "bookings": bookings,
    "full_disks": full_disks,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", choices=ORDEALS, action="append")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--flips", type=int, default=40)
    parser.add_argument("--races", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    all_well = True
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        print(f"An undisturbed run takes {company.seconds:.1f} s.\n")
        print("| ordeal | times | outcome |\n| --- | ---: | --- |", flush=True)
        for name in options.only or ORDEALS:
            for what, times, outcome, is_well in ORDEALS[name](company, options):
                print(f"| {what} | {times} | {outcome}{'' if is_well else ' **not survived**'} |", flush=True)
                all_well = all_well and is_well
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())

"""How long the HTTP API takes while requests come in at a steady rate, on a made-up company of 50 services.

    python benchmarks/api.py
    python benchmarks/api.py --home DIR --as-of TIME     of a home that there is, which is copied first

Requests come 20 a second, whether those before were answered or not, and a wait counts from when a request was due.
The same kinds of questions are asked in every run, each time of other services, sizes, durations and periods. The
first run meets a server that has just been started, the second one that has asked ahead. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from page import made
from run import SHIPCAST

RATE, SECONDS, CLIENTS, SEED = 20, 60, 64, 7
SHARES = {"windows": 35, "metrics": 35, "now": 8, "gate": 8, "deployments": 8, "services": 6}  # of 100 requests
METRICS = ("lead_time", "change_failure_rate", "deployment_frequency", "failed_deployment_recovery", "rework_rate")
Question = tuple[str, dict[str, Any]]


def questions(services: list[str], as_of: datetime, seed: int) -> Iterator[Question]:
    """What is asked, drawn anew each time."""
    lot = random.Random(seed)
    ask: dict[str, Callable[[], dict[str, Any]]] = {
        "windows": lambda: {
            "service": lot.choice(services),
            "duration": f"{lot.choice((15, 30, 45, 60, 90))}m",
            "lines": lot.randrange(1, 2000),
        },
        "metrics": lambda: metrics_asked(lot, services, as_of),
        "now": lambda: {"service": lot.choice(services), "lines": lot.randrange(1, 2000)},
        "gate": lambda: {"service": lot.choice(services), "change_type": "standard", "lines": lot.randrange(1, 2000)},
        "deployments": lambda: {"service": lot.choice(services), "limit": 100},
        "services": dict,
    }
    while True:
        [name] = lot.choices(list(SHARES), list(SHARES.values()))
        yield name, ask[name]()


def metrics_asked(lot: random.Random, services: list[str], as_of: datetime) -> dict[str, Any]:
    """All metrics of a service, one of the company or by something, over all or the last weeks."""
    since = (as_of - timedelta(days=7 * lot.randrange(4, 50))).date().isoformat()
    kind = lot.randrange(4)
    if kind == 0:
        return {"service": lot.choice(services)}
    if kind == 1:
        return {"service": lot.choice(services), "from": since}
    if kind == 2:
        return {"metric": lot.choice(METRICS), "from": since}
    return {"metric": lot.choice(METRICS), "by": lot.choice(("service", "week", "team"))}


@contextmanager
def serving(home: Path, as_of: str | None) -> Iterator[tuple[str, int]]:
    """The address of a server just started, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = [] if as_of is None else ["--as-of", as_of]
    with subprocess.Popen([*SHIPCAST, "--home", str(home), "serve", "--port", str(port), "-q", *flags]) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            while not answers(f"{address}/healthz"):
                time.sleep(0.05)
            yield address, server.pid
        finally:
            server.terminate()


def answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=1, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def load(address: str, asked: Iterator[Question]) -> list[tuple[str, float, int]]:
    """Of every request its kind, how long it took from when it was due, and its status."""
    pool = urllib3.PoolManager(maxsize=CLIENTS, retries=False, timeout=120)
    took: list[tuple[str, float, int]] = []
    begins = time.perf_counter()

    def ask(name: str, fields: dict[str, Any], due: float) -> None:
        status = pool.request("GET", f"{address}/api/v1/{name}", fields=fields).status
        took.append((name, time.perf_counter() - due, status))

    with ThreadPoolExecutor(CLIENTS) as clients:
        for number in range(RATE * SECONDS):
            due = begins + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            clients.submit(ask, *next(asked), due)
    return took


def shown(title: str, took: list[tuple[str, float, int]], kept: tuple[int, int], worked: float) -> None:
    found, missed = kept
    share = found / max(found + missed, 1)
    each = 1000 * worked / len(took)
    print(f"\n{title}: {share:.0%} of the answers were kept; {each:.0f} ms of processor for each request\n")
    print("| question | requests | p50 ms | p95 ms | longest ms | not 200 |\n| --- | --- | --- | --- | --- | --- |")
    for name in SHARES:
        times = sorted(1000 * seconds for kind, seconds, _ in took if kind == name)
        wrong = sum(status != 200 for kind, _, status in took if kind == name)
        p50, p95 = (times[int(share * len(times))] for share in (0.5, 0.95))
        print(f"| {name} | {len(times)} | {p50:.0f} | {p95:.0f} | {times[-1]:.0f} | {wrong} |", flush=True)


def kept(address: str) -> tuple[int, int]:
    text = urllib3.request("GET", f"{address}/metrics").data.decode()
    found = dict(re.findall(r'answers_total\{found="(yes|no)"\} ([0-9.]+)', text))
    return int(float(found.get("yes", 0))), int(float(found.get("no", 0)))


def processor(process: int) -> float:
    """The seconds of processor that a process has used."""
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def measured(title: str, address: str, process: int, asked: Iterator[Question]) -> None:
    before, began = kept(address), processor(process)
    took = load(address, asked)
    after = kept(address)
    shown(title, took, (after[0] - before[0], after[1] - before[1]), processor(process) - began)


def measure(home: Path, as_of: str | None) -> None:
    with serving(home, as_of) as (address, process):
        reply = urllib3.request("GET", f"{address}/api/v1/services", timeout=60).json()
        services = [one["service"] for one in reply["items"]]
        at = datetime.fromisoformat(reply["as_of"])
        measured("Just started", address, process, questions(services, at, SEED))
        while not asked_ahead(address):
            time.sleep(1)
        measured("After it has asked ahead", address, process, questions(services, at, SEED + 1))


def asked_ahead(address: str) -> bool:
    return "shipcast_asking_ahead 0" in urllib3.request("GET", f"{address}/metrics").data.decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="default: a made-up company of 50 services over a year")
    parser.add_argument("--as-of", help="of all questions; default: the present")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        if given.home is None:
            home = made(Path(folder))
        else:
            shutil.copytree(given.home, home)
        measure(home, given.as_of)


if __name__ == "__main__":
    main()

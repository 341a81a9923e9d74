"""Webhooks at a steady rate: how long each waits for its acknowledgement, and whether each is ingested exactly once.

    python benchmarks/hooks.py --rate 200 --seconds 10

The server is a process of its own (`shipcast serve`). Limit: each acknowledged one ingested exactly once.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from shipcast.ingest.hooks.reading import ingest_events
from shipcast.settings import load_settings
from shipcast.settings.writing import add_source
from shipcast.warehouse.connection import WORK_FILE, open_beside

SECRET = "benchmark-secret"
SENDERS = 32


def message(number: int) -> tuple[bytes, dict[str, str]]:
    row = {"deployment_id": f"D{number}", "service": f"s{number % 50}", "environment": "production"}
    data = {**row, "started_at": "2026-01-05T10:00:00Z", "status": "succeeded"}
    body = json.dumps(
        {"specversion": "1.0", "id": str(number), "source": "bench", "type": "shipcast.deployments", "data": data}
    ).encode()
    stamp = str(int(time.time()))
    code = base64.b64encode(hmac.digest(SECRET.encode(), f"{number}.{stamp}.".encode() + body, "sha256")).decode()
    return body, {"webhook-id": str(number), "webhook-timestamp": stamp, "webhook-signature": f"v1,{code}"}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=10)
    given = parser.parse_args()
    os.environ["BENCHMARK_HOOK"] = SECRET
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        add_source(home, {"kind": "events", "name": "ci", "hook_env": "BENCHMARK_HOOK"})
        command = [sys.executable, "-m", "shipcast", "--home", folder, "serve", "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        pool = urllib3.PoolManager(maxsize=SENDERS, retries=False, timeout=30)
        url = f"http://127.0.0.1:{port}"
        await_server(pool, url)
        begin = time.monotonic() + 0.5

        def send(number: int) -> tuple[int, float]:
            due = begin + number / given.rate
            time.sleep(max(0.0, due - time.monotonic()))
            body, headers = message(number)
            reply = pool.request("POST", f"{url}/hooks/events/ci", body=body, headers=headers)
            return reply.status, time.monotonic() - due

        with ThreadPoolExecutor(SENDERS) as senders:
            replies = list(senders.map(send, range(given.rate * given.seconds)))
        server.terminate()
        server.wait()
        waits = sorted(waited for _, waited in replies)
        kept = sum(status == 202 for status, _ in replies)
        print(f"sent {len(replies):,} at {given.rate}/s, acknowledged {kept:,}")
        p95 = waits[int(0.95 * len(waits))]
        print(f"wait: median {ms(statistics.median(waits))}, p95 {ms(p95)}, longest {ms(waits[-1])}")
        settings = load_settings({"home": folder}, {})
        report = ingest_events(settings, settings.sources[0])
        with open_beside(home / WORK_FILE) as connection:
            counts = "select count(*), count(distinct deployment_id) from raw.deployments"
            rows, ids = connection.execute(counts).fetchall()[0]
        inserted = sum(item.inserted for item in report.items)
        print(f"ingested {inserted:,}, in the table {rows:,} rows of {ids:,} ids")


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def await_server(pool: urllib3.PoolManager, url: str) -> None:
    for _ in range(600):
        try:
            if pool.request("GET", f"{url}/healthz").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the server did not begin")


if __name__ == "__main__":
    main()

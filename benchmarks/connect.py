"""A first reading of a large repository from a stub of GitHub on the loopback: seconds, memory, requests.

    python benchmarks/connect.py --deployments 10000 --requests 50000

The stub runs in a process of its own; the limit is 3 minutes and 1 GiB for the sizes above.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ingest" / "remote"))

from test_github import Repository, commit, deployment, pull_request
from vendor import TOKEN, Vendor, serving

from shipcast.ingest.remote.reading import ingest_remote
from shipcast.settings import Settings
from shipcast.settings.sources import GithubSource

BEGIN = datetime(2022, 1, 1, tzinfo=UTC)


class Large(Repository):
    """A repository whose cursors are places, so that the stub takes no time to find them."""

    def paged(self, nodes: list[dict[str, Any]], after: str | None, key: str) -> dict[str, Any]:
        begin = int(after or 0)
        end = begin + self.page
        return {"nodes": nodes[begin:end], "pageInfo": {"hasNextPage": end < len(nodes), "endCursor": str(end)}}


def at(minutes: float) -> str:
    return (BEGIN + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def serve(deployments: int, requests: int, told: Connection) -> None:
    commits = []
    for number in range(1, requests + 1):
        merged = pull_request(number, 1, at(30 * number - 90), at(30 * number), at(30 * number - 600))
        merged["mergeCommit"]["oid"] = f"{number:040x}"
        made = commit(1, None, at(30 * number), merged)
        parents = {"nodes": [{"oid": f"{number - 1:040x}"}] if number > 1 else []}
        commits.append({**made, "oid": f"{number:040x}", "parents": parents})
    step = 30 * requests / deployments
    made = []
    for number in range(1, deployments + 1):
        ends = ("FAILURE" if number % 20 == 0 else "SUCCESS", at(step * number + 9))
        found = deployment(number, at(step * number), ("IN_PROGRESS", at(step * number + 1)), ends)
        made.append({**found, "commitOid": f"{max(1, int(number * requests / deployments)):040x}"})
    repository = Large(deployments=made[::-1], commits=commits[::-1], page=100)
    with serving(Vendor(repository.answer)) as vendor:
        told.send(vendor.url)
        told.recv()
        told.send(len(vendor.asked))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=50_000)
    given = parser.parse_args()
    os.environ["GITHUB_TOKEN"] = TOKEN
    ours, theirs = multiprocessing.Pipe()
    stub = multiprocessing.get_context("spawn").Process(
        target=serve, args=(given.deployments, given.requests, theirs), daemon=True
    )
    stub.start()
    source = GithubSource(repository="acme/shop", url=ours.recv(), incident_labels=())
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first reading", "next reading"):
            began = time.monotonic()
            report = ingest_remote(Settings(home=Path(folder)), source)
            rows = sum(item.read for item in report.items)
            took, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name}: {rows:,} rows in {took:.1f} s, at most {peak:.0f} MiB so far")
    ours.send(None)
    print(f"requests: {ours.recv():,}")


if __name__ == "__main__":
    main()

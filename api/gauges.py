"""What the server measures of itself, in the text format of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Any

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
PREFIX = "shipcast_"
Labels = tuple[tuple[str, str], ...]


class Gauges:
    """Requests by route and status, and how long they took."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.requests: Counter[Labels] = Counter()
        self.within: dict[Labels, list[int]] = {}
        self.seconds: Counter[Labels] = Counter()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        of_route: Labels = (("method", method), ("route", route))
        with self.lock:
            self.requests[(*of_route, ("status", str(status)))] += 1
            self.within.setdefault(of_route, [0] * (len(BOUNDS) + 1))[bisect_left(BOUNDS, seconds)] += 1
            self.seconds[of_route] += seconds  # type: ignore[assignment]

    def lines(self) -> Iterator[str]:
        with self.lock:
            requests, seconds = dict(self.requests), dict(self.seconds)
            within = {labels: list(counts) for labels, counts in self.within.items()}
        yield from family("http_requests_total", "counter", "Requests, by route and status.", requests)
        yield from head("http_request_seconds", "histogram", "How long requests took, in seconds.")
        for labels, counts in within.items():
            so_far = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
                so_far += count
                yield sample("http_request_seconds_bucket", (*labels, ("le", bound)), so_far)
            yield sample("http_request_seconds_sum", labels, seconds[labels])
            yield sample("http_request_seconds_count", labels, so_far)


def head(name: str, kind: str, says: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {says}"
    yield f"# TYPE {PREFIX}{name} {kind}"


def family(name: str, kind: str, says: str, samples: Mapping[Any, float]) -> Iterator[str]:
    """A metric and its samples; nothing where there are none."""
    if samples:
        yield from head(name, kind, says)
        yield from (sample(name, labels, value) for labels, value in samples.items())


def sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    """
    >>> sample("age_seconds", (("table", 'a"b'),), 1.5)
    'shipcast_age_seconds{table="a\\\\"b"} 1.5'
    """
    said = ",".join(f'{key}="{escaped(text)}"' for key, text in labels)
    return f"{PREFIX}{name}{{{said}}} {value!r}" if said else f"{PREFIX}{name} {value!r}"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

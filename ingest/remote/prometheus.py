"""Load of Prometheus, through its HTTP API v1 (`query_range`, as documented for Prometheus 3).

- A query gives at an instant the requests of the interval that ends there, as `increase(...[1h])` does; so the load of
  an interval stands at its start, a step before the sample. Series of one service and environment are added up.
- Instants are whole multiples of the step since 1970, in UTC; only intervals that have ended by the server's clock and
  by ours are read, and the last two of the reading before again, since samples may come late.
- No sample, NaN and infinity are gaps: there is no row, which is not the same as no request.

Proxy: what a counter counts stands for the requests that users made; it misses what never reached the service.

Thanos, Mimir, Cortex and VictoriaMetrics answer alike. An answer that says it is a part of the data is not taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shipcast.ingest.errors import AnswerUnusable, QueryRefused
from shipcast.ingest.headers import clipped
from shipcast.ingest.instants import EPOCH
from shipcast.ingest.json_records import value_at
from shipcast.ingest.remote.clocks import Clocks
from shipcast.ingest.remote.listing import Batch, Listing, Mark, Recall, Record
from shipcast.ingest.remote.misfits import SHAPELESS, Kind, Sieve
from shipcast.ingest.remote.site import Site
from shipcast.settings.sources import PrometheusSource, name_here

SAMPLE = Kind("load")
FIRST = timedelta(days=90)  # how far back a first reading goes, unless the settings say; how much is kept, it finds out
WINDOW = timedelta(days=7)  # of one request: at the shortest step 10,080 samples a series, of the 11,000 allowed
SHORTEST = timedelta(days=1)  # of a request that is cut, where the server finds one too large
AGAIN = 2  # intervals that are read once more
LIKELY = ("service", "app", "application", "job", "deployment", "container", "namespace")
BAD, TOO_MUCH = 400, 422


@dataclass
class Prometheus:
    """One query of one server."""

    source: PrometheusSource
    site: Site
    recall: Recall
    warnings: list[str] = field(default_factory=list)
    sieve: Sieve = field(default_factory=Sieve)

    def __post_init__(self) -> None:
        self.site.carry(**({"X_Scope_OrgID": self.source.tenant} if self.source.tenant else {}))
        self.site.advice = "The token, where one is needed, must be one that may query."
        self.step = timedelta(minutes=self.source.step_minutes)
        self.size = max(WINDOW, self.step)
        self.is_nameless_told = False
        asked = (self.source.service_label, self.source.environment_label)
        self.labels = tuple(f"metric.{label}" for label in asked if label)  # the others may name people
        self.clocks = Clocks(self.site.name, self.warnings)
        self.site.counts_same = False  # stretches of time in which there is nothing are answered alike

    def listings(self) -> Sequence[Listing]:
        return [Listing("load", ("load",), self.load)]

    def all_names(self) -> dict[str, set[str]]:
        """See `Naming`: of the series that there are now."""
        end = self.floor(self.clocks.now())
        labels = [labels_of(each) for each in self.samples(end - self.step, end)[0]]
        places = [self.named(each) for each in labels]
        return {
            "label": {label for each in labels for label in each if label != "__name__"},
            "service": {service for service, _ in places if service},
            "environment": {where for _, where in places if where},
        }

    def load(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `end`, that of the last interval that was read."""
        now, has_series = self.clocks.now(), mark is not None
        first = begin = self.floor(self.begin(mark, now))
        while True:
            end = max(self.floor(min(begin + self.size, now)), begin + self.step)
            found, now, end = self.samples(begin, end)
            end = max(begin, min(end, self.floor(now)))
            has_series = has_series or bool(found)
            yield Batch({"load": self.rows(found, begin, end)}, {"end": end.isoformat()})
            begin = end
            if begin + self.step > now:
                break
        if not has_series:
            self.warnings.append(
                f"{self.site.name}: the query gives no series at all from {first:%Y-%m-%d} to {end:%Y-%m-%d} UTC. "
                "Is its metric called so? Try it in the server's own page."
            )

    def begin(self, mark: Mark | None, now: datetime) -> datetime:
        if mark is not None:
            return self.clocks.pulled_back(datetime.fromisoformat(mark["end"])) - AGAIN * self.step
        return self.source.begins_at or now - FIRST

    def floor(self, moment: datetime) -> datetime:
        """The last whole step up to a moment."""
        return datetime.fromtimestamp(moment.timestamp() // self.step.total_seconds() * self.step.total_seconds(), UTC)

    def samples(self, begin: datetime, end: datetime) -> tuple[list[Any], datetime, datetime]:
        """The series of the intervals from `begin` to `end`; up to when there can be any, and where they really end.

        A stretch that the server finds too large is cut in halves, and stays so short for the rest of the reading.

        Raises
        ------
        QueryRefused
            In the server's own words.
        """
        given = {
            "query": self.source.query,
            "start": f"{(begin + self.step).timestamp():.0f}",
            "end": f"{end.timestamp():.0f}",
            "step": f"{self.step.total_seconds():.0f}",
            "partial_response": "false",
        }
        try:
            reply = self.site.get("api/v1/query_range", given)
        except AnswerUnusable as error:
            status = error.facts.get("status")
            if status == TOO_MUCH and end - begin > max(SHORTEST, self.step):
                self.size = max(self.size / 2, SHORTEST, self.step)
                return self.samples(begin, max(self.floor(begin + (end - begin) / 2), begin + self.step))
            if status in (BAD, TOO_MUCH):
                where = "" if self.recall.is_sample else " in shipcast.toml"
                raise QueryRefused(
                    error.detail, next_step=f"Correct the query{where}; try it in the server's own page first."
                ) from None
            raise
        return self.taken(reply.data), self.clocks.now(reply), end

    def taken(self, data: Any) -> list[Any]:
        """The series of an answer.

        Raises
        ------
        AnswerUnusable
            It is none of a range query, or only a part of the data.
        """
        answer = data if isinstance(data, dict) else {}
        inner = answer.get("data")
        found = inner.get("result") if isinstance(inner, dict) and inner.get("resultType") == "matrix" else None
        if not isinstance(found, list):
            raise AnswerUnusable(f"{self.site.name}: its answer is none of Prometheus' query_range.")
        if answer.get("isPartial") is True:
            raise AnswerUnusable(f"{self.site.name}: it gives only a part of the data, since a part of it is down.")
        for words in answer.get("warnings") or ():
            if (told := f"{self.site.name} says: {clipped(self.site.cleaned(str(words)), 200)}.") not in self.warnings:
                self.warnings.append(told)
        return self.sieve.readable(Kind("load", self.labels), found, labels_of, samples_of)

    def rows(self, found: Sequence[Any], begin: datetime, end: datetime) -> list[Record]:
        """One row for each service, environment and interval from `begin` to `end` that has a number."""
        sums: dict[tuple[str, str | None, datetime], float] = {}
        words: dict[tuple[str, str | None], tuple[str, str | None]] = {}
        for series in found:
            service, environment = self.named(labels_of(series))
            if service is None:
                continue
            # Those whose names are one here are added up: as rows they would replace each other.
            one = (
                name_here(self.source.services, service),
                environment and name_here(self.source.environments, environment),
            )
            words.setdefault(one, (service, environment))
            for at, value in self.numbers(series):
                if begin < at <= end:
                    sums[*one, at] = sums.get((*one, at), 0.0) + value
        return [
            {
                **dict(zip(("service", "environment"), words[service, environment], strict=True)),
                "observed_at": (at - self.step).isoformat(),
                "value": value,
            }
            for (service, environment, at), value in sums.items()
        ]

    def named(self, labels: Mapping[str, str]) -> tuple[str | None, str | None]:
        """The service and the environment of a series, in the server's words; None: no label says it."""
        service = labels.get(self.source.service_label) or self.source.service
        if not service:
            self.tell_nameless([label for label in labels if label != "__name__"])
        return service, labels.get(self.source.environment_label or "") or None

    def numbers(self, series: Any) -> Iterator[tuple[datetime, float]]:
        """The samples that are finite numbers, each with its instant; one that is no sample is set aside."""
        for sample in samples_of(series):
            try:
                at, value = EPOCH + timedelta(seconds=float(sample[0])), float(sample[1])
            except SHAPELESS as error:
                self.sieve.put_aside(SAMPLE, sample, error, **self.told(series, sample))
                continue
            if math.isfinite(value):
                yield at, value

    def told(self, series: Any, sample: Any) -> dict[str, Any]:
        """Of which series a sample is, and of which time."""
        at = sample[0] if isinstance(sample, list) and sample else None
        return {**{label: value_at(series, label) for label in self.labels}, "at": at}

    def tell_nameless(self, labels: Sequence[str]) -> None:
        """Say once which labels might say the service, where the one that should does not."""
        if self.is_nameless_told:
            return
        self.is_nameless_told = True
        likely = next((label for label in LIKELY if label in labels), labels[0] if labels else "")
        says = f"with the labels {', '.join(map(clipped, labels[:12]))}" if labels else "with no label at all"
        proposal = f'service_label = "{clipped(likely)}", or ' if likely else ""
        how = f'Say in its entry of shipcast.toml {proposal}service = "..." for all of them.'
        if self.recall.is_sample:
            proposal = f"--with service_label={clipped(likely)}, or " if likely else ""
            how = f"Say {proposal}--service NAME for all of them."
        self.warnings.append(
            f"{self.site.name}: left out series that have no label {self.source.service_label!r}, such as one {says}. "
            f"{how}"
        )


def labels_of(series: Any) -> dict[str, str]:
    """The labels of a series.

    Raises
    ------
    TypeError
        They are none.
    """
    found = series.get("metric") or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise TypeError("its labels are no names with texts")
    return found


def samples_of(series: Any) -> list[Any]:
    """The samples of a series.

    Raises
    ------
    KeyError, TypeError
        It has none, as one of histograms, or they are no list.
    """
    found = series["values"]
    if not isinstance(found, list):
        raise TypeError("its samples are no list")
    return found

"""Prometheus, as the documentation of its HTTP API v1 describes it (`/api/v1/query_range`, Prometheus 3)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from vendor import TOKEN, Asked, Reader, Told, Vendor, serving

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, QueryRefused
from shipcast.ingest.files import silent
from shipcast.ingest.remote.connectors import connector
from shipcast.ingest.remote.reading import Nothing, samples
from shipcast.settings.sources import PrometheusSource

HOUR = 3600
QUERY = "sum by (service) (increase(http_requests_total[1h]))"
HALF_DONE = 1  # what an interval that has not ended gives so far


@dataclass
class Server:
    """A server that counts, in every hour since 1970, as many requests as the hour has a number, modulo 500.

    Parameters
    ----------
    series
        The labels of its series.
    kept
        For how many hours samples are kept.
    gaps
        Hours before now to what stands there in place of a number; None: no sample.
    largest
        Seconds that a query may span; what is longer is refused as too much.
    """

    series: list[dict[str, str]]
    kept: int = 500
    gaps: dict[int, str | None] = field(default_factory=dict)
    largest: float = float("inf")
    skew: float = 0

    def answer(self, asked: Asked) -> Told:
        given = asked.parameters
        assert asked.path == "/api/v1/query_range"
        start, end, step = (float(given[name]) for name in ("start", "end", "step"))
        if given["query"] != QUERY:
            return wrong(400, "bad_data", "1:5: parse error: unclosed left parenthesis")
        if (end - start) / step > 11_000:
            return wrong(400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries.")
        if end - start > self.largest:
            return wrong(422, "execution", "query processing would load too many samples into memory")
        instants = [start + number * step for number in range(int((end - start) // step) + 1)]
        values = [[at, text] for at in instants if (text := self.value(at)) is not None]
        found = [{"metric": labels, "values": values} for labels in self.series] if values else []
        return Told({"status": "success", "data": {"resultType": "matrix", "result": found}})

    def value(self, at: float) -> str | None:
        now = time.time() + self.skew
        ago = int((now - at) // HOUR)
        if at < now - self.kept * HOUR:
            return None
        return str(HALF_DONE) if at > now else self.gaps.get(ago, count(at))


def count(end: float) -> str:
    """The requests of the hour that ends at that instant, as the server writes them."""
    return str(end // HOUR % 500 + 2)


def wrong(status: int, kind: str, words: str) -> Told:
    return Told({"status": "error", "errorType": kind, "error": words}, status)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "home")


@pytest.fixture
def server() -> Server:
    return Server([{"service": "checkout", "environment": "production"}])


@pytest.fixture
def prometheus(server: Server) -> Iterator[Vendor]:
    with serving(Vendor(server.answer)) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A home that has read a server once, for claims that change nothing."""
    reader = Reader(tmp_path_factory.mktemp("prometheus") / "home")
    server = Server([{"service": "checkout"}], gaps={3: "NaN", 4: "+Inf", 5: None, 6: "-7"})
    with serving(Vendor(server.answer)) as vendor:
        reader.read(source(vendor))
    return reader


def source(vendor: Vendor, days: int | None = None, **more: object) -> PrometheusSource:
    since = None if days is None else (datetime.now(UTC) - timedelta(days=days)).date()
    return PrometheusSource.model_validate({"url": vendor.url, "query": QUERY, "since": since, **more})


def hours(reader: Reader) -> dict[int, float]:
    """Hour by hour, in hours since 1970, what was stored."""
    return dict(reader.rows("select epoch(observed_at)::bigint // 3600, value from raw.load"))


def expected(first: int, last: int) -> dict[int, float]:
    """What the hours between two give, the last not included."""
    return {hour: float(count((hour + 1) * HOUR)) for hour in range(first, last)}


def test_the_load_of_an_hour_stands_at_its_start(read_once: Reader):
    found = hours(read_once)
    last = max(found)
    assert last in (int(time.time()) // HOUR - 1, int(time.time()) // HOUR - 2)
    assert {hour: value for hour, value in found.items() if hour < last - 8} == expected(min(found), last - 8)


def test_a_first_reading_finds_what_is_kept(read_once: Reader):
    assert 490 <= max(hours(read_once)) - min(hours(read_once)) + 1 <= 500


def test_what_is_no_number_is_a_gap_and_a_negative_one_is_refused(read_once: Reader):
    found = hours(read_once)
    last = max(found)
    assert set(range(last - 10, last + 1)) - found.keys() == {last - 3, last - 4, last - 5, last - 6}
    assert read_once.rows("select rule from raw._quarantine") == [("number_out_of_range",)]


def test_reading_again_asks_for_two_intervals_and_takes_late_samples(
    reader: Reader, prometheus: Vendor, server: Server
):
    server.gaps = {0: "5", 1: "6", 2: "7"}
    reader.read(source(prometheus, 3))
    asked, server.gaps = len(prometheus.asked), {}

    reader.read(source(prometheus, 3))

    found = hours(reader)
    late = max(found) - 2
    assert found == {**expected(min(found), max(found) + 1), late: 7.0}
    assert len(prometheus.asked) == asked + 1


def test_what_has_not_ended_by_the_servers_clock_is_not_read(reader: Reader, prometheus: Vendor, server: Server):
    server.skew = prometheus.skew = -20 * HOUR
    reader.read(source(prometheus, 3))
    assert HALF_DONE not in hours(reader).values()
    server.skew = prometheus.skew = 20 * HOUR
    reader.read(source(prometheus, 3))

    found = hours(reader)
    assert found == expected(min(found), max(found) + 1)
    assert int(time.time()) // HOUR - 1 - max(found) in (0, 1)


@pytest.mark.parametrize("skew", [24 * HOUR, 70 * 365 * 24 * HOUR])
def test_a_servers_clock_that_is_ahead_sets_no_mark_ahead(reader: Reader, prometheus: Vendor, skew: int):
    prometheus.skew = skew
    [warning] = reader.read(source(prometheus, 3)).warnings

    [(tip,)] = reader.rows("select tip from raw._cursors where tip like '%end%'")
    assert datetime.fromisoformat(json.loads(tip)["end"]) <= datetime.now(UTC)
    assert "ahead of this machine's" in warning
    assert len(prometheus.asked) == 1


def test_no_part_of_a_token_that_a_server_repeats_is_told(
    reader: Reader, prometheus: Vendor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PROMETHEUS_TOKEN", TOKEN)
    empty = {"status": "success", "data": {"resultType": "matrix", "result": []}, "warnings": [f"{'x' * 192}{TOKEN}"]}
    prometheus.answer = lambda asked: Told(empty)

    report = reader.read(source(prometheus, 3))
    assert any("says: xxx" in each for each in report.warnings)
    assert not any(TOKEN[:6] in each for each in report.warnings)


def test_weeks_without_a_sample_are_no_circle(reader: Reader, prometheus: Vendor):
    empty = {"status": "success", "data": {"resultType": "matrix", "result": []}, "warnings": ["x" * 300]}
    prometheus.answer = lambda asked: Told(empty)

    reader.read(source(prometheus, 200))
    assert len(prometheus.asked) > 20


def test_a_mark_that_lies_ahead_is_pulled_back(prometheus: Vendor):
    asked = connector(source(prometheus), Nothing(), silent)
    mark = {"end": (datetime.now(UTC) + timedelta(days=30)).isoformat()}

    *_, last = asked.listings()[0].read(mark)

    assert datetime.now(UTC) - timedelta(hours=2) < datetime.fromisoformat(last.mark["end"]) <= datetime.now(UTC)
    assert len(last.rows["load"]) in (1, 2)
    assert ["may be missing" in warning for warning in asked.warnings] == [True]


def test_a_query_that_is_too_large_is_cut_and_nothing_is_lost(reader: Reader, prometheus: Vendor, server: Server):
    server.largest = 2 * 86400
    reader.read(source(prometheus, 9))

    found = hours(reader)
    assert found == expected(min(found), max(found) + 1)
    assert len(found) >= 9 * 24 - 1


def test_series_of_one_service_are_added_up(reader: Reader, prometheus: Vendor, server: Server):
    server.series = [{"service": "checkout", "pod": "a"}, {"service": "checkout", "pod": "b"}, {"service": "shop"}]
    reader.read(source(prometheus, 1, services={"shop": "checkout"}))

    found = hours(reader)
    assert found == {hour: 3 * value for hour, value in expected(min(found), max(found) + 1).items()}
    assert reader.rows("select distinct service, environment from raw.load") == [("checkout", None)]


def test_labels_say_the_service_and_the_environment(reader: Reader, prometheus: Vendor, server: Server):
    server.series = [{"app": "pay", "env": "prd"}, {"app": "pay", "env": "stg"}, {"app": "tool", "env": "prd"}]
    mapped = {"environments": {"prd": "production", "stg": "staging"}, "services": {"tool": ""}}
    reader.read(source(prometheus, 1, service_label="app", environment_label="env", **mapped))

    found = reader.rows("select distinct service, environment from raw.load order by 2")
    assert found == [("pay", "production"), ("pay", "staging")]


def test_series_without_the_label_are_named_with_a_proposal(reader: Reader, prometheus: Vendor, server: Server):
    server.series.append({"__name__": "up", "instance": "a:80", "job": "pay"})

    [warning] = reader.read(source(prometheus, 1)).warnings

    assert "with the labels instance, job. Say" in warning
    assert 'service_label = "job"' in warning


def test_a_query_that_gives_nothing_is_told_of_at_the_first_reading(reader: Reader, prometheus: Vendor, server: Server):
    server.series = []
    first, second = (reader.read(source(prometheus, 1)) for _ in range(2))

    assert any("no series at all" in warning for warning in first.warnings)
    assert (first.exit_code, second.warnings) == (0, [])


def test_a_wrong_query_is_refused_in_the_servers_words(reader: Reader, prometheus: Vendor):
    with pytest.raises(QueryRefused, match="unclosed left parenthesis") as raised:
        reader.read(source(prometheus, 1, query="sum("))
    assert raised.value.exit_code == 3
    assert raised.value.next_step.startswith("Correct the query in shipcast.toml")
    with pytest.raises(QueryRefused) as raised:
        samples(source(prometheus, 1, query="sum("), 3)
    assert raised.value.next_step.startswith("Correct the query; try it")


def test_a_part_of_the_data_is_no_answer(reader: Reader, prometheus: Vendor, server: Server):
    answer = server.answer
    prometheus.answer = lambda asked: Told({**answer(asked).data, "isPartial": True})

    with pytest.raises(AnswerUnusable, match="only a part"):
        reader.read(source(prometheus, 1))


@pytest.mark.parametrize("fault", ["429", "502", "truncated", "reset", "drip"])
def test_a_fault_that_passes_changes_nothing(reader: Reader, prometheus: Vendor, fault: str):
    prometheus.faults = [fault, None, fault, fault]

    reader.read(source(prometheus, 9))

    found = hours(reader)
    assert found == expected(min(found), max(found) + 1)
    assert len(found) >= 9 * 24 - 1


def test_a_token_and_a_tenant_are_shown_where_there_are_such(
    reader: Reader, prometheus: Vendor, monkeypatch: pytest.MonkeyPatch
):
    reader.read(source(prometheus, 1))
    monkeypatch.setenv("PROMETHEUS_TOKEN", TOKEN)
    reader.read(source(prometheus, 1, tenant="acme"))
    first, last = prometheus.asked[0].headers, prometheus.asked[-1].headers

    assert not {"authorization", "x-scope-orgid"} & first.keys()
    assert (last["authorization"], last["x-scope-orgid"]) == (f"Bearer {TOKEN}", "acme")
    prometheus.faults = ["expired"]
    with pytest.raises(CredentialsRefused, match="the token in PROMETHEUS_TOKEN"):
        reader.read(source(prometheus, 1, tenant="acme"))

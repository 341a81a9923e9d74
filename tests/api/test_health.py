"""Whether it lives and can answer, and measures that Prometheus reads."""

import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from api_server import serving

from shipcast.answers.bookings import reserve
from shipcast.answers.tokens import add_feed
from shipcast.api.gauges import BOUNDS, Gauges
from shipcast.ingest.health import record
from shipcast.scheduling.ledger.entries import Booking
from shipcast.settings import Settings
from shipcast.settings.errors import SourceUnreachable
from shipcast.settings.sources import FilesSource

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = rf'{NAME}="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{{LABEL}(?:,{LABEL})*\}})? (-?[0-9.e+-]+|\+Inf|NaN)")
HELP = re.compile(rf"# HELP ({NAME}) \S.*")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")


def samples(text):
    """Every sample, by its name and labels; each family is told and typed once, before its samples, which follow."""
    assert text.endswith("\n")
    found, family = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP"):
            name = HELP.fullmatch(line)[1]
            assert not any(key.startswith(name) for key, _ in found)
        elif line.startswith("#"):
            family = TYPE.fullmatch(line)
            assert family[1] == name
        else:
            key, labels, value = SAMPLE.fullmatch(line).groups()
            suffix = r"(_bucket|_sum|_count)" if family[2] == "histogram" else ""
            assert re.fullmatch(re.escape(family[1]) + suffix, key)
            assert (key, labels) not in found
            found[key, labels] = float(value)
    return found


def samples_of(api):
    return {f"{name}{labels or ''}": value for (name, labels), value in samples(api("/metrics").text).items()}


def test_it_lives_without_and_answers_with_a_snapshot(asked_api, tmp_path):
    ready = asked_api("/readyz").json
    with serving(Settings(home=tmp_path / "empty")) as empty:
        alive, not_ready, asked = empty("/healthz"), empty("/readyz"), empty.ask("metrics")
        gauges = samples_of(empty)

    assert ready["status"] == "ready"
    assert ready["age_seconds"] >= 0
    assert alive.json == {"status": "alive"}
    assert (not_ready.status, asked.status) == (503, 503)
    assert not_ready.json["title"] == "Nothing is published yet"
    assert gauges["shipcast_ready"] == 0


def test_requests_are_counted_by_route_and_status_and_timed(trained_home):
    with serving(trained_home) as api:
        api.ask("metrics", metric="deployments")
        api.ask("deployments/a%22b")
        api.ask("services")
        api.ask("services")
        found = samples_of(api)

    route = 'method="GET",route="/api/v1/services"'
    assert found[f'shipcast_http_requests_total{{{route},status="200"}}'] == 2
    gone = 'method="GET",route="/api/v1/deployments/{deployment_id}",status="404"'
    assert found[f"shipcast_http_requests_total{{{gone}}}"] == 1
    assert found[f"shipcast_http_request_seconds_count{{{route}}}"] == 2
    buckets = [found[f'shipcast_http_request_seconds_bucket{{{route},le="{bound}"}}'] for bound in (*BOUNDS, "+Inf")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 2
    assert found["shipcast_snapshot_age_seconds"] > 0
    assert found['shipcast_source_age_seconds{table="deployments"}'] > 0
    assert found['shipcast_answers_total{found="yes"}'] >= 1


def test_a_source_that_fails_is_seen_and_since_when_each_was_last_read(tmp_path):
    now = datetime.now(UTC)
    failure = SourceUnreachable("no answer.")
    record(tmp_path, [("a", 7), ("b", 7), ("gone", failure)], now - timedelta(hours=2))
    record(tmp_path, [("a", 7), ("b", failure), ("c", failure)], now - timedelta(hours=1))
    sources = tuple(FilesSource(path=name) for name in "abcd")
    with serving(Settings(home=tmp_path, sources=sources)) as api:
        found = samples_of(api)

    failing = {name: value for name, value in found.items() if name.startswith("shipcast_source_failing")}
    assert failing == {f'shipcast_source_failing{{source="{name}"}}': float(name != "a") for name in "abc"}
    ages = {name: value for name, value in found.items() if name.startswith("shipcast_source_read_age_seconds")}
    assert [(name[-3:-2], round(age / 3600)) for name, age in ages.items()] == [("a", 1), ("b", 2)]
    assert round(found["shipcast_last_run_age_seconds"] / 3600) == 1


def test_a_time_on_a_bound_counts_within_it():
    gauges = Gauges()
    gauges.count("GET", "/a", 200, BOUNDS[2])
    found = {f"{name}{labels}": value for (name, labels), value in samples("\n".join([*gauges.lines(), ""])).items()}

    labels = 'method="GET",route="/a"'
    assert found[f'shipcast_http_request_seconds_bucket{{{labels},le="{BOUNDS[1]}"}}'] == 0
    assert found[f'shipcast_http_request_seconds_bucket{{{labels},le="{BOUNDS[2]}"}}'] == 1


def test_a_feed_holds_what_is_booked_and_in_force(own_trained_home):
    now = datetime.now(UTC).replace(microsecond=0)
    paths = [add_feed(own_trained_home.home, now, name, only).path for name, only in (("all", None), ("pay", "pay"))]
    start = now + timedelta(days=3)
    wanted = Booking(service="web", start=start, end=start + timedelta(hours=1), purpose="new prices")
    reserve(own_trained_home, now, "ana", wanted)
    with serving(own_trained_home) as api:
        whole, pay = map(api, paths)
        again = api(paths[0], headers={"if-none-match": whole.headers["etag"]})

    assert whole.headers["content-type"].startswith("text/calendar")
    assert "new prices" in whole.text
    assert "BEGIN:VEVENT" not in pay.text
    assert again.status == 304


@pytest.mark.parametrize("broken", ["current.json", "calendar.toml", "models/champions.json"])
def test_a_home_that_is_broken_is_said_with_503_and_no_path(trained_home, tmp_path, broken):
    settings = Settings(home=shutil.copytree(trained_home.home, tmp_path / "home"))
    (settings.home / broken).write_text("{")
    with serving(settings) as api:
        reply = api.ask("windows", service="web", duration="45m")
        counted = api.ask("metrics", metric="deployments")

    assert reply.status == 503
    assert reply.json["type"].startswith("urn:shipcast:problem:")
    assert str(tmp_path) not in reply.text
    assert counted.status == (503 if broken == "current.json" else 200)  # what does not rest on it is answered


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/services", "/nowhere"])
def test_of_the_head_alone_it_sends_what_the_whole_would_begin_with(asked_api, path):
    whole = asked_api(path)
    head, _, body = asked_api.says(
        f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    ).partition(b"\r\n\r\n")

    status, *lines = head.decode().split("\r\n")
    assert status.startswith(f"HTTP/1.1 {whole.status} ")
    assert f"content-length: {len(whole.text.encode())}" in lines
    assert body == b""
    asked = {key: value for key, value in samples_of(asked_api).items() if 'method="HEAD"' in key}
    assert asked

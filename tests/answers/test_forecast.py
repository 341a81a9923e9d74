"""`forecast`: the contract's fields, one item per service and hour, and nothing from after the question was asked."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from shipcast.answers.errors import UnknownName
from shipcast.answers.forecast import forecast
from shipcast.answers.reading import open_reader
from shipcast.forecasts import FILE, store
from shipcast.settings.errors import StorageError, UsageError

AS_OF = datetime(2025, 6, 2, 9, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERVICES = [
    {"service": "pay", "business_zone": "Asia/Tokyo"},
    {"service": "new"},
    {"service": "web"},
    {"service": "idle"},
]


def measured(service, days):
    """Load that is highest at noon UTC, over the days before AS_OF and two after it."""
    rng = np.random.default_rng(8)
    for number in range((days + 2) * 24):
        at = (AS_OF - timedelta(days=days)).replace(minute=0) + number * HOUR
        value = round(1000 * (2 - abs(at.hour - 12) / 12) * rng.lognormal(0, 0.05))
        yield {"service": service, "observed_at": at.isoformat(), "value": value}


LOAD = [*measured("pay", 40), *measured("new", 5), *({**row, "value": 0} for row in measured("idle", 5))]


@pytest.fixture(scope="module")
def home(built):
    return built({"services": SERVICES, "load": LOAD})


@pytest.fixture(scope="module")
def reader(home):
    with open_reader(home, AS_OF) as opened:
        yield opened


def test_it_has_an_item_per_service_and_hour_from_as_of_on(reader):
    answer = forecast(reader, hours=24)

    starts = [AS_OF.replace(hour=10, minute=0) + number * HOUR for number in range(24)]
    assert [(item.service, item.starts_at) for item in answer.items] == [
        (service, start) for service in ("new", "pay") for start in starts
    ]
    assert answer.as_dict()["items"][0].keys() == {"service", "starts_at", "p05", "p25", "p50", "p75", "p95"}
    assert all(item.p05 <= item.p25 <= item.p50 <= item.p75 <= item.p95 for item in answer.items)


def test_it_says_what_it_rests_on(reader):
    new, pay = forecast(reader, hours=1).series

    assert (pay.n, pay.method, pay.business_zone) == (40 * 24, "weighted forecasts", "Asia/Tokyo")
    assert pay.period_end == AS_OF.replace(minute=0)
    assert (new.n, new.method, new.weights) == (5 * 24, "repeating day", {})


def test_what_is_short_or_not_known_is_said(reader):
    warnings = forecast(reader, hours=1).warnings

    assert any("load of new rests on 120 hours" in warning for warning in warnings)
    assert "No load is known of web in the last 16 weeks: load it as the table `load`." in warnings
    assert forecast(reader, "web").sentence == "No load is known, so none can be forecast."
    assert forecast(reader, "web").items == ()


def test_a_load_measured_as_zero_is_not_called_unknown(reader):
    answer = forecast(reader, "idle")
    said = "The load measured of idle is zero over the last 28 days of it"

    assert (answer.items, answer.sentence) == ((), f"{said}, so none is forecast.")
    assert f"{said}: none is forecast." in forecast(reader, hours=1).warnings


def test_the_sentence_names_the_busiest_hour_on_the_services_clock(reader):
    said = forecast(reader, "pay", hours=24).sentence

    assert said.startswith("pay is busiest on Mon 2 Jun 21:00 (Asia/Tokyo), with ")
    assert "quietest on Tue 3 Jun 09:00" in said


def test_nothing_known_later_changes_it(home, built, reader):
    early = [row for row in LOAD if row["observed_at"] <= (AS_OF - HOUR).isoformat()]
    with open_reader(built({"services": SERVICES, "load": early}), AS_OF) as before:
        assert forecast(before).items == forecast(reader).items


def test_load_that_was_last_measured_long_ago_is_said_to_be(home):
    with open_reader(home, AS_OF + timedelta(days=9)) as later:
        answer = forecast(later, "pay", hours=2)

    assert any("last measured 7 days before, until 2025-06-04T09:00:00Z" in warning for warning in answer.warnings)
    assert len(answer.items) == 2


@pytest.mark.parametrize("hours", [0, 841])
def test_no_other_number_of_hours_is_answered(reader, hours):
    with pytest.raises(UsageError, match="840"):
        forecast(reader, hours=hours)


def test_an_unknown_service_is_refused_with_the_nearest(reader):
    with pytest.raises(UnknownName, match="pay"):
        forecast(reader, "pya")


def test_a_sum_over_environments_lacks_none_that_reports_later_and_an_unknown_one_is_refused(built):
    eu = [{**row, "environment": "eu"} for row in measured("pay", 40)]
    days = [{**row, "observed_at": (AS_OF.replace(hour=0, minute=0) - timedelta(days=n)).isoformat()} for n in range(40)
            for row in [{"service": "pay", "environment": "us", "value": 240_000}]]  # fmt: skip
    places = [{"environment": name, "kind": "production"} for name in ("eu", "us")]
    with open_reader(built({"environments": places, "load": [*eu, *days]}), AS_OF) as reader:
        items = forecast(reader, "pay", hours=24).items
        with pytest.raises(UnknownName, match="nowhere"):
            forecast(reader, environment="nowhere")

    assert all(10_500 < item.p50 < 12_500 for item in items)


def test_it_is_stored_whole_in_place_of_the_last_one(reader, tmp_path):
    for hours in (5, 3):
        path = store(tmp_path, forecast(reader, "pay", hours=hours))

    rows = pl.read_parquet(path)
    assert path == tmp_path / FILE
    assert rows.columns == ["service", "starts_at", "p05", "p25", "p50", "p75", "p95", "as_of"]
    assert (rows.height, rows["as_of"].unique().to_list()) == (3, [AS_OF])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_home_that_cannot_be_written_is_named(reader, tmp_path):
    (tmp_path / FILE.parent).write_text("a file where a folder should be")

    with pytest.raises(StorageError, match="forecasts"):
        store(tmp_path, forecast(reader, "pay", hours=1))

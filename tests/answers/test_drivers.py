"""What the hour risks, raw beside adjusted."""

from datetime import timedelta

import pytest
from company import CUT
from test_hour_quality import KNOWN, LITTLE

from shipcast.answers.drivers import driver, drivers
from shipcast.answers.hour_quality import PartOfWeek, derived, hour_quality
from shipcast.answers.reading import open_reader
from shipcast.models.registry import champion

DAY = timedelta(days=1)


def part(estimate=KNOWN, **facts):
    found = {**vars(estimate), "part": "weekday nights", **facts}
    return PartOfWeek(**found, **derived(found["part"], found["n"], found["failures"]))


def test_a_raw_rate_that_hides_a_risk_is_said_to_flatter():
    found = driver(part(n=1_000, failures=30), rate=0.05)

    assert (found.raw, found.adjusted) == ("lower", "higher")
    assert found.said == (
        "As shipped 30 of 1,000 failed (3 %; lower than the whole week); had all changes that might have shipped then "
        "done so, 8 % would have failed, 1.6 times the usual (1.1 to 2.3; higher than usual). What ships then fails "
        "less than other changes would, which flatters the raw rate."
    )


def test_raw_and_adjusted_stand_against_their_own_usual():
    found = driver(part(n=200, failures=10), rate=0.1)

    assert found.raw_times.value == pytest.approx(0.5)
    assert (found.second_times.value, found.second_times.low, found.second_times.high) == (1.6, 1.1, 2.3)
    assert found.model_times.value == pytest.approx(0.06 / 0.05)


def test_where_too_little_failed_the_adjusted_rate_cannot_be_told():
    found = driver(part(LITTLE), rate=0.1)

    assert (found.adjusted, found.second_times, found.model_times) == ("not enough data", None, None)
    assert found.said.endswith("adjusted, it cannot be told: only 2 of its 31 deployments failed.")


def test_the_champions_estimates_are_those_of_quality(trained_home):
    with open_reader(trained_home, CUT + DAY) as reader:
        found, entry = drivers(reader), champion(trained_home.home, reader.at)

    assert tuple(one.estimate for one in found.parts) == hour_quality(trained_home.home, entry).parts
    assert found.n == sum(one.estimate.n for one in found.parts)


def test_before_a_model_was_trained_the_command_that_trains_one_is_named(trained_home):
    with open_reader(trained_home, CUT - DAY) as reader:
        assert "shipcast train --promote" in drivers(reader)

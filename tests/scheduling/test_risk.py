"""The cost of a start, against the same cost worked out by hand or by brute force."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipcast.scheduling.risk import BLOCK, MEDIANS, OUTAGE_QUARTERS, Forecast, Medians, Outages, met_while_down, risk


def rate(starts, value=60.0):
    return np.full(starts + OUTAGE_QUARTERS, value)


def met_by(log_medians, spread, load):
    """What outages meet that begin with each quarter hour."""
    medians = Medians.of(log_medians)
    return Outages(spread, medians.blocks).met(medians, np.arange(log_medians.shape[1]), load)


def test_an_outage_of_certain_length_meets_the_load_of_that_time():
    forecast = Forecast(np.full((1, 2), 0.04), np.full((1, 2), np.log(30.0)), 1e-6, np.arange(2), rate(2, 60 * 1200.0))

    assert risk(forecast).costs[0] == pytest.approx([1440.0, 1440.0], rel=1e-4)


def test_without_load_the_cost_is_in_minutes():
    forecast = Forecast(np.full((1, 1), 0.1), np.full((1, 1), np.log(30.0)), 0.5, np.arange(1))

    assert risk(forecast).costs[0, 0] == pytest.approx(0.1 * 30 * np.exp(0.5**2 / 2), rel=1e-3)


def test_an_outage_runs_into_the_evening():
    load = rate(40, 0.0)
    load[8:] = 600.0  # from two hours on
    met = met_by(np.full((1, 40), np.log(180.0)), 1e-6, load)[0]

    assert met[0] == pytest.approx(600.0, rel=1e-3)
    assert met[8] == pytest.approx(1800.0, rel=1e-3)


def test_past_14_days_an_outage_no_longer_counts():
    met = met_by(np.full((1, 1), np.log(1e9)), 0.5, rate(1))

    assert met[0, 0] == pytest.approx(14 * 24 * 60)


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=9), st.floats(0.2, 2.0))
@example([float(np.log(MEDIANS[BLOCK - 1] * 1.01))], 0.8)  # of which the next one lies in another block
@settings(deadline=None, max_examples=20)
def test_the_medians_that_are_not_asked_about_change_nothing(log_medians, spread):
    medians, load = Medians.of(np.array([log_medians])), np.arange(len(log_medians) + OUTAGE_QUARTERS, dtype=float)
    hours = np.arange(len(log_medians))
    near, whole = Outages(spread, medians.blocks), Outages(spread, (0, len(MEDIANS) // BLOCK))

    assert np.array_equal(near.met(medians, hours, load), whole.met(medians, hours, load))
    assert np.array_equal(near.minutes(medians), whole.minutes(medians))


def test_a_start_costs_what_the_hour_of_its_outage_says():
    minutes = np.log([[10.0, 20.0]])
    found = risk(Forecast(np.ones((1, 3)), minutes, 1e-6, np.array([1, 1, 0]))).minutes

    assert found[0] == pytest.approx([20, 20, 10], rel=1e-3)


@given(st.integers(0, 1000), st.floats(0.2, 2.0))
@settings(deadline=None, max_examples=10)
def test_it_equals_the_mean_over_many_outages(seed, spread):
    rng = np.random.default_rng(seed)
    load, medians = rng.uniform(0, 1000, 3 + OUTAGE_QUARTERS), np.log(rng.uniform(5, 300, (1, 3)))
    outages = np.exp(medians[0] + spread * rng.standard_normal((40_000, 1))).clip(max=14 * 24 * 60)
    so_far = np.append(0, np.cumsum(load / 4))
    met = [np.interp(k + outages[:, k] / 15, np.arange(len(so_far)), so_far).mean() - so_far[k] for k in range(3)]

    assert met_by(medians, spread, load)[0] == pytest.approx(met, rel=0.08)


def test_a_planned_downtime_costs_what_it_turns_away_whether_the_change_fails_or_not():
    load = rate(3, 600.0)
    load[0] = 60.0
    for minutes, turned_away in ((10, [10, 100, 100]), (15, [15, 150, 150]), (40, [265, 400, 400])):
        assert met_while_down(load, minutes, 3) == pytest.approx(turned_away)
    downtime = met_while_down(load, 10, 3)
    certain = Forecast(np.zeros((1, 3)), np.full((1, 3), 3.0), 0.5, np.arange(3), load, downtime=downtime)

    assert risk(certain).costs[0] == pytest.approx([10, 100, 100])
    assert risk(certain).outage[0] == pytest.approx([0, 0, 0])


def test_scaling_the_load_scales_every_cost_alike():
    rng = np.random.default_rng(1)
    failure, restore, load = rng.uniform(0, 0.2, (50, 20)), rng.normal(3, 1, (50, 20)), rng.uniform(0, 9, 20 + 1344)
    once, thrice = (risk(Forecast(failure, restore, 0.8, np.arange(20), k * load)).costs for k in (1, 3))

    assert thrice == pytest.approx(3 * once)

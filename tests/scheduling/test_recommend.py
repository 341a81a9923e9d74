"""From costs to advice: points add up, windows lie apart, and luck is not taken for a difference."""

import itertools
import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shipcast.scheduling.recommend import Usual, diverse, factor_draws, is_clearly_better, level, points
from shipcast.scheduling.risk import Forecast, risk

WEEKS = st.integers(1, 5).flatmap(
    lambda starts: st.fixed_dictionaries(
        {name: arrays(float, starts, elements=st.floats(0, 20)) for name in ("chance", "minutes")},
        optional={"load": arrays(float, starts, elements=st.floats(0, 20))},
    )
)
HALF_HOUR = timedelta(minutes=30)


@given(WEEKS)
def test_points_sum_to_what_the_product_differs_by(week):
    values = {name: float(found[0]) for name, found in week.items()}
    products = np.prod(list(week.values()), axis=0)

    assert sum(points(values, week).values()) == pytest.approx(products[0] - products.mean(), abs=1e-9, rel=1e-9)


@given(WEEKS)
def test_a_factor_that_is_the_same_at_all_times_adds_nothing(week):
    always = {**week, "chance": np.full(len(week["chance"]), 7.0)}

    assert points({name: float(found[0]) for name, found in always.items()}, always)["chance"] == 0


@given(WEEKS)
def test_the_order_of_the_factors_does_not_matter(week):
    values = {name: float(found[0]) for name, found in week.items()}
    there, back = points(values, week), points(dict(reversed(values.items())), week)

    assert there == pytest.approx(back)


def test_points_are_the_mean_over_all_orders_and_all_usual_starts():
    rng = np.random.default_rng(1)
    week = {name: rng.uniform(0, 9, 4) for name in ("chance", "minutes", "load")}
    values = {"chance": 2.0, "minutes": 5.0, "load": 3.0}
    by_hand = dict.fromkeys(values, 0.0)
    for start, order in itertools.product(range(4), itertools.permutations(values)):
        now = {name: week[name][start] for name in values}
        for name in order:
            before = math.prod(now.values())
            now[name] = values[name]
            by_hand[name] += (math.prod(now.values()) - before) / 24

    assert points(values, week) == pytest.approx(by_hand)


def test_the_usual_value_of_a_factor_is_its_mean_over_the_week():
    rng = np.random.default_rng(1)
    failure, restore, load = rng.uniform(0, 0.2, (40, 700)), rng.normal(3, 1, (40, 168)), rng.uniform(1, 9, 2044)
    costs = risk(Forecast(failure, restore, 0.8, np.arange(700) % 168, load))
    usual = Usual(costs, np.arange(700) < 672)

    assert usual.bases["load"] == pytest.approx(costs.factors["load"][:672].mean())
    assert usual.cost == pytest.approx(costs.costs[:, :672].mean())


@pytest.mark.parametrize("has_load", [True, False])
def test_points_sum_to_the_relative_cost_less_1_with_a_planned_downtime_as_well(has_load):
    rng = np.random.default_rng(1)
    load = rng.uniform(1, 9, 700 + 1344) if has_load else None
    forecast = Forecast(rng.uniform(0, 0.2, (40, 700)), rng.normal(3, 1, (40, 168)), 0.8, np.arange(700) % 168, load)
    costs = risk(replace(forecast, downtime=rng.uniform(1, 9, 700)))
    usual = Usual(costs, np.arange(700) < 672)
    found = usual.points(costs, 7)

    assert list(found)[-1] == "planned downtime"
    assert sum(found.values()) == pytest.approx(costs.costs[:, 7].mean() / costs.costs[:, :672].mean() - 1)


@given(st.dictionaries(st.integers(0, 700), st.floats(0, 100), min_size=1, max_size=300), st.integers(1, 5))
def test_windows_lie_three_hours_apart_and_the_lowest_comes_first(open_slots, top):
    slots = np.array(sorted(open_slots))
    scores = np.array([open_slots[slot] for slot in slots.tolist()])
    chosen = diverse(scores, slots, top, HALF_HOUR)

    assert scores[chosen[0]] == min(scores)
    assert all(abs(slots[a] - slots[b]) >= 12 for a in chosen for b in chosen if a != b)
    assert 1 <= len(chosen) <= top


def test_windows_of_long_deployments_do_not_overlap():
    assert diverse(np.arange(200.0), np.arange(200), 3, timedelta(hours=8)) == [0, 32, 64]


@pytest.mark.parametrize(
    ("cost", "word"), [(0, "calm"), (0.79, "fair"), (0.8, "moderate"), (1.25, "rough"), (9, "storm")]
)
def test_a_level_begins_at_its_bound(cost, word):
    assert level(cost) == word


def test_noise_alone_is_no_difference():
    called = [is_clearly_better(np.random.default_rng(seed).lognormal(0, 0.5, (400, 672))) for seed in range(40)]

    assert sum(called) == 0


def test_a_start_that_is_cheaper_in_every_draw_is_a_difference():
    costs = np.random.default_rng(1).lognormal(0, 0.2, (400, 1)) * np.where(np.arange(672) < 24, 0.5, 1.0)

    assert is_clearly_better(costs)


@pytest.mark.parametrize(("every", "is_clear"), [(25, True), (10, False)])
def test_it_must_be_cheaper_in_19_of_20_draws(every, is_clear):
    cost = np.where(np.arange(400) % every == 0, 1.5, 0.5)[:, None]
    costs = np.where(np.arange(672) < 24, cost, 1.0)

    assert is_clearly_better(costs) is is_clear


def test_a_difference_too_small_to_matter_is_none():
    costs = np.where(np.arange(672) < 24, 0.95, 1.0) * np.ones((400, 1))

    assert not is_clearly_better(costs)


def test_it_may_be_held_against_one_start_instead_of_the_mean():
    costs = np.where(np.arange(672) < 24, 0.5, 1.0) * np.ones((400, 1))

    assert is_clearly_better(costs, against=costs[:, 600])
    assert not is_clearly_better(costs, against=costs[:, 3])


@pytest.mark.parametrize("has_load", [True, False])
def test_the_factors_of_every_draw_multiply_to_its_cost(has_load):
    rng = np.random.default_rng(1)
    load = rng.uniform(1, 9, 50 + 1344) if has_load else None
    costs = risk(Forecast(rng.uniform(0.01, 0.2, (40, 50)), rng.normal(3, 1, (40, 50)), 0.8, np.arange(50), load))

    assert np.prod(list(factor_draws(costs).values()), axis=0) == pytest.approx(costs.costs)


def test_a_single_start_is_no_difference():
    assert not is_clearly_better(np.ones((400, 1)))

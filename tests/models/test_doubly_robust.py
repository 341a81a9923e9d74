"""The second estimate of the hour: right where either of its parts is, and silent where too little is known."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rows import deployments
from scipy.special import expit

from shipcast.features.feature import chosen
from shipcast.models.candidates import Rate, Regression
from shipcast.models.doubly_robust import (
    PARTS,
    PartRisk,
    clustered,
    donors,
    doubly_robust,
    held_apart,
    overlapping,
    part_of,
    second_estimates,
)

MIDDAY, EVENING = PARTS.index("weekday middays"), PARTS.index("weekday evenings")
MONDAY = datetime.fromisoformat("2025-01-06")


def table(seed=1, count=20_000):
    """A size that makes a change both likelier to ship there and to fail; and the truth about each."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=count)
    propensity, chance = expit(-1 + 1.2 * size), expit(-2.5 + size)
    is_there = rng.random(count) < propensity
    failed = rng.random(count) < np.where(is_there, chance, 2 * chance)
    return failed.astype(float), is_there, chance, propensity


def errors_away(found, true):
    error, _ = clustered(found.influence, found.kept, np.arange(len(found.kept)))
    return (found.risk - true[found.kept].mean()) / error


@pytest.mark.parametrize("seed", range(3))
def test_the_risk_is_right_where_either_part_is_and_wrong_where_neither(seed):
    failed, there, chance, propensity = table(seed)
    constant = np.full(len(failed), failed[there].mean())
    share = np.full(len(failed), there.mean())

    assert abs(errors_away(doubly_robust(failed, there, constant, propensity), chance)) < 3
    assert abs(errors_away(doubly_robust(failed, there, chance, share), chance)) < 3
    assert abs(errors_away(doubly_robust(failed, there, constant, share), chance)) > 5


def test_its_interval_holds_the_truth_as_often_as_it_says():
    away = [errors_away(doubly_robust(*table(seed, 2000)), table(seed, 2000)[2]) for seed in range(200)]

    assert 0.90 < np.mean(np.abs(away) < 1.96) < 0.99


def test_failures_of_one_day_are_one_event():
    influence, kept = np.tile([1.0, -1.0], 50), np.ones(100, dtype=bool)
    alone, _ = clustered(influence, kept, np.arange(100))
    together, days = clustered(np.repeat([1.0, -1.0], 50), kept, np.repeat([0, 1], 50))

    assert alone == pytest.approx(0.1)
    assert together == pytest.approx(np.sqrt(0.5))
    assert days == pytest.approx(2)


def test_changes_that_would_hardly_ship_there_are_left_out():
    propensity = np.array([0.5] * 90 + [0.4] * 5 + [0.01] * 5)

    assert overlapping(propensity).tolist() == [True] * 95 + [False] * 5
    assert overlapping(np.full(10, 0.01)).all()
    assert overlapping(np.array([0.5, 0.0])).tolist() == [True, False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_who_is_kept_is_likelier_to_ship_there_than_who_is_not(propensity):
    propensity = np.array(propensity)
    kept = overlapping(propensity)

    assert kept.any()
    assert propensity[kept].min() >= propensity[~kept].max(initial=0)


@pytest.mark.parametrize(
    ("hour", "part"),
    [
        (0, "weekday nights"), (6, "weekday mornings"), (10, "weekday middays"), (17, "weekday afternoons"),
        (18, "weekday evenings"), (22, "weekday nights"), (4 * 24 + 23, "weekday nights"), (5 * 24, "weekend nights"),
        (5 * 24 + 6, "weekend days"), (6 * 24 + 18, "weekend nights"), (167, "weekend nights"),
    ],
)  # fmt: skip
def test_every_hour_lies_in_one_part_of_the_week(hour, part):
    assert part_of(hour) == part


def test_an_hour_is_lent_by_the_services_own_deployments_else_by_any():
    parts = np.array([MIDDAY, EVENING, MIDDAY, EVENING])

    assert donors(np.array([0, 1]), parts, EVENING, 3).tolist() == [1, 1, 1]
    assert donors(np.array([0, 2]), parts, EVENING, 4).tolist() == [1, 1, 3, 3]


def test_holms_rule_multiplies_by_how_many_are_left():
    found = held_apart(
        [PartRisk("a", 9, 5, p_value=0.02), PartRisk("b", 9, 5), PartRisk("c", 9, 5, p_value=0.001),
         PartRisk("d", 9, 5, p_value=0.03)]
    )  # fmt: skip

    assert [one.p_value for one in found] == [0.04, None, 0.003, 0.04]
    assert [one.disagrees for one in found] == [True, None, True, True]
    assert not any(one.disagrees for one in held_apart([PartRisk("a", 9, 5, p_value=0.03)] * 2))


def shipped(count, odds, seed=1, in_the_evening=0.0):
    """Changes at noon and at 19:00 on weekdays, with the log odds of a failure by their log size and evening.

    `in_the_evening`: by how much the log odds to ship then rise with the log size.
    """
    rng = np.random.default_rng(seed)
    size = rng.normal(size=count)
    evening = rng.random(count) < expit(in_the_evening * size)
    failed = rng.random(count) < expit(odds(size, evening))
    numbers = np.arange(count) % 400
    days, hours = 7 * (numbers // 5) + numbers % 5, np.where(evening, 19, 12)
    return deployments(count).with_columns(
        started_at=pl.Series([MONDAY + timedelta(hours=hour) for hour in (24 * days + hours).tolist()]),
        hour_of_week=pl.Series(days % 7 * 24 + hours),
        lines=pl.Series(np.exp(4 + size)),
        is_failed=pl.Series(failed),
    )


def by_size(size, evening):
    return -2.5 + size


def by_model(rows, *names):
    """The estimates of midday and evening, by a model that looks at these features."""
    found = second_estimates(rows, Regression(chosen(*names)).fit(rows))
    return found[MIDDAY], found[EVENING]


def test_it_finds_a_model_wrong_that_does_not_know_why_the_evening_fails_more():
    """Big changes ship in the evening: who does not know sizes blames the hour."""
    rows = shipped(5000, by_size, in_the_evening=1.5)
    _, blind = by_model(rows)

    assert blind.disagrees
    assert blind.second_high < blind.model
    assert [one.disagrees for one in by_model(rows, "lines")] == [False, False]


def test_it_finds_a_model_wrong_whose_week_is_the_same_for_all_changes():
    """Evenings are bad for big changes alone, which ship at noon rather: what small ones do there speaks for them."""
    rows = shipped(8000, lambda size, evening: -3 + 3 * ((size > 0) & evening), in_the_evening=-0.8)
    _, found = by_model(rows, "lines")

    assert found.disagrees
    assert found.second_low > found.model


def test_it_finds_an_effect_of_the_hour_that_the_rate_does_not_know():
    rows = shipped(4000, lambda size, evening: -3 + 1.5 * evening)
    found = second_estimates(rows, Rate().fit(rows))

    assert found[EVENING].disagrees
    assert found[EVENING].ratio_low > 1


def test_where_the_model_is_right_it_is_hardly_ever_called_wrong():
    wrong = 0
    for seed in range(8):
        wrong += any(one.disagrees for one in by_model(shipped(800, by_size, seed, in_the_evening=1.5), "lines"))

    assert wrong <= 1


def test_the_order_of_the_rows_changes_nothing_and_nor_does_doing_it_again():
    rows = shipped(1500, by_size)
    model = Regression(chosen("lines")).fit(rows)
    found = [second_estimates(frame, model) for frame in (rows, rows, rows.sample(fraction=1, shuffle=True, seed=3))]

    assert found[0] == found[1] == found[2]
    assert found[0][EVENING].second is not None


def test_the_intervals_hold_what_they_are_of():
    for one in second_estimates(shipped(1500, by_size), Rate().fit(shipped(1500, by_size))):
        for name in () if one.disagrees is None else ("model", "second", "ratio", "apart"):
            low, value, high = (getattr(one, f"{name}{end}") for end in ("_low", "", "_high"))
            assert 0 < low <= value <= high


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (shipped(600, by_size)[:0], "no deployment started then"),
        (shipped(600, by_size).with_columns(is_failed=False), "none of its "),
        (shipped(600, by_size).with_columns(is_failed=True), "deployments did not fail"),
        (shipped(600, by_size).filter(pl.col("hour_of_week") % 24 == 19), "no deployment started in any other part"),
    ],
    ids=["none", "no failure", "all failed", "one part"],
)
def test_too_little_is_null_with_a_reason(rows, words):
    found = second_estimates(rows, Rate().fit(rows))

    assert [one.part for one in found] == list(PARTS)
    assert all(one.second is one.model is one.disagrees is None and one.reason for one in found)
    assert words in found[EVENING].reason


def test_changes_that_ship_only_then_are_not_compared():
    """What ships in the evening is all of one kind, and nothing else is."""
    rows = shipped(2000, by_size).with_columns(lines=pl.when(pl.col("hour_of_week") % 24 == 19).then(5000).otherwise(5))
    found = second_estimates(rows.cast({"lines": pl.Float64}), Rate().fit(rows))[EVENING]

    assert found.compared is None or found.compared < 1100

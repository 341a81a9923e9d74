"""The chance of failure: pooled where little is known, moved by hour and size where much is."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import beta

from shipcast.features.change import Change
from shipcast.features.feature import chosen
from shipcast.features.matrix import request_rows
from shipcast.models.failure import ASSUMED_RATE, FailureModel

WEEK = np.datetime64("2025-12-01T00:00", "us") + np.arange(168) * np.timedelta64(1, "h")  # a Monday
SCHEMA = {
    "deployment_id": pl.String, "service": pl.String, "team": pl.String,
    "started_at": pl.Datetime("us"), "lines": pl.Int64, "files": pl.Int64,
    "change_type": pl.String, "is_failed": pl.Boolean, "hour_of_week": pl.Int64,
}  # fmt: skip


def outcomes(service, hours, failed, team=None, lines=None, files=None, change_type=None):
    """One row per hour of the week given."""
    count = len(hours)
    lines = [lines] * count if lines is None or isinstance(lines, int) else list(lines)
    starts = [datetime.fromisoformat("2025-01-01") + timedelta(days=k) for k in range(count)]
    columns = (
        [f"{service}{k}" for k in range(count)],
        [service] * count,
        [team] * count,
        starts,
        lines,
        [files] * count,
        [change_type] * count,
    )
    return pl.DataFrame([*columns, list(map(bool, failed)), list(map(int, hours))], schema=SCHEMA)


def learned(frame):
    return FailureModel(chosen("lines", "files")).fit(frame)


def chances(model, change, hours=WEEK):
    return expit(model.draws(request_rows([change], hours), is_request=True))


def mean(model, change, hours=WEEK):
    return chances(model, change, hours).mean(axis=0)


def pay(**more):
    return Change("pay", None, "UTC", **more)


@pytest.fixture(scope="module")
def world():
    """Two busy services, one that fails a tenth and one a fiftieth, and a new one of the risky one's team."""
    rng = np.random.default_rng(1)
    hours = rng.integers(0, 168, 1000)
    return pl.concat(
        [
            outcomes("risky", hours, rng.random(1000) < 0.10, team="a"),
            outcomes("safe", hours, rng.random(1000) < 0.02, team="b"),
            outcomes("new", hours[:8], [0] * 8, team="a"),
        ]
    )


def test_a_service_with_many_deployments_keeps_its_own_rate(world):
    model = learned(world)

    assert mean(model, Change("risky", "a", "UTC")).mean() == pytest.approx(0.10, abs=0.025)
    assert mean(model, Change("safe", "b", "UTC")).mean() == pytest.approx(0.02, abs=0.012)


def test_the_chances_of_what_was_learned_from_add_up_to_the_failures_seen(world):
    chance = world.with_columns(zone=pl.lit("UTC"), chance=learned(world).predict(world))
    sums = chance.group_by("service").agg(pl.sum("chance"), pl.sum("is_failed")).rows_by_key("service")

    assert chance["chance"].sum() == pytest.approx(world["is_failed"].sum(), rel=0.01)
    assert all(sums[name][0][0] == pytest.approx(sums[name][0][1], rel=0.08) for name in ("risky", "safe"))


def test_services_that_have_nothing_in_common_keep_their_distance():
    failures = {"a": 1, "b": 2, "c": 20, "d": 25, "e": 0}
    seen = [outcomes(name, np.arange(100) * 37 % 168, np.arange(100) < count) for name, count in failures.items()]
    model = learned(pl.concat(seen))

    assert mean(model, Change("e", None, "UTC")).mean() < 0.012
    assert mean(model, Change("d", None, "UTC")).mean() > 0.225


def test_a_service_never_seen_fails_like_the_company():
    rng = np.random.default_rng(6)
    rates = rng.lognormal(np.log(0.05), 0.8, 40)
    seen = [outcomes(f"s{k}", rng.integers(0, 168, 60), rng.random(60) < rate) for k, rate in enumerate(rates)]
    company = pl.concat(seen)

    unseen = mean(learned(company), Change("unseen", None, "UTC"), np.random.default_rng(7).permutation(WEEK))
    assert unseen.mean() == pytest.approx(company["is_failed"].mean(), rel=0.05)


def test_a_service_with_few_deployments_borrows_from_the_company(world):
    model = learned(world)
    new = mean(model, Change("new", "a", "UTC")).mean()

    assert 0.02 < new < 0.10
    assert new < mean(model, Change("unseen", "a", "UTC")).mean()


def test_a_service_never_seen_borrows_from_its_team():
    rng, rates = np.random.default_rng(8), {"a": 0.15, "b": 0.02}
    seen = [
        outcomes(f"{team}{k}", rng.integers(0, 168, 300), rng.random(300) < rate, team=team)
        for team, rate in rates.items()
        for k in range(4)
    ]
    model = learned(pl.concat(seen))
    a, b = (mean(model, Change("unseen", team, "UTC")).mean() for team in rates)

    assert b < 0.06 < 0.1 < a


def test_a_service_that_never_failed_may_be_far_better_than_all_others():
    """Its doubt reaches down to a rate that forty successes leave possible, and not further up than theirs."""
    rng = np.random.default_rng(9)
    others = [outcomes(f"s{k}", rng.integers(0, 168, 300), rng.random(300) < 0.08) for k in range(8)]
    model = learned(pl.concat([*others, outcomes("status", np.arange(40) * 31 % 168, [0] * 40)]))
    low, high = np.quantile(chances(model, Change("status", None, "UTC")).mean(axis=1), (0.05, 0.95))
    like_others = np.quantile(chances(model, Change("s1", None, "UTC")).mean(axis=1), 0.05)

    assert low < 0.02 < like_others
    assert high < 0.13


def test_a_service_with_few_deployments_is_less_sure(world):
    model = learned(world)
    spread = {name: np.log(chances(model, Change(name, "a", "UTC"))).std() for name in ("risky", "new")}

    assert spread["new"] > 1.5 * spread["risky"]


def test_hours_at_which_more_failed_are_riskier():
    rng = np.random.default_rng(2)
    hours = rng.integers(0, 168, 3000)
    is_noon = (hours % 24 >= 11) & (hours % 24 < 15)
    model = learned(outcomes("pay", hours, rng.random(3000) < np.where(is_noon, 0.2, 0.03)))
    chance = mean(model, pay())

    assert chance[12] > 3 * chance[22]


def test_an_hour_is_not_blamed_for_the_services_that_ship_at_it():
    rng = np.random.default_rng(3)
    night, day = rng.integers(0, 6, 1500), rng.integers(9, 18, 1500)
    risky = outcomes("risky", night, rng.random(1500) < 0.2)
    safe = outcomes("safe", day, rng.random(1500) < 0.02)
    model = learned(pl.concat([risky, safe]))
    chance = mean(model, Change("safe", None, "UTC"))

    assert chance[3] < 1.5 * chance[12]


def test_an_hour_is_not_blamed_for_the_big_changes_that_ship_at_it():
    rng = np.random.default_rng(4)
    hours = rng.integers(0, 24, 6000)
    lines = np.where(hours < 6, 800, 50) * np.exp(rng.normal(0, 0.8, 6000))
    failed = rng.random(6000) < np.clip(0.04 * (lines / 100) ** 0.6, 0, 1)
    model = learned(outcomes("pay", hours, failed, lines=lines.astype(int)))
    chance = mean(model, pay(lines=100))

    assert failed[hours < 6].mean() > 3 * failed[hours >= 6].mean()
    assert chance[3] < 1.5 * chance[12]


def test_a_bigger_change_fails_more_often_where_size_has_mattered():
    rng = np.random.default_rng(5)
    lines = rng.integers(1, 1000, 3000)
    failed = rng.random(3000) < lines / 5000
    model = learned(outcomes("pay", rng.integers(0, 168, 3000), failed, lines=lines))

    assert mean(model, pay(lines=20)).mean() < mean(model, pay()).mean() < mean(model, pay(lines=2000)).mean()


def test_what_a_change_does_not_say_is_typical():
    frame = outcomes("pay", range(100), [k % 10 == 0 for k in range(100)], lines=100, files=4, change_type="normal")
    model = learned(frame)

    assert mean(model, pay()) == pytest.approx(mean(model, pay(lines=100, files=4, change_type="normal")))


def test_size_is_relative_to_the_services_own_changes():
    rng = np.random.default_rng(6)
    sizes = {"big": 1000 * rng.lognormal(0, 0.8, 3000), "small": 10 * rng.lognormal(0, 0.8, 3000)}
    parts = [
        outcomes(name, rng.integers(0, 168, 3000), rng.random(3000) < np.clip(0.05 * lines / np.median(lines), 0, 1),
                 lines=lines.astype(int))
        for name, lines in sizes.items()
    ]  # fmt: skip
    model = learned(pl.concat(parts))
    usual = [
        mean(model, Change(name, None, "UTC", lines=lines)).mean() for name, lines in (("big", 1000), ("small", 10))
    ]

    assert usual[0] == pytest.approx(usual[1], rel=0.3)


@given(st.lists(st.tuples(st.integers(0, 167), st.booleans()), min_size=0, max_size=40))
@settings(deadline=None, max_examples=30)
def test_every_history_gives_chances_within_0_and_1(rows):
    model = learned(outcomes("pay", [hour for hour, _ in rows], [failed for _, failed in rows]))
    draws = chances(model, pay(lines=10))

    assert draws.shape == (400, 168)
    assert np.all((draws > 0) & (draws < 1))


@pytest.mark.parametrize("failed", [0, 1])
def test_all_alike_is_not_certain(failed):
    chance = mean(learned(outcomes("pay", range(60), [failed] * 60)), pay())

    assert np.all((chance > 0.001) & (chance < 0.999))


def test_equal_histories_give_equal_draws(world):
    first, second = (chances(learned(world), Change("new", "a", "UTC")) for _ in range(2))

    assert np.array_equal(first, second)


def test_the_order_of_the_rows_changes_nothing(world):
    shuffled = world.sample(fraction=1.0, shuffle=True, seed=3)
    first, second = (chances(learned(frame), Change("new", "a", "UTC")) for frame in (world, shuffled))

    assert np.array_equal(first, second)


def test_failures_that_came_together_tell_less_of_an_hour_than_single_ones():
    rng = np.random.default_rng(8)
    hours, days = rng.integers(0, 24, 4000), rng.integers(0, 40, 4000)
    start = pl.Series([datetime.fromisoformat("2024-01-01") + timedelta(days=int(day)) for day in days])
    single = rng.random(4000) < np.where(hours == 14, 0.2, 0.02)
    together = (rng.random(4000) < 0.02) | ((hours == 14) & (days < 6))
    frames = [outcomes("pay", hours, failed).with_columns(started_at=start) for failed in (single, together)]
    alone, crowded = (learned(frame).describe() for frame in frames)

    assert alone["crowding"] < 1.3
    assert crowded["crowding"] > 1.5


def test_what_tells_nothing_is_held_back_and_what_tells_much_is_not():
    rng = np.random.default_rng(9)
    lines, files = rng.lognormal(4, 1, 4000), rng.lognormal(2, 1, 4000)
    failed = rng.random(4000) < expit(-3 + 0.8 * (np.log(lines) - 4))
    frame = outcomes("pay", rng.integers(0, 168, 4000), failed, lines=lines.astype(int)).with_columns(
        files=pl.Series(files), staging_failures_in_7_days=pl.Series(rng.poisson(1, 4000).astype(float))
    )
    model = FailureModel(chosen("lines", "files", "staging_failures_in_7_days")).fit(frame)

    assert model.family_spreads_["change"] == 0.5
    assert model.family_spreads_["lower"] <= 0.08


def test_a_request_is_taken_as_usual_where_it_says_nothing_and_a_row_is_not():
    rng = np.random.default_rng(10)
    lines = [None if k % 4 == 0 else int(value) for k, value in enumerate(rng.lognormal(4, 1, 2000))]
    failed = [rng.random() < (0.3 if size is None else 0.02) for size in lines]
    model = learned(outcomes("pay", rng.integers(0, 168, 2000), failed, lines=lines))
    rows = request_rows([pay()], WEEK)
    request, unknown = (expit(model.draws(rows, is_request=given)).mean() for given in (True, False))

    assert 0.03 < request < 0.15
    assert unknown > 0.2


def test_it_says_what_it_rests_on(world):
    found = learned(world).describe()

    assert (found["deployments"], found["services"]) == (2008, 3)
    assert found["failures"] == world["is_failed"].sum()


@pytest.mark.parametrize("count", [13, 50])
def test_where_nothing_has_failed_yet_the_chance_is_as_unsure_as_so_few_successes_leave_it(count):
    """Against Jeffreys' interval, with a prior of half a failure in all."""
    prior = 0.5 / ASSUMED_RATE
    high = beta(0.5, count + prior - 0.5).ppf(0.975)
    drawn = chances(learned(outcomes("pay", np.arange(count) * 7 % 168, [0] * count)), pay())

    assert np.quantile(drawn, 0.975, axis=0).mean() == pytest.approx(high, rel=0.5)
    assert 0.5 * 0.5 / (count + prior) < drawn.mean() < 2 * 0.5 / (count + prior)


def test_before_anything_has_settled_the_chance_is_what_is_assumed():
    drawn = chances(learned(outcomes("pay", [], [])), pay())

    assert drawn.mean() == pytest.approx(ASSUMED_RATE, rel=0.15)
    assert np.quantile(drawn, 0.975) > 0.25

"""Minutes to restore: a distribution, pooled, censored where an incident is still open, assumed where there is none."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from shipcast.features.change import Change
from shipcast.models.restore import RestoreModel

WEEK = np.datetime64("2025-12-01T00:00", "us") + np.arange(168) * np.timedelta64(1, "h")
SCHEMA = {
    "service": pl.String, "team": pl.String, "started_at": pl.Datetime("us"), "severity": pl.String,
    "is_open": pl.Boolean, "minutes": pl.Float64, "hour_of_week": pl.Int64,
}  # fmt: skip


def restores(service, hours, minutes, is_open=False, team=None):
    count = len(hours)
    starts = [datetime.fromisoformat("2025-01-01")] * count
    columns = ([service] * count, [team] * count, starts, [None] * count, [is_open] * count)
    return pl.DataFrame([*columns, list(map(float, minutes)), list(map(int, hours))], schema=SCHEMA)


def medians(model, service="pay", team=None):
    return np.exp(model.draws(Change(service, team, "UTC"), WEEK).mean(axis=0))


def log_normal(median, count, seed=1):
    return median * np.exp(0.5 * np.random.default_rng(seed).normal(size=count))


def spread_hours(count):
    return np.arange(count) * 37 % 168


def test_without_incidents_an_hour_is_assumed_with_much_doubt():
    draws = RestoreModel().fit(restores("pay", [], [])).draws(Change("pay", None, "UTC"), WEEK)[:, 12]

    assert 45 < np.exp(draws.mean()) < 80
    assert np.quantile(draws, 0.95) - np.quantile(draws, 0.05) > np.log(20)


def test_many_incidents_give_their_median():
    model = RestoreModel().fit(restores("pay", spread_hours(400), log_normal(30, 400)))

    assert medians(model).mean() == pytest.approx(30, rel=0.1)
    assert model.spread_ == pytest.approx(0.5, rel=0.15)


def test_a_service_without_incidents_borrows_the_companys_time():
    model = RestoreModel().fit(
        pl.concat([restores(f"s{k}", spread_hours(30), log_normal(20, 30, seed=k)) for k in range(10)])
    )

    assert medians(model, "unseen").mean() == pytest.approx(20, rel=0.25)


def test_when_nobody_is_on_duty_it_takes_longer():
    hours = np.arange(600) % 168
    is_staffed = (hours % 24 >= 8) & (hours % 24 < 18) & (hours < 120)
    model = RestoreModel().fit(restores("pay", hours, np.where(is_staffed, 1, 4) * log_normal(30, 600)))
    week = medians(model)

    assert week[3] > 2.5 * week[13]
    assert week[5 * 24 + 13] > 2.5 * week[13]


def test_a_team_has_its_own_hours():
    hours = np.arange(1200) % 168
    is_day = (hours % 24 >= 8) & (hours % 24 < 20)
    by_day = restores("a", hours, np.where(is_day, 1, 5) * log_normal(30, 1200), team="day")
    always = restores("b", hours, log_normal(30, 1200), team="round the clock")
    model = RestoreModel().fit(pl.concat([by_day, always]))
    day, always = medians(model, "a", "day"), medians(model, "b", "round the clock")

    assert day[3] / day[13] > 1.7 * always[3] / always[13]


def test_the_hours_on_duty_are_found_to_the_hour():
    rng = np.random.default_rng(3)
    hours = rng.integers(0, 168, 150)
    is_staffed = (hours % 24 >= 10) & (hours % 24 < 19) & (hours < 120)
    model = RestoreModel().fit(restores("pay", hours, np.where(is_staffed, 1, 4) * 30 * rng.lognormal(0, 0.6, 150)))
    week = medians(model)

    assert week[7] > 2.5 * week[12]
    assert week[20] > 2.5 * week[12]
    assert week[5 * 24 + 13] > 2.5 * week[12]


def test_a_shift_that_runs_past_midnight_belongs_to_the_day_it_began_on():
    hours = np.arange(1008) % 168
    is_staffed = ((hours - 20) % 24 < 9) & ((hours - 20) // 24 % 7 < 5)
    week = medians(RestoreModel().fit(restores("pay", hours, np.where(is_staffed, 1, 4) * log_normal(30, 1008))))

    assert week[5 * 24 + 3] < 0.5 * week[5 * 24 + 21]


@pytest.mark.parametrize(
    ("is_slow", "slow", "quick"),
    [
        (lambda hour: hour // 24 < 3, 1 * 24 + 12, 4 * 24 + 3),  # on duty from Thursday to Sunday
        (lambda hour: ~np.isin(hour % 24, [6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21]), 14, 18),  # in two shifts
        (lambda hour: hour % 8 >= 6, 2 * 24 + 22, 2 * 24 + 20),  # round the clock, but for handovers
        (lambda hour: np.isin((hour - 20) % 168 // 24, [4, 5]) | ((hour - 20) % 24 >= 9), 4 * 24 + 21, 6 * 24 + 21),
    ],
)
def test_other_ways_to_be_on_duty_are_found(is_slow, slow, quick):
    hours = np.arange(840) % 168
    week = medians(RestoreModel().fit(restores("pay", hours, np.where(is_slow(hours), 5, 1) * log_normal(30, 840))))

    assert week[slow] > 3 * week[quick]


def test_services_of_one_team_may_have_hours_of_their_own():
    hours = np.arange(504) % 168
    is_day = (hours % 24 >= 8) & (hours % 24 < 20)
    by_day = restores("a", hours, np.where(is_day, 1, 5) * log_normal(30, 504, seed=1), team="all")
    by_night = restores("b", hours, np.where(is_day, 5, 1) * log_normal(30, 504, seed=2), team="all")
    model = RestoreModel().fit(pl.concat([by_day, by_night]))
    day, night = medians(model, "a", "all"), medians(model, "b", "all")

    assert day[3] > 3 * day[13]
    assert night[13] > 3 * night[3]


def test_services_of_one_team_with_the_same_hours_share_them():
    hours = np.arange(504) % 168
    is_day = (hours % 24 >= 8) & (hours % 24 < 20)
    many = restores("many", hours, np.where(is_day, 1, 5) * log_normal(30, 504), team="all")
    few = restores("few", [10, 11, 15, 2, 22], [30, 20, 40, 150, 200], team="all")
    alone, together = (RestoreModel().fit(frame) for frame in (few, pl.concat([few, many])))

    assert medians(together, "few", "all")[3] > 3 * medians(together, "few", "all")[13]
    assert medians(together, "few", "all")[3] > medians(alone, "few", "all")[3]


def test_a_forgotten_ticket_makes_no_hour_slow():
    hours = [*(9 + np.arange(60) * 37 % 9 + 24 * (np.arange(60) % 5)), 3, 3, 3]
    usual, forgotten = restores("pay", hours, log_normal(30, 63)), restores("pay", [3], [15_000], is_open=True)
    week = medians(RestoreModel().fit(pl.concat([usual, forgotten])))

    assert week.max() < 1.3 * week.min()


def test_what_is_severe_takes_longer_and_how_severe_the_next_one_is_nobody_knows():
    rng = np.random.default_rng(4)
    severe = rng.random(400) < 0.5
    minutes = np.where(severe, 120, 30) * rng.lognormal(0, 0.3, 400)
    frame = restores("pay", rng.integers(0, 168, 400), minutes)
    told = frame.with_columns(severity=pl.Series(np.where(severe, "sev1", "sev3")))
    blind, seeing = (RestoreModel().fit(one) for one in (frame, told))

    assert seeing.scatter_ == pytest.approx(0.3, abs=0.05)
    assert seeing.spread_ == pytest.approx(blind.spread_, rel=0.05)


def test_an_open_incident_counts_as_longer_than_it_has_lasted():
    resolved = restores("pay", spread_hours(50), log_normal(30, 50))
    opened = restores("pay", spread_hours(50), [60] * 50, is_open=True)
    with_open = RestoreModel().fit(pl.concat([resolved, opened]))
    as_if_ended = RestoreModel().fit(pl.concat([resolved, opened.with_columns(is_open=False)]))

    assert medians(with_open).mean() > 1.2 * medians(as_if_ended).mean()
    assert with_open.describe()["open"] == 50


def test_a_forgotten_ticket_counts_for_14_days_at_most():
    resolved = restores("pay", spread_hours(50), log_normal(30, 50))
    year, fortnight = (
        RestoreModel().fit(pl.concat([resolved, restores("pay", [0], [days * 1440], is_open=True)]))
        for days in (365, 14)
    )

    assert medians(year) == pytest.approx(medians(fortnight))


def test_equal_histories_give_equal_draws():
    frame = restores("pay", spread_hours(40), log_normal(30, 40))

    first, second = (RestoreModel().fit(frame).draws(Change("pay", None, "UTC"), WEEK) for _ in range(2))

    assert np.array_equal(first, second)


def test_without_any_incident_no_hour_is_slower_than_another():
    draws = RestoreModel().fit(restores("pay", [], [])).draws(Change("pay", "a", "UTC"), WEEK)

    assert (draws == draws[:, :1]).all()
    assert np.exp(np.median(draws[:, 0])) == pytest.approx(60, rel=0.25)

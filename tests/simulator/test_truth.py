"""The truth is what the tables were drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shipcast.simulator import Truth, simulate
from shipcast.simulator.clock import hour_of_week
from shipcast.simulator.company import TEAMS
from shipcast.simulator.truth import limited_mean

WEEK = np.arange("2025-09-01", "2025-09-08", np.timedelta64(15, "m"), dtype="datetime64[us]")


def at(*times: str) -> np.ndarray:
    return np.array(times, dtype="datetime64[us]")


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {kind: tmp_path_factory.mktemp(kind) for kind in ("confounded", "plain", "null")}
    for kind, directory in found.items():
        simulate(directory, seed=2, kind=kind)
    return found


@pytest.fixture(scope="module")
def truths(directories: dict[str, Path]) -> dict[str, Truth]:
    return {kind: Truth.read(directory) for kind, directory in directories.items()}


def forward(truth: Truth) -> pl.DataFrame:
    return truth.deployments.filter(~pl.col("is_rollback") & pl.col("is_failed").is_not_null())


def starts(deployments: pl.DataFrame) -> np.ndarray:
    return deployments["started_at"].dt.replace_time_zone(None).to_numpy()


def size_difference(truth: Truth, service: str) -> float:
    """Mean log lines in the quieter half of a service's deployments less that in the busier half."""
    mine = forward(truth).filter(pl.col("service") == service)
    load = truth.load(service, starts(mine))
    lines = np.log(mine["lines_changed"].to_numpy())
    is_quiet = load < np.median(load)
    return float(lines[is_quiet].mean() - lines[~is_quiet].mean())


def test_the_truth_read_is_the_truth_written(tmp_path):
    written = simulate(tmp_path, days=30, services=3)
    read = Truth.read(tmp_path)

    assert read.deployments.equals(written.deployments)
    for service in written.services:
        assert (read.expected_cost(service, WEEK, 30) == written.expected_cost(service, WEEK, 30)).all()


def test_in_a_null_company_no_start_is_better_than_another(truths):
    for service in truths["null"].services:
        cost = truths["null"].expected_cost(service, WEEK, duration_minutes=30)
        assert np.ptp(cost) < 1e-9 * cost.mean()
        assert np.ptp(truths["null"].restore_minutes(service, WEEK)) == 0


def test_otherwise_the_best_start_costs_far_less_than_the_mean(truths):
    cost = truths["confounded"].expected_cost("checkout", WEEK, duration_minutes=30)

    assert cost.min() < 0.5 * cost.mean()


def test_big_changes_move_to_quiet_hours_only_where_sizes_confound(truths):
    assert size_difference(truths["confounded"], "web") > 0.3
    assert abs(size_difference(truths["plain"], "web")) < 0.15


def test_raw_failure_rates_mislead_where_sizes_confound(truths):
    truth = truths["confounded"]
    mine = forward(truth).filter(pl.col("service") == "web")
    load = truth.load("web", starts(mine))
    is_quiet = load < np.median(load)
    risked = mine["failure_probability"].to_numpy()
    typical = truth.failure_probability("web", starts(mine))

    assert typical[is_quiet].mean() < typical[~is_quiet].mean()
    assert risked[is_quiet].mean() > risked[~is_quiet].mean()


@pytest.mark.parametrize("kind", ["confounded", "plain", "null"])
def test_as_many_fail_as_the_truth_expects(truths, kind):
    chance = forward(truths[kind])["failure_probability"].to_numpy()
    failures = forward(truths[kind])["is_failed"].sum()

    assert abs(failures - chance.sum()) < 4 * np.sqrt((chance * (1 - chance)).sum())
    assert 0.04 < chance.mean() < 0.13


def test_what_the_tables_show_as_failed_is_what_failed(directories, truths):
    directory = directories["confounded"]
    deployments = pl.read_csv(directory / "deployments.csv", infer_schema_length=None)
    incidents = pl.read_csv(directory / "incidents.csv", infer_schema_length=None)
    shown = deployments.filter(pl.col("environment") == "production").filter(
        pl.col("status").is_in(["failed", "rolled_back"])
        | pl.col("deployment_id").is_in(incidents["deployment_id"].drop_nulls().implode())
    )

    assert set(shown["deployment_id"]) == set(truths["confounded"].deployments.filter("is_failed")["deployment_id"])


def test_a_bigger_change_is_likelier_to_fail(truths):
    small, big = (truths["plain"].failure_probability("payments", WEEK, lines=lines) for lines in (20, 2000))

    assert (small < big).all()


def test_an_outage_lasts_longer_when_nobody_is_on_duty(truths):
    truth = truths["plain"]
    noon, night = at("2025-09-02T12:00"), at("2025-09-03T02:00")

    assert truth.restore_minutes("payments", night) > 2.5 * truth.restore_minutes("payments", noon)


def test_incidents_lasted_longer_when_nobody_was_on_duty(directories):
    services = pl.read_csv(directories["plain"] / "services.csv")
    incidents = pl.read_csv(directories["plain"] / "incidents.csv", try_parse_dates=True).drop_nulls("resolved_at")
    staffed = {team.name: team.is_staffed() for team in TEAMS}
    minutes: dict[bool, list[float]] = {True: [], False: []}
    for (service,), mine in incidents.group_by("service"):
        zone, team = services.filter(pl.col("service") == service).select("business_zone", "team").row(0)
        on_duty = staffed[team][hour_of_week(starts(mine), zone)]
        lasted = (mine["resolved_at"] - mine["started_at"]).dt.total_seconds().to_numpy() / 60
        for is_staffed in minutes:
            minutes[is_staffed] += list(lasted[on_duty == is_staffed])

    assert np.median(minutes[False]) > 1.5 * np.median(minutes[True])


def test_a_week_stays_at_its_local_hours_when_the_clocks_change(truths):
    # London puts its clocks back on 26 October 2025: 9 o'clock is 8:00 UTC before, 9:00 UTC after.
    before, after, an_hour_early = at("2025-10-24T08:00"), at("2025-10-31T09:00"), at("2025-10-31T08:00")
    truth = truths["plain"]

    assert hour_of_week(before, "Europe/London") == hour_of_week(after, "Europe/London") == 4 * 24 + 9
    assert truth.failure_probability("payments", before) == truth.failure_probability("payments", after)
    assert truth.failure_probability("payments", before) != truth.failure_probability("payments", an_hour_early)


def test_a_skipped_hour_does_not_happen_and_a_repeated_one_does_twice():
    spring = np.arange("2025-03-09T05:00", "2025-03-09T09:00", np.timedelta64(1, "h"), dtype="datetime64[us]")
    autumn = np.arange("2025-11-02T04:00", "2025-11-02T08:00", np.timedelta64(1, "h"), dtype="datetime64[us]")

    assert (hour_of_week(spring, "America/New_York") % 24).tolist() == [0, 1, 3, 4]
    assert (hour_of_week(autumn, "America/New_York") % 24).tolist() == [0, 1, 1, 2]


def test_measured_load_is_the_expected_load_with_noise(directories, truths):
    load = pl.read_parquet(directories["confounded"] / "load.parquet")
    for (service,), mine in load.group_by("service"):
        hours = mine["observed_at"].dt.replace_time_zone(None).to_numpy()
        expected = truths["confounded"].load(service, hours).sum()
        assert mine["value"].sum() == pytest.approx(expected, rel=0.15 if service == "search" else 0.03), service


def test_the_expected_cost_is_the_mean_over_drawn_outages(truths):
    truth = truths["confounded"]
    start = at("2025-09-05T15:20")
    hours = np.arange("2025-09-05T15:00", "2025-09-25T15:00", np.timedelta64(1, "h"), dtype="datetime64[us]")
    met = np.concatenate([[0], np.cumsum(truth.load("checkout", hours))])
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    # The outage begins at 15:50, when the deployment of 30 minutes ends.
    median = truth.restore_minutes("checkout", start + np.timedelta64(30, "m"))
    outages = median * np.exp(truth.weeks["checkout"].restore_sigma * normal_quantile(quantiles)) / 60
    begun = 50 / 60
    requests = np.interp(begun + outages, np.arange(len(met)), met) - np.interp(begun, np.arange(len(met)), met)

    cost = truth.expected_cost("checkout", start, duration_minutes=30)

    assert cost == pytest.approx(truth.failure_probability("checkout", start) * requests.mean(), rel=1e-3)


def test_a_deployment_that_keeps_the_service_down_turns_its_load_away(truths):
    truth = truths["confounded"]
    start = at("2025-09-05T15:20")
    met = truth.load("ledger", start) * 40 / 60 + truth.load("ledger", start + np.timedelta64(40, "m")) * 10 / 60
    instantly = truth.failure_probability("ledger", start) * truth.requests_in_outage(
        "ledger", start + np.timedelta64(50, "m")
    )

    assert truth.expected_cost("ledger", start, duration_minutes=50) == pytest.approx(instantly + met)
    assert truth.requests_while_down("checkout", start, start + np.timedelta64(50, "m")) == 0


def normal_quantile(shares: np.ndarray) -> np.ndarray:
    """By inversion on a fine grid, so that the check does not lean on the function it checks."""
    grid = np.linspace(-6, 6, 240_001)
    density = np.exp(-(grid**2) / 2)
    below = np.cumsum(density)
    return np.interp(shares, below / below[-1], grid)


def test_an_outage_limited_to_nothing_lasts_nothing_and_unlimited_its_mean():
    limits = np.array([0.0, 1e9])

    assert limited_mean(limits, np.array([40.0]), 0.8).tolist() == pytest.approx([0, 40 * np.exp(0.32)])


def test_no_starts_cost_nothing(truths):
    assert truths["plain"].expected_cost("web", at()).tolist() == []

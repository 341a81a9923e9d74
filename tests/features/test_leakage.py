"""No feature knows the future: cut the raw data at any instant, build anew, and every row before it is unchanged."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from examples import examples
from replay import World, only

from shipcast.features.feature import CATALOGUE, catalogue, feature
from shipcast.features.history import History
from shipcast.features.matrix import matrix
from shipcast.settings import Settings

BEGIN, DAYS = datetime(2025, 1, 1, tzinfo=UTC), 60
SERVICES = ("pay", "web")
PLACES = ("test", "staging", "production")
READ = ("dim_environments", "dim_services", "fct_deployments", "fct_holds", "fct_incidents", "fct_load_hourly")
CUTS = [
    BEGIN + timedelta(hours=float(hours)) for hours in np.random.default_rng(5).uniform(48, DAYS * 24, examples(10))
]


def instant(moment):
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def company():
    """Releases that go through two lower environments, fail and are rolled back everywhere; incidents and load."""
    rng = np.random.default_rng(3)
    tables = {"services": [], "environments": [], "deployments": [], "incidents": [], "load": []}
    tables["environments"] = [{"environment": place, "kind": place} for place in PLACES]
    for service in SERVICES:
        tables["services"].append({"service": service, "team": "shop", "business_zone": "Europe/London"})
        for number, hours in enumerate(np.sort(rng.uniform(0, DAYS * 24, 90))):
            release(tables, service, number, BEGIN + timedelta(hours=float(hours)), rng)
    for hour in range(DAYS * 24):
        at = BEGIN + timedelta(hours=hour)
        tables["load"].append({"service": "pay", "observed_at": instant(at), "value": int(rng.integers(50, 500))})
    return tables


def release(tables, service, number, start, rng):
    for place in PLACES:
        name = f"{service}-{number}-{place}"
        finish = start + timedelta(minutes=float(rng.integers(5, 90)))
        status = str(rng.choice(["succeeded", "failed", "rolled_back"], p=[0.7, 0.15, 0.15]))
        row = {"deployment_id": name, "service": service, "environment": place, "started_at": instant(start),
               "finished_at": instant(finish), "status": status, "version": f"v{number}",
               "lines_changed": int(rng.integers(1, 400)), "change_type": "normal",
               "files_changed": number % 7, "commits": 4, "authors": 1 + number % 3,
               "bot_commits": number % 5}  # fmt: skip
        tables["deployments"].append(row)
        later = finish + timedelta(hours=float(rng.uniform(0, 30)))
        if status == "rolled_back":
            again = {**row, "deployment_id": f"{name}-back", "rollback_of": name, "status": "succeeded",
                     "version": f"v{number - 1}", "lines_changed": None}  # fmt: skip
            over = later + timedelta(minutes=10)
            tables["deployments"].append(again | {"started_at": instant(later), "finished_at": instant(over)})
        if rng.random() < 0.2:
            tables["incidents"].append({"incident_id": f"i-{name}", "service": service, "environment": place,
                                        "started_at": instant(finish), "resolved_at": instant(later),
                                        "deployment_id": name})  # fmt: skip
        start = finish + timedelta(hours=float(rng.uniform(0, 8)))


def cut(tables, at):
    """The tables as an export made at that instant would have had them."""
    moment = instant(at)
    back_at = {row["rollback_of"]: row["started_at"] for row in tables["deployments"] if row.get("rollback_of")}
    known = {**tables, "deployments": [], "incidents": []}
    for row in tables["deployments"]:
        if row["started_at"] > moment:
            continue
        if row["finished_at"] > moment:
            row = row | {"finished_at": None, "status": "running"}
        elif row["status"] == "rolled_back" and back_at[row["deployment_id"]] > moment:
            row = row | {"status": "succeeded"}
        known["deployments"].append(row)
    for row in tables["incidents"]:
        if row["started_at"] <= moment:
            is_over = row["resolved_at"] <= moment
            known["incidents"].append(row if is_over else row | {"resolved_at": None, "deployment_id": None})
    known["load"] = [row for row in tables["load"] if row["observed_at"] <= instant(at - timedelta(hours=1))]
    return known


def features_at(world, at, features=None):
    return matrix(History(world.connection, at.replace(tzinfo=None), "production", "UTC"), features)


def moved(whole, known):
    """The features whose values differ between rows of the same deployment."""
    kept = whole.filter(pl.col("deployment_id").is_in(known["deployment_id"].implode()))
    assert kept["deployment_id"].to_list() == known["deployment_id"].to_list()
    names = [name for name in known.columns if name not in ("settled_at", "failed_at")]
    return [name for name in names if not kept[name].equals(known[name], null_equal=True)]


@pytest.fixture(scope="module")
def worlds(full_build):
    """What is built of the company's rows, and of the rows of every export cut at an instant, each from nothing."""
    tables, statements = company(), only(full_build, *READ)

    def built(rows):
        world = World(Settings())
        world.fill(rows)
        world.build(statements)
        world.connection.execute("use marts")
        return world

    return built(tables), {at: built(cut(tables, at)) for at in CUTS}


def test_no_row_moves_whatever_comes_later(worlds):
    whole, cuts = worlds
    rows = features_at(whole, BEGIN + timedelta(days=DAYS))

    for at, world in cuts.items():
        assert moved(rows, features_at(world, at)) == []


def test_rows_are_there_in_number_and_every_feature_says_something(worlds):
    rows = features_at(worlds[0], BEGIN + timedelta(days=DAYS))
    silent = {"commits", "on_a_holiday"}  # all rows have four, and no holiday but New Year's lies in these days

    assert len(rows) > 150
    assert {name for name in CATALOGUE if rows[name].n_unique() < 2} <= silent


def test_a_feature_that_looks_ahead_is_caught(worlds):
    @feature("failures", "never in time")
    def failures_of_all_time(rows, past):
        """Failures of the service, whenever they came."""
        counts = past.failures().group_by("service").len("count")
        return rows.join(counts, on="service", how="left", maintain_order="left")["count"]

    try:
        whole, cuts = worlds
        leaking = [one for one in catalogue() if one.name == "failures_of_all_time"]
        rows = features_at(whole, BEGIN + timedelta(days=DAYS), leaking)

        assert all(moved(rows, features_at(cuts[at], at, leaking)) == ["failures_of_all_time"] for at in CUTS[:3])
    finally:
        CATALOGUE.pop("failures_of_all_time")

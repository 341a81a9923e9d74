"""A build that adds what has changed leaves what a build of everything leaves, table by table and row by row."""

import random
from datetime import datetime, timedelta

import pytest
from examples import examples
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from replay import World, recorded, without_tests

from shipcast.settings import Settings
from shipcast.warehouse.tables import BY_NAME

SERVICES, ENVIRONMENTS = ["pay", "cart"], ["prod", "live", "qa", "eu"]
DEPLOYMENT_IDS = [f"d{number}" for number in range(8)]
COMMITS = ["c1", "c2", "c3", None]
VERSIONS = ["v1", "v2", "v3", None]
START = datetime.fromisoformat("2024-05-01")


def at(step):
    """Instants six hours apart, so that many coincide and a day's window holds several."""
    return None if step is None else START + timedelta(hours=6 * step)


def maybe(values):
    return st.none() | values


steps = st.integers(0, 12)
instants, positions = steps.map(at), st.integers(1, 5)
services, environments = st.sampled_from(SERVICES), st.sampled_from(ENVIRONMENTS)
deployment_ids = st.sampled_from(DEPLOYMENT_IDS)
ROWS = {
    "services": st.fixed_dictionaries({"service": services, "team": st.sampled_from(["blue", "red", None])}),
    "environments": st.fixed_dictionaries(
        {"environment": environments, "kind": st.sampled_from(["production", "staging", None])}
    ),
    "deployments": st.tuples(steps, st.integers(0, 3)).flatmap(
        lambda span: st.fixed_dictionaries(
            {
                "deployment_id": deployment_ids, "service": services, "environment": environments,
                "started_at": st.just(at(span[0])), "finished_at": maybe(st.just(at(sum(span)))),
                "status": st.sampled_from(["succeeded", "failed", "rolled_back", "cancelled", "running"]),
                "commit_sha": st.sampled_from(COMMITS), "version": st.sampled_from(VERSIONS),
                "rollback_of": maybe(deployment_ids),
                "change_type": st.sampled_from(["normal", "emergency"]),
            }
        )
    ),
    "incidents": st.tuples(steps, st.integers(0, 3)).flatmap(
        lambda span: st.fixed_dictionaries(
            {
                "incident_id": st.sampled_from(["i1", "i2", "i3"]), "service": services,
                "environment": maybe(environments), "started_at": st.just(at(span[0])),
                "resolved_at": maybe(st.just(at(sum(span)))), "deployment_id": maybe(deployment_ids),
            }
        )
    ),
    "changes": st.fixed_dictionaries(
        {
            "change_id": st.sampled_from(["p1", "p2", "p3", "p4"]), "service": services,
            "commit_sha": st.sampled_from(["c1", "c2", "c3", "c4"]), "deployment_id": maybe(deployment_ids),
            "authored_at": instants, "merged_at": maybe(instants), "position": maybe(positions),
            "lines_added": maybe(positions), "lines_deleted": st.just(1), "author": st.sampled_from(["ann", "bob"]),
        }
    ),
    "releases": st.fixed_dictionaries(
        {
            "service": services, "version": st.sampled_from(["v1", "2", "v3"]), "commit_sha": st.sampled_from(COMMITS),
            "released_at": instants, "position": maybe(positions), "kind": st.sampled_from(["tag", "commit"]),
        }
    ),
    "load": st.fixed_dictionaries(
        {
            "service": services, "environment": st.sampled_from([None, "production", "qa"]),
            "observed_at": st.integers(0, 12).map(lambda step: START + timedelta(minutes=20 * step)),
            "value": st.integers(0, 9).map(float),
        }
    ),
    "environment_usage": st.tuples(steps, st.integers(0, 3)).flatmap(
        lambda span: st.fixed_dictionaries(
            {
                "environment": environments, "used_by": st.sampled_from(["ann", None]),
                "started_at": st.just(at(span[0])), "ended_at": maybe(st.just(at(sum(span)))),
            }
        )
    ),
    "holds": st.fixed_dictionaries({"service": services, "at": instants, "active": st.booleans()}),
}  # fmt: skip


def by_key(name):
    """Rows of a table in one load: the last of each key, with the key's columns."""
    key = BY_NAME[name].key
    return lambda rows: [(key, row) for row in {tuple(row.get(column) for column in key): row for row in rows}.values()]


loads = st.fixed_dictionaries({name: st.lists(row, max_size=5).map(by_key(name)) for name, row in ROWS.items()})


@pytest.fixture(scope="module")
def partial_build(recording):
    """The statements of a build that adds to what is there."""
    return recorded(recording, "partial")


@pytest.mark.parametrize("attribution", ["explicit", "window"])
@settings(
    deadline=None,
    max_examples=examples(4),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=st.lists(loads, min_size=2, max_size=4))
def test_adding_load_after_load_leaves_what_building_everything_leaves(full_build, partial_build, attribution, history):
    check(World(Settings(attribution=attribution)), full_build, partial_build, history)


def check(world, full_build, partial_build, history):
    """Both ways of building the loads of a history leave the same rows, of which all tests of the models hold."""
    *earlier, last = history[1:]
    world.load(history[0])
    world.build(without_tests(full_build))
    for load in earlier:
        world.load(load)
        world.build(without_tests(partial_build), since=world.load_id - 1)
    world.load(last)
    world.build(partial_build, since=world.load_id - 1)
    added = world.built()

    world.clear()
    world.build(full_build)

    for table, rows in world.built().items():
        assert added[table] == rows, table


def rows_of(name, *rows):
    return {name: [(BY_NAME[name].key, row) for row in rows]}


def test_a_series_of_load_is_the_same_whether_its_rows_come_in_order_late_or_at_once(full_build, partial_build):
    draw = random.Random(5)
    steps = [(f"s{series}", step) for series in range(80) for step in range(40) if draw.random() < 0.6]
    history = [[], [], [], []]
    for service, step in steps:
        is_late = draw.random() < 0.03
        row = {"service": service, "observed_at": START + timedelta(minutes=20 * step), "value": 7.0}
        history[3 if is_late else step // 10].append(row)

    check(World(Settings()), full_build, partial_build, [rows_of("load", *rows) for rows in history])


def test_a_load_that_touches_no_change_adds_no_landing_to_one_with_a_position(full_build, partial_build):
    change = {"change_id": "p1", "service": "pay", "commit_sha": "c2", "authored_at": at(0), "position": 2}
    shipped = [
        {"deployment_id": version, "service": "pay", "environment": "prod", "started_at": at(step),
         "status": "succeeded", "version": version}
        for step, version in enumerate(("v1", "v3"), start=1)
    ]  # fmt: skip
    released = [
        {"service": "pay", "version": f"v{position}", "released_at": at(0), "position": position, "kind": "tag"}
        for position in (1, 3)
    ]
    world = World(Settings())
    world.load(rows_of("changes", change) | rows_of("deployments", *shipped) | rows_of("releases", *released))
    world.build(full_build)
    before = world.built()
    world.load(rows_of("holds", {"service": "cart", "at": at(0), "active": True}))
    world.build(partial_build, since=1)

    landings = ("work", "intermediate", "int_change_landings")
    assert len(before[landings]) == 1
    assert world.built()[landings] == before[landings]


def test_rows_that_say_nothing_of_production_and_rows_that_name_it_are_one_series_whatever_its_kind(full_build):
    load = [
        {"service": "pay", "environment": environment, "observed_at": START + timedelta(minutes=minutes), "value": 5.0}
        for environment, minutes in ((None, 0), ("production", 20))
    ]
    world = World(Settings())
    world.load(rows_of("load", *load) | rows_of("environments", {"environment": "production", "kind": "staging"}))
    world.build(full_build)

    assert len(world.built()["marts", "main", "fct_load_hourly"]) == 1


def test_a_change_that_two_services_name_has_one_first_release(full_build):
    changes = [
        {"change_id": "7", "service": service, "commit_sha": "c1", "deployment_id": service, "authored_at": at(0),
         "position": 4}
        for service in SERVICES
    ]  # fmt: skip
    releases = [
        {"service": service, "version": "v1", "released_at": at(step), "position": 5}
        for step, service in enumerate(SERVICES, start=1)
    ]
    world = World(Settings())
    world.load(rows_of("changes", *changes) | rows_of("releases", *releases))
    world.build(full_build)

    assert len(world.built()["work", "intermediate", "int_change_releases"]) == 1

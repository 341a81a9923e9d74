"""A build that adds what has changed leaves what a build of everything leaves, table by table and row by row."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from replay import Recorded, World, recorded

from shipcast.settings import Settings
from shipcast.warehouse.tables import BY_NAME
from shipcast.warehouse.transform import prepare_build

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
def builds(tmp_path_factory):
    """The statements of a full build, and of one that adds to it."""
    home = tmp_path_factory.mktemp("recorded")
    prepare_build(Settings(home=home), None)
    full = recorded(home, "--full-refresh")
    prepare_build(Settings(home=home), 0)
    return Recorded(full, recorded(home))


@pytest.mark.parametrize("attribution", ["explicit", "window"])
@settings(
    deadline=None,
    max_examples=5,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=st.lists(loads, min_size=2, max_size=4))
def test_adding_load_after_load_leaves_what_building_everything_leaves(builds, attribution, history):
    world = World(Settings(attribution=attribution))
    world.load(history[0])
    world.build(builds.full)
    for load in history[1:]:
        world.load(load)
        world.build(builds.partial, since=world.load_id - 1)
    added = world.built()

    world.clear()
    world.build(builds.full)

    for table, rows in world.built().items():
        assert added[table] == rows, table

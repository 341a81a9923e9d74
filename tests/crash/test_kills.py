"""Whenever a run is killed, readers see the old state or the new one, and one plain rerun ends where it should."""

import json
from datetime import UTC, datetime, timedelta

import ordeal
import pytest
import test_argocd
import test_github
import test_gitlab
import test_jenkins
import test_pagerduty
import test_prometheus
from examples import examples
from vendor import TOKEN, Vendor, serving

from shipcast.settings.writing import add_source
from shipcast.warehouse.connection import WORK_FILE, open_beside
from shipcast.warehouse.tables import BY_NAME

GOLDEN = 0.618  # its multiples spread any number of moments over a build


@pytest.fixture(scope="session")
def states(before, after):
    """What `metrics` says before and after."""
    told = {ordeal.metrics(before), ordeal.metrics(after)}
    assert len(told) == 2
    return told


@pytest.mark.parametrize("seed", range(examples(1)))
def test_a_run_that_is_killed_within_its_build_and_one_that_finds_no_space_for_its_own(
    before, after, states, copied, seed
):
    """Of two runs that are begun after them one ends where it should, and the other is told by whom and since when."""
    home = copied(before)
    assert ordeal.killed_in_build(home, (seed + 0.5) * GOLDEN % 1) == -9

    said = ordeal.metrics(home)
    assert said in states

    full = ordeal.run(home, "run", "--json", wrapper=ordeal.limited(4_000_000))

    assert full.returncode == 7, full.stderr
    assert "no space left" in json.loads(full.stdout)["detail"]
    assert ordeal.metrics(home) == said

    worked, refused = ordeal.at_once(home)

    assert (worked.returncode, refused.returncode) == (0, 6), worked.stderr
    assert f"`shipcast run` (process {worked.pid}) holds {home} since 20" in " ".join(refused.stderr.split())
    assert ordeal.published(home) == ordeal.published(after)
    assert ordeal.metrics(home) == ordeal.metrics(after)


def test_an_ingest_that_is_killed_at_any_of_its_syncs(few, more, copied, sync_killer):
    code, syncs = sync_killer(copied(few), "ingest", 0)
    old, new = ordeal.stored(few), ordeal.stored(more)
    assert code == 0
    assert syncs > 5
    assert old != new
    for number in range(1, syncs + 1):
        home = copied(few)
        assert sync_killer(home, "ingest", number)[0] == -9
        assert ordeal.stored(home) in (old, new), number
        assert sync_killer(home, "ingest", 0)[0] == 0, number
        assert ordeal.stored(home) == new, number


LATELY = (datetime.now(UTC) - timedelta(days=10)).date()


def columns(home, table):
    """All rows; of load those of days ago, since another hour may end while it is read."""
    names = ", ".join(column.name for column in BY_NAME[table].columns)
    known = f"where observed_at < date '{LATELY}' + 7" if table == "load" else ""
    with open_beside(home / WORK_FILE) as connection:
        return connection.execute(f"select {names} from raw.{table} {known} order by all").fetchall()


def many_builds():
    job = test_jenkins.Job()
    job.take(*(test_jenkins.build(number, "SUCCESS") for number in range(1, 21)))
    return job


def many_hours():
    return test_prometheus.Server([{"service": "pay", "environment": "production"}])


REMOTE = {
    "github": (test_github.shop, {"repository": "acme/shop"}, ("deployments", "changes", "releases", "incidents")),
    "gitlab": (test_gitlab.shop, {"project": "acme/shop"}, ("deployments", "changes", "releases", "incidents")),
    "jenkins": (many_builds, {"job": "team/deploy shop"}, ("deployments",)),
    "argocd": (test_argocd.shop, {}, ("deployments",)),
    "pagerduty": (test_pagerduty.busy, {}, ("incidents",)),
    "prometheus": (many_hours, {"query": test_prometheus.QUERY, "since": str(LATELY)}, ("load",)),
}  # what the vendor holds, how it is named in the settings, and the tables that come of it


@pytest.mark.parametrize("kind", REMOTE)
def test_a_remote_reading_that_is_killed_twenty_times_leaves_no_row_out_and_none_twice(
    kind, tmp_path, copied, sync_killer
):
    """A mark is never ahead of its rows: the next reading goes on from whatever the one that was killed had stored."""
    held, named, tables = REMOTE[kind]
    secrets = {"token_file": tmp_path / "token", **({"user_file": tmp_path / "user"} if kind == "jenkins" else {})}
    for path in secrets.values():
        path.write_text(TOKEN if path.name == "token" else "butler")
    people = {"names": True} if kind not in ("pagerduty", "prometheus") else {}  # a pseudonym is the home's own
    with serving(Vendor(held().answer)) as vendor:
        empty = tmp_path / "empty"
        files = {name: str(path) for name, path in secrets.items()}
        add_source(empty, {"kind": kind, "url": vendor.url, **named, **people, **files})
        whole = copied(empty, "whole")
        assert sync_killer(whole, "read", 0)[0] == 0
        expected = {table: columns(whole, table) for table in tables}
        assert all(expected.values())
        home = copied(empty)
        ends = [sync_killer(home, "stretches", 1 + kill % 5)[0] for kill in range(20)]

        assert ends == [-9] * 20
        assert sync_killer(home, "read", 0)[0] == 0
        assert {table: columns(home, table) for table in tables} == expected


def test_a_publication_that_is_killed_at_any_of_its_syncs(loaded, after, states, copied, sync_killer):
    code, syncs = sync_killer(copied(loaded), "publish", 0)
    assert code == 0
    assert syncs > 5
    for number in range(1, syncs + 1):
        home = copied(loaded)
        assert sync_killer(home, "publish", number)[0] == -9
        assert ordeal.metrics(home) in states, number
        assert sync_killer(home, "publish", 0)[0] == 0, number
        assert ordeal.published(home) == ordeal.published(after), number

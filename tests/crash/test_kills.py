"""Whenever a run is killed, readers see the old state or the new one, and one plain rerun ends where it should."""

import json

import ordeal
import pytest
from examples import examples
from test_github import shop
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


def columns(home, table):
    names = ", ".join(column.name for column in BY_NAME[table].columns)
    with open_beside(home / WORK_FILE) as connection:
        return connection.execute(f"select {names} from raw.{table} order by all").fetchall()


def test_a_remote_reading_that_is_killed_twenty_times_leaves_no_row_out_and_none_twice(tmp_path, copied, sync_killer):
    """A mark is never ahead of its rows: the next reading goes on from whatever the one that was killed had stored."""
    (tmp_path / "token").write_text(TOKEN)
    tables = ("deployments", "changes", "releases", "incidents")
    with serving(Vendor(shop().answer)) as github:
        source = {"kind": "github", "repository": "acme/shop", "url": github.url, "names": True}
        empty = tmp_path / "empty"
        add_source(empty, {**source, "token_file": str(tmp_path / "token")})
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

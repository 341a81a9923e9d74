"""Whenever a run is killed, readers see the old state or the new one, and one plain rerun ends where it should."""

import random

import ordeal
import pytest


@pytest.fixture(scope="session")
def states(before, after):
    """What `metrics` says before and after."""
    told = {ordeal.metrics(before), ordeal.metrics(after)}
    assert len(told) == 2
    return told


@pytest.mark.parametrize("seed", range(ordeal.MOMENTS))
def test_a_run_that_is_killed_at_a_random_moment(before, after, states, seconds, copied, seed):
    home = copied(before)
    ordeal.killed(home, random.Random(seed).uniform(0.1, 1) * seconds)

    assert ordeal.metrics(home) in states

    again = ordeal.run(home)

    assert again.returncode == 0, again.stderr
    assert ordeal.published(home) == ordeal.published(after)
    assert ordeal.metrics(home) == ordeal.metrics(after)


def test_an_ingest_that_is_killed_at_any_of_its_syncs(few, copied, sync_killer):
    undisturbed = copied(few, "undisturbed")
    code, syncs = sync_killer(undisturbed, "ingest", 0)
    old, new = ordeal.stored(few), ordeal.stored(undisturbed)
    assert code == 0
    assert syncs > 5
    assert old != new
    for number in range(1, syncs + 1):
        home = copied(few)
        assert sync_killer(home, "ingest", number)[0] == -9
        assert ordeal.stored(home) in (old, new), number
        assert sync_killer(home, "ingest", 0)[0] == 0, number
        assert ordeal.stored(home) == new, number


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

"""A booking that is killed is made and in the ledger, or neither; of two for the last slot one is made."""

import ordeal
import pytest

from shipcast.__main__ import run
from shipcast.scheduling.ledger.ledger import read_ledger
from shipcast.settings.files import UNFINISHED

SLOTS = 12


def booked(home):
    """The services that are booked, in a ledger that is sound."""
    return [one.body.service for one in read_ledger(home).state().bookings]


@pytest.mark.parametrize("earlier", [False, True])
def test_a_booking_that_is_killed_at_any_of_its_syncs(sync_killer, tmp_path, copied, earlier):
    made = tmp_path / "made"
    made.mkdir()
    if earlier:
        assert sync_killer(made, "reserve", 0)[0] == 0
        assert run(["--home", str(made), "-q", "undo", "1"]) == 0
    code, syncs = sync_killer(copied(made, "undisturbed"), "reserve", 0)
    assert code == 0
    assert syncs >= 3
    outcomes = set()
    for number in range(1, syncs + 1):
        home = copied(made)
        assert sync_killer(home, "reserve", number)[0] == -9
        found = booked(home)
        assert found in ([], ["pay"]), number
        outcomes.add(len(found))

        assert sync_killer(home, "reserve", 0)[0] == (4 if found else 0), number
        assert booked(home) == ["pay"], number
        assert not list(home.glob(f"*{UNFINISHED}")), number
        chain = read_ledger(home).chain
        assert chain.counted == len(chain.records), number
    assert outcomes == {0, 1}


def test_of_two_who_want_the_last_slot_at_once_one_gets_it_and_the_other_is_told_who(tmp_path):
    (tmp_path / "calendar.toml").write_text('[[capacity]]\nid = "one"\nconcurrent = 1\n')
    told = [dict(one.split() for one in pair) for pair in ordeal.raced(tmp_path, ("pay", "web"), SLOTS)]

    assert [sorted(pair) for pair in told] == [["booked", "one"]] * SLOTS
    assert all(pair["booked"] == pair["one"] for pair in told)
    assert len(booked(tmp_path)) == SLOTS

"""What stands against a deployment or a reservation, worked out by hand, and against a slow count of minutes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import MONDAY, approval, at, booking, freeze, override, reservation, state, undo, waived

from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.rules import Capacity, Window
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.ledger.conflicts import claims, conflicts, lifted_by, next_free, standing
from shipcast.scheduling.ledger.entries import Change, change_of
from shipcast.scheduling.ledger.rules import with_ledger

LUNCH = Window(id="lunch", kind="deny", cron="0 12 * * *", minutes=60, tz="UTC", effect="approval")
NIGHT = Window(id="night", kind="allow", cron="0 20 * * *", minutes=120, tz="UTC", scope={"service": ["core"]})
TWO = Capacity(id="two", concurrent=2, scope={"environment": ["production"]})
CLUSTER = Capacity(id="cluster", concurrent=1, resource=["k8s-*"])
CALENDAR = Calendar(windows=(LUNCH, NIGHT), capacities=(TWO, CLUSTER))


def said(found):
    """Each conflict as its kind, rule, the numbers of its parties, and its time."""
    return [
        (one.kind, one.rule, [party.number for party in one.parties], f"{one.start:%H:%M}", f"{one.end:%H:%M}")
        for one in found
    ]


def against(wanted, *recorded):
    known = state(*recorded)
    return said(conflicts(change_of(wanted), with_ledger(CALENDAR, known), known))


PAY = booking("pay", "09:00", "10:00")
CASES = {
    "nothing else is there": (PAY, [], []),
    "the same service at the same time": (
        PAY, [booking("pay", "09:30", "11:00")], [("booking", None, [1], "09:30", "10:00")],
    ),
    "one after the other": (PAY, [booking("pay", "10:00", "11:00"), booking("pay", "08:00", "09:00")], []),
    "another environment": (PAY, [booking("pay", "09:00", "10:00", environment="staging")], []),
    "one that was undone": (PAY, [booking("pay", "09:00", "10:00"), undo(1)], []),
    "an environment of another team": (
        booking("pay", "09:00", "10:00", environment="staging", team="money"),
        [reservation("09:30", "12:00", team="perf")],
        [("reservation", "reservation-1", [1], "09:30", "10:00")],
    ),
    "an environment of its own team": (
        booking("pay", "09:00", "10:00", environment="staging", team="perf"),
        [reservation("09:30", "12:00", team="perf")],
        [],
    ),
    "an environment that is nobody's": (
        booking("pay", "09:00", "10:00", environment="staging"),
        [reservation("09:30", "12:00")],
        [("reservation", "reservation-1", [1], "09:30", "10:00")],
    ),
    "an environment whose name is no glob": (
        booking("pay", "09:00", "10:00", environment="pr-1"), [reservation("09:00", "12:00", environment="pr-*")], [],
    ),
    "a capacity that is taken": (
        PAY,
        [booking("web", "09:30", "09:50"), booking("api", "09:40", "11:00"), booking("cms", "09:50", "10:00")],
        [("capacity", "two", [1, 2, 3], "09:40", "10:00")],
    ),
    "a capacity that is taken in turn": (
        PAY, [booking("web", "09:00", "09:30"), booking("api", "09:30", "10:00")], [],
    ),
    "a capacity elsewhere": (
        PAY, [booking(name, "09:00", "10:00", environment="staging") for name in ("web", "api")], [],
    ),
    "a capacity that it may exceed": (
        PAY, [booking("web", "09:00", "10:00"), booking("api", "09:00", "10:00"), override("two")], [],
    ),
    "one who exceeded a capacity": (
        PAY,
        [booking("web", "09:00", "10:00"), booking("api", "09:00", "10:00", override=waived("two"))],
        [("capacity", "two", [1, 2], "09:00", "10:00")],
    ),
    "a shared thing": (
        booking("pay", "09:00", "10:00", resources=("k8s-eu",)),
        [booking("web", "09:00", "10:00", resources=("k8s-us",))],
        [("capacity", "cluster", [1], "09:00", "10:00")],
    ),
    "a shared thing it does not use": (PAY, [booking("web", "09:00", "10:00", resources=("k8s-us",))], []),
    "a window that asks for an approval": (
        booking("pay", "11:30", "12:15"), [], [("approval", "lunch", [], "12:00", "12:15")],
    ),
    "an approval that was given": (booking("pay", "11:30", "12:15"), [approval("pay", "11:00", "13:00")], []),
    "an approval of another rule": (
        booking("pay", "11:30", "12:15"),
        [approval("pay", "11:00", "13:00", rule="audit")],
        [("approval", "lunch", [], "12:00", "12:15")],
    ),
    "no window is open": (
        booking("core", "11:00", "11:30"), [], [("rule", "no-allow-window", [], "11:00", "11:30")],
    ),
    "a window is open": (booking("core", "20:00", "20:30"), [], []),
    "a freeze that was added": (
        booking("core", "20:00", "20:30"), [freeze()], [("rule", "audit", [1], "20:00", "20:30")],
    ),
    "a freeze that lets emergencies go": (
        booking("pay", "09:00", "10:00", change_type="emergency"), [freeze(emergency="allow")], [],
    ),
    "a freeze that an override lifts": (PAY, [freeze(), override("audit")], []),
    "all at once": (
        booking("core", "12:30", "13:30"),
        [freeze(), booking("core", "13:00", "14:00"), booking("web", "13:00", "14:00")],
        [
            ("booking", None, [2], "13:00", "13:30"),
            ("rule", "no-allow-window", [], "12:30", "13:30"),
            ("rule", "audit", [1], "12:30", "13:30"),
            ("approval", "lunch", [], "12:30", "13:00"),
            ("capacity", "two", [2, 3], "13:00", "13:30"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_stands_against_a_deployment(case):
    wanted, recorded, expected = CASES[case]

    assert against(wanted, *recorded) == expected


def test_a_booking_is_no_conflict_of_its_own():
    known = state(booking("pay", "09:00", "10:00"), booking("web", "09:00", "10:00"))
    [one, _] = known.bookings

    assert conflicts(change_of(one.body, one.number), CALENDAR, known) == ()


CLAIMS = {
    "nobody is there": (reservation("09:00", "12:00"), [], []),
    "a deployment of others": (
        reservation("09:00", "12:00", "perf"),
        [booking("pay", "11:00", "13:00", environment="staging", team="money")],
        [("booking", None, [1], "11:00", "12:00")],
    ),
    "a deployment of its own": (
        reservation("09:00", "12:00", "perf"),
        [booking("pay", "11:00", "13:00", environment="staging", team="perf")],
        [],
    ),
    "any deployment, where it is nobody's": (
        reservation("09:00", "12:00"),
        [booking("pay", "11:00", "13:00", environment="staging")],
        [("booking", None, [1], "11:00", "12:00")],
    ),
    "another reservation": (
        reservation("09:00", "12:00", "perf"),
        [reservation("08:00", "10:00", "data")],
        [("reservation", None, [1], "09:00", "10:00")],
    ),
    "one that ended, one elsewhere": (
        reservation("09:00", "12:00"), [reservation("08:00", "09:00"), booking("pay", "09:00", "10:00")], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLAIMS)
def test_what_stands_against_keeping_an_environment(case):
    wanted, recorded, expected = CLAIMS[case]

    assert said(claims(wanted, state(*recorded))) == expected


def test_a_change_is_lifted_by_all_the_entries_that_it_needs_or_by_none():
    change = change_of(booking("core", "12:15", "12:45"))
    let = [override("no-allow-window", service="core", end="13:00"), approval("core", "12:00", "13:00")]

    assert lifted_by(change, CALENDAR, state(*let)) == (1, 2)
    assert lifted_by(change, CALENDAR, state(let[0])) == ()
    assert lifted_by(change_of(PAY), CALENDAR, state(*let)) == ()


QUARTER = timedelta(minutes=15)


@st.composite
def bookings(draw):
    service = draw(st.sampled_from(["pay", "web", "api", "cms"]))
    start = MONDAY + QUARTER * draw(st.integers(32, 60))
    return booking(service, "00:00", "01:00").model_copy(
        update={"start": start, "end": start + QUARTER * draw(st.integers(1, 8))}
    )


def quarters(one):
    return {one.start + number * QUARTER for number in range(int((one.end - one.start) / QUARTER))}


@settings(deadline=None)
@given(bookings(), st.lists(bookings(), max_size=8), st.integers(1, 3))
def test_a_capacity_is_taken_by_those_who_run_in_the_quarters_in_which_it_is_full(wanted, others, concurrent):
    calendar = Calendar(capacities=(Capacity(id="some", concurrent=concurrent),))
    found = [one for one in conflicts(change_of(wanted), calendar, state(*others)) if one.kind == "capacity"]

    full = {quarter for quarter in quarters(wanted) if sum(quarter in quarters(one) for one in others) >= concurrent}
    expected = [number for number, one in enumerate(others, start=1) if full & quarters(one)]
    assert [party.number for one in found for party in one.parties] == expected
    assert [(one.start, one.end) for one in found] == ([(min(full), max(full) + QUARTER)] if full else [])


@settings(deadline=None, max_examples=60)
@given(bookings(), st.lists(bookings(), max_size=8), st.integers(1, 2))
def test_the_next_free_time_is_the_first_at_which_nothing_stands_against_it(wanted, others, concurrent):
    known = state(*others)
    calendar = Calendar(windows=(LUNCH,), capacities=(Capacity(id="some", concurrent=concurrent),))
    change = change_of(wanted)
    free = next_free(change, calendar, known)

    shifted = change
    while conflicts(shifted, calendar, known):
        shifted = replace(shifted, start=shifted.start + QUARTER, end=shifted.end + QUARTER)
    assert free == shifted


def test_there_is_no_next_free_time_where_a_rule_never_ends():
    never = Calendar(freezes=(freeze("2026-01-01", "2100-01-01"),))

    assert next_free(Change(Subject("pay"), at("09:00"), at("10:00")), never, state()) is None


def stands(*recorded, among=None):
    known = state(*recorded)
    booked = [one for one in known.bookings if among is None or one.number in among]
    return said(standing(booked, with_ledger(CALENDAR, known), known))


TWO_AND = [booking("pay", "09:00", "10:00"), booking("web", "09:00", "10:00")]


def test_what_was_added_later_stands_against_a_booking_until_it_is_permitted():
    recorded = [booking("pay", "09:00", "10:00"), freeze()]

    assert stands(*recorded) == [("rule", "audit", [1, 2], "09:00", "10:00")]
    assert stands(*recorded, override("audit")) == []
    assert stands(booking("pay", "09:00", "10:00", override=waived("audit")), freeze()) == []
    assert stands(*recorded, undo(2)) == stands(*recorded, undo(1)) == stands(*recorded, among=[]) == []


def test_bookings_beyond_a_capacity_are_one_conflict_with_all_of_them():
    third = booking("api", "09:30", "11:00", override=waived("two"))

    assert stands(*TWO_AND) == []
    assert stands(*TWO_AND, third) == [("capacity", "two", [1, 2, 3], "09:30", "10:00")]
    assert stands(*TWO_AND, third, among=[3]) == [("capacity", "two", [1, 2, 3], "09:30", "10:00")]
    assert stands(*TWO_AND, third, booking("cms", "12:00", "13:00"), among=[4]) == [
        ("approval", "lunch", [4], "12:00", "13:00")
    ]


def test_times_beyond_a_capacity_that_touch_are_one_and_others_are_not():
    others = [booking(name, start, end) for name, start, end in (("a", "09:00", "09:20"), ("b", "09:20", "09:30"))]
    later = booking("c", "09:40", "11:00")

    assert stands(*TWO_AND, *others, later) == [
        ("capacity", "two", [1, 2, 3, 4], "09:00", "09:30"),
        ("capacity", "two", [1, 2, 5], "09:40", "10:00"),
    ]


def test_bookings_that_may_all_exceed_a_capacity_are_no_conflict():
    bold = [booking(name, "09:00", "10:00", override=waived("two")) for name in ("pay", "web", "api")]

    assert stands(*bold) == []

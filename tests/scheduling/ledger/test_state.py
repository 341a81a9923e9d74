"""What the ledger says to hold: as known at an instant, less what was undone, and what it lets go."""

from dataclasses import replace

import pytest
from made_entries import (
    HOUR,
    MONDAY,
    approval,
    at,
    booking,
    chained,
    entries,
    freeze,
    mark,
    override,
    reservation,
    state,
    undo,
    waived,
)

from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.ledger.entries import KINDS, Approval, Change, understood
from shipcast.scheduling.ledger.state import permits

PAY = Subject("pay")


def numbers(known):
    return [one.number for one in known]


def test_a_booking_holds_from_when_it_was_recorded_until_it_is_undone():
    bodies = [freeze(), booking("pay", "09:00", "10:00"), undo(2), booking("pay", "09:00", "10:00")]

    def held(hours):
        return numbers(state(*bodies, as_of=MONDAY + hours * HOUR).bookings)

    assert [held(0.99), held(1), held(1.99), held(2), held(3)] == [[], [2], [2], [], [4]]
    assert state(*bodies).undone == {2: 3}


def test_every_kind_of_entry_comes_back_as_it_was_recorded():
    bodies = [
        booking("pay", "09:00", "10:00", regions=("eu", "us"), team="money", change_type="normal"),
        booking("web", "09:00", "10:00", resources=("db",), purpose="hotfix", override=waived("audit")),
        reservation("09:00", "10:00", team="perf"),
        freeze("2026-01-05T10:00", "2026-01-06T10:00+02:00", scope={"service": ["pay-*"]}, emergency="allow"),
        freeze(),
        approval(rule="audit", role="lead", expires_at=at("11:00")),
        override("audit", "night"),
        mark(),
        undo(1),
    ]

    assert [one.body for one in entries(*bodies)] == bodies
    assert {type(body) for body in bodies} == set(KINDS.values())


def test_an_entry_of_a_kind_to_come_is_not_understood():
    [record] = chained(booking("pay", "09:00", "10:00"))
    for key, value in (("kind", "sign-off"), ("body", {**record.body, "mood": "good"}), ("recorded_at", "yesterday")):
        with pytest.raises(ValueError):
            understood(replace(record, **{key: value}))


def asked(start, end, service="pay", environment="production", number=None):
    return Change(Subject(service, environment), at(start), at(end), (), number)


PERMITS = [  # what was recorded, what is asked, the rule, whether it blocks, whether that may go
    (override("audit"), asked("09:00", "12:00"), "audit", True, True),
    (override("night", "audit"), asked("10:00", "10:45"), "audit", True, True),
    (override("audit"), asked("10:00", "10:45"), "night", True, False),
    (override("audit"), asked("08:59", "10:00"), "audit", True, False),
    (override("audit"), asked("11:30", "12:01"), "audit", True, False),
    (override("audit"), asked("12:00", "12:00"), "audit", True, False),
    (override("audit"), asked("11:59", "11:59"), "audit", True, True),
    (override("audit"), asked("10:00", "11:00", service="web"), "audit", True, False),
    (override("audit"), asked("10:00", "11:00", environment="staging"), "audit", True, False),
    (booking("pay", "09:00", "10:00", override=waived("audit")), asked("09:00", "10:00"), "audit", True, True),
    (booking("pay", "09:00", "10:00", override=waived("audit")), asked("09:00", "10:01"), "audit", True, False),
    (booking("pay", "09:00", "10:00"), asked("09:00", "10:00"), "audit", True, False),
    (approval(), asked("09:00", "12:00"), "audit", False, True),
    (approval(), asked("09:00", "12:00"), "audit", True, False),
    (approval(rule="night"), asked("09:00", "12:00"), "audit", False, False),
    (approval(rule="audit"), asked("09:00", "12:00"), "audit", False, True),
    (approval(), asked("09:00", "12:00", service="web"), "audit", False, False),
    (approval(), asked("09:00", "12:01"), "audit", False, False),
    (approval(expires_at=at("10:00")), asked("09:59", "10:30"), "audit", False, True),
    (approval(expires_at=at("10:00")), asked("10:00", "10:30"), "audit", False, False),
    (Approval(booking=7), asked("10:00", "10:30", number=7), "audit", False, True),
    (Approval(booking=7), asked("10:00", "10:30"), "audit", False, False),
]


@pytest.mark.parametrize(("recorded", "change", "rule", "is_block", "may_go"), PERMITS)
def test_who_may_go_against_what(recorded, change, rule, is_block, may_go):
    assert list(permits(state(recorded), change, rule, is_block=is_block)) == ([1] if may_go else [])
    assert list(permits(state(recorded, undo(1)), change, rule, is_block=is_block)) == []


@pytest.mark.parametrize("parts", [{}, {"booking": 1, "slot": approval().slot}])
def test_an_approval_is_of_a_booking_or_of_a_slot(parts):
    with pytest.raises(ValueError, match="an approval is of"):
        Approval(**parts)

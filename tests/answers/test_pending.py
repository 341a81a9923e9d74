"""Which meeting a waiting change can make, in calendars and changes of a few lines, worked out by hand."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from shipcast.answers.pending import Boards, Service, pending_changes, queues
from shipcast.answers.survival import Survival
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.rules import Cab
from shipcast.scheduling.calendar.scope import Scope

BERLIN = ZoneInfo("Europe/Berlin")
NOTHING = Survival.of(np.array([]), np.array([], dtype=bool))
BOARD = {"id": "board", "cron": "0 10 * * 2", "tz": "Europe/Berlin", "deadline_hours": 24}
SERVICES = {"pay": Service("money", regions=("eu", "us")), "web": Service("shop", regions=("us",))}
SCHEMA = {
    **dict.fromkeys(("approval_id", "deployment_id", "change_id", "role", "service", "environment"), pl.String),
    **dict.fromkeys(("change_type", "decision"), pl.String),
    **dict.fromkeys(("requested_at", "decided_at", "started_at"), pl.Datetime("us")),
}
ASKED = {"service": "pay", "environment": "production", "decision": "pending"}


def at(text):
    """An instant in 2025, naive and in UTC; a + puts it on the clock of Berlin."""
    moment = datetime.fromisoformat(f"2025-{text.rstrip('+')}")
    return moment.replace(tzinfo=BERLIN).astimezone(UTC).replace(tzinfo=None) if text.endswith("+") else moment


def waiting(rows, now, cabs=(BOARD,), until=None, past=NOTHING):
    """What is said of the approvals, each given by its request and whatever else is to be known of it."""
    rows = [
        {**dict.fromkeys(SCHEMA), **ASKED, "approval_id": f"a{number}", **row, "requested_at": at(row["requested_at"])}
        for number, row in enumerate(rows)
    ]
    calendar = Calendar(cabs=tuple(Cab(**one) for one in cabs))
    now = at(now)
    found = Boards(calendar, SERVICES, now, at(until) if until else now + timedelta(days=366))
    return pending_changes(pl.DataFrame(rows, schema=SCHEMA), found, {None: past})


def meeting(requested, now, **question):
    """The first board's meeting, deadline and hours left of one change."""
    [change] = waiting([{"requested_at": requested}], now, **question)
    one = change.boards[0]
    naive = [moment and moment.replace(tzinfo=None) for moment in (one.meeting, one.deadline)]
    return (*naive, one.hours_left)


def test_a_deadline_that_is_exactly_met_is_met_and_a_second_later_is_not():
    met = meeting("12-01T10:00:00+", "12-01T10:00:00+")
    missed = meeting("12-01T10:00:01+", "12-01T10:00:01+")

    assert met == (at("12-02T10:00+"), at("12-01T10:00+"), 0)
    assert missed[:2] == (at("12-09T10:00+"), at("12-08T10:00+"))


def test_what_was_asked_for_in_time_stays_with_its_meeting_after_the_deadline():
    asked_on_friday = meeting("11-28T15:00", "12-01T20:00")
    asked_too_late = meeting("12-01T15:00", "12-01T20:00")

    assert asked_on_friday == (at("12-02T10:00+"), at("12-01T10:00+"), None)
    assert asked_too_late[0] == at("12-09T10:00+")


def test_a_meeting_that_has_begun_is_over_and_one_that_begins_now_is_not():
    assert meeting("11-28T15:00", "12-02T10:00+")[0] == at("12-02T10:00+")
    assert meeting("11-28T15:00", "12-02T10:01+")[0] == at("12-09T10:00+")


@pytest.mark.parametrize(
    ("day", "deadline"),
    [("03-31", "03-29T09:00+"), ("10-27", "10-25T11:00+"), ("11-03", "11-01T10:00+")],
    ids=["clocks go forward between", "clocks go back between", "no clock changes"],
)
def test_notice_is_elapsed_time_whatever_clocks_do(day, deadline):
    monday = {**BOARD, "cron": "0 10 * * 1", "deadline_hours": 48}
    before = at(deadline) - timedelta(days=1)

    assert meeting(before.isoformat()[5:], before.isoformat()[5:], cabs=[monday]) == (
        at(f"{day}T10:00+"),
        at(deadline),
        24,
    )


def test_of_meetings_after_the_planned_start_none_helps():
    assert meeting("11-28T15:00", "11-28T15:00", until="12-02T10:00+")[0] == at("12-02T10:00+")
    assert meeting("11-28T15:00", "11-28T15:00", until="12-02T09:59+") == (None, None, None)


def test_a_board_that_never_meets_decides_nothing():
    never = {**BOARD, "cron": "0 10 31 6 *"}

    assert meeting("11-28T15:00", "11-28T15:00", cabs=[never]) == (None, None, None)


def named(changes):
    return {change.approval_id: [one.cab for one in change.boards] for change in changes}


def test_boards_decide_on_what_they_are_about_and_on_normal_changes_alone():
    cabs = [
        BOARD,
        {**BOARD, "id": "money", "scope": Scope(team=("money",))},
        {**BOARD, "id": "europe", "scope": Scope(region=("eu",))},
        {**BOARD, "id": "w*", "scope": Scope(service=("w*",))},
    ]
    rows = [
        {"service": "pay"},
        {"service": "web", "change_type": "normal"},
        {"service": None},
        {"service": "pay", "change_type": "standard"},
        {"service": "pay", "change_type": "emergency"},
        {"service": "pay", "started_at": at("11-29T10:00")},
    ]
    found = waiting([{"requested_at": "11-28T15:00", **row} for row in rows], "11-30T15:00", cabs)

    assert named(found) == {"a0": ["board", "money", "europe"], "a1": ["board", "w*"], "a2": ["board"], "a3": [],
                            "a4": [], "a5": []}  # fmt: skip
    assert [change.team for change in found[:3]] == ["money", "shop", None]
    assert found[5].started_at == datetime(2025, 11, 29, 10, tzinfo=UTC)


def test_changes_are_grouped_by_meeting_each_once():
    daily = {
        **BOARD,
        "id": "daily",
        "cron": "0 9 * * *",
        "tz": "UTC",
        "deadline_hours": 0,
        "scope": Scope(service=("web",)),
    }
    rows = [
        {"requested_at": "11-28T15:00", "change_id": "c1"},
        {"requested_at": "11-28T16:00", "change_id": "c1", "role": "owner"},
        {"requested_at": "12-01T09:30", "deployment_id": "d1"},
        {"requested_at": "11-28T15:00", "change_id": "c2", "service": "web"},
    ]
    found = queues(waiting(rows, "12-01T12:00", [BOARD, daily]))

    assert [(one.cab, one.meeting.replace(tzinfo=None), one.changes, one.approvals, one.services) for one in found] == [
        ("board", at("12-02T10:00+"), 2, 3, ("pay", "web")),
        ("daily", at("12-02T09:00"), 1, 1, ("web",)),
        ("board", at("12-09T10:00+"), 1, 1, ("pay",)),
    ]


def test_what_no_meeting_can_decide_stands_last():
    rows = [{"requested_at": "11-28T15:00"}, {"requested_at": "12-01T12:00"}]
    found = queues(waiting(rows, "12-01T12:00", until="12-04T00:00"))

    assert [(one.meeting is None, one.changes) for one in found] == [(False, 1), (True, 1)]


def test_the_chance_counts_past_decisions_that_had_waited_as_long():
    """Twenty that took 1 to 20 hours: of the 15 beyond 5 h, 9 were decided by 14 h."""
    past = Survival.of(np.arange(1.0, 21.0), np.ones(20, dtype=bool))
    soon = {"id": "soon", "cron": "0 9 2 12 *"}
    [change] = waiting([{"requested_at": "12-01T19:00"}], "12-02T00:00", [soon], past=past)

    [one] = change.boards
    assert (change.waited_hours, one.chance, one.chance_n) == (5, pytest.approx(9 / 15), 15)
    assert one.chance_low < 9 / 15 < one.chance_high


def test_too_few_past_decisions_give_no_chance():
    past = Survival.of(np.arange(1.0, 15.0), np.ones(14, dtype=bool))
    [change] = waiting([{"requested_at": "12-01T19:00"}], "12-02T00:00", past=past)

    assert (change.boards[0].chance, change.boards[0].chance_n) == (None, 0)


def test_no_request_waits_for_nothing():
    assert waiting([], "12-01T12:00") == []

"""What a calendar and bookings leave of `windows`, `now` and `explain`: what is offered is allowed, the rest named."""

import shutil
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from test_windows import AS_OF, HALF_HOUR, company

from shipcast.answers.admission import admission
from shipcast.answers.explain import explain
from shipcast.answers.now import now
from shipcast.answers.reading import open_reader
from shipcast.answers.window_file import write_window
from shipcast.answers.windows import windows
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.ledger.chain import HEAD_FILE, LEDGER_FILE, Chain, Head, append, record_after
from shipcast.scheduling.ledger.entries import Approval, Booking, Entry, Override, Slot, Unusable, as_text
from shipcast.scheduling.ledger.state import State
from shipcast.scheduling.wanted import Constraints, Grid, Wanted
from shipcast.scheduling.windows import candidate_starts
from shipcast.settings import Settings
from shipcast.settings.errors import UsageError

MONDAY = AS_OF.replace(tzinfo=None, hour=0, minute=0)
EVENING = """
[[window]]
id = "evening"
kind = "allow"
cron = "0 18 * * 1-5"
minutes = 120
tz = "UTC"
"""
SOFT = """
[[window]]
id = "soft"
kind = "deny"
cron = "0 0 * * *"
minutes = 1440
effect = "approval"
tz = "UTC"
"""
FREEZE = """
[[freeze]]
id = "year-end"
start = 2025-06-01
end = 2025-06-20
tz = "UTC"
"""
BOARD = """
[[cab]]
id = "board"
cron = "0 10 * * 3"
deadline_hours = 24
tz = "UTC"
"""


@pytest.fixture(scope="module")
def home(built_once, tmp_path_factory):
    home = built_once("company", company()).home
    return Settings(home=shutil.copytree(home, tmp_path_factory.mktemp("admission") / "home"))


def ask(home, question, *given, calendar, as_of=AS_OF, **more):
    path = home.home / "other.toml"
    path.write_text(calendar, encoding="utf-8")
    with open_reader(home, as_of) as reader:
        return question(reader, "pay", *given, **{"duration": HALF_HOUR, "calendar_file": path, **more})


def test_every_window_lies_in_an_allow_window_as_a_whole_and_the_rest_is_blocked_by_its_lack(home):
    answer = ask(home, windows, calendar=EVENING, top=9)

    assert {
        item.start.weekday() < 5 and 18 <= item.start.hour < 20 and item.end.hour < 20 + (item.end.minute == 0)
        for item in answer.items
    } == {True}
    assert {one.rule for one in answer.blocked} == {"no-allow-window"}
    blocked = sum(((one.end - one.start) for one in answer.blocked), timedelta())
    starts_open = 5 * 7  # of 18:00 to 20:00 the starts whose half hour ends in it
    assert (
        blocked / timedelta(minutes=15)
        == len(candidate_starts(AS_OF.replace(tzinfo=None), AS_OF.replace(tzinfo=None) + timedelta(days=7), HALF_HOUR))
        - starts_open
    )


@pytest.fixture
def marked(home):
    """A function that marks [start, end) for pay in the home's ledger, as recorded a day before the question."""

    def mark(start, end):
        body = Unusable(service="pay", start=start, end=end, reason="stock count")
        before, said = as_text(MONDAY - timedelta(days=1)), body.model_dump(mode="json")
        append(home.home, Chain(), record_after(Head(), before, "ann", "ann", "unusable", said))

    yield mark
    for name in (LEDGER_FILE, HEAD_FILE):
        (home.home / name).unlink()


def test_a_marked_window_is_not_advised_again_and_the_mark_is_named(home, marked):
    first = ask(home, windows, calendar="").items[0]
    marked(first.start, first.end)
    answer = ask(home, windows, calendar="")
    waiting = ask(home, now, calendar="")
    earlier = ask(home, windows, calendar="", as_of=AS_OF - timedelta(days=2))

    assert all(one.end <= first.start or one.start >= first.end for one in (*answer.items, *waiting.items[1:]))
    assert [one.rule for one in answer.blocked] == ["unusable 1"]
    assert answer.blocked[0].start < first.end
    assert first.start < answer.blocked[0].end
    assert earlier.blocked == ()


def test_what_a_window_costs_does_not_depend_on_the_calendar(home):
    kept = ask(home, windows, calendar=EVENING, top=1).items[0]

    assert ask(home, windows, calendar="", earliest=kept.start, latest=kept.end).items[0] == kept


def test_where_nothing_is_allowed_it_names_the_rule_and_the_next_start(home):
    answer = ask(home, windows, calendar=FREEZE + EVENING)

    assert (answer.verdict, answer.items) == ("no_window", ())
    assert answer.next_start == datetime(2025, 6, 23, 18, tzinfo=UTC)  # Saturday follows the freeze
    assert "all are blocked: " in answer.sentence
    assert "year-end" in answer.sentence
    assert "The next allowed start is Tue 24 Jun 03:00 (Asia/Tokyo)." in answer.sentence


def test_what_needs_an_approval_is_offered_and_says_so(home):
    answer = ask(home, windows, calendar=SOFT)

    assert {one.rule for item in answer.items for one in item.approvals} == {"soft"}
    assert answer.sentence.endswith("It needs an approval (soft).")


def test_a_normal_change_waits_for_its_board(home):
    answer = ask(home, windows, calendar=BOARD, change_type="normal")
    meets = datetime(2025, 6, 4, 10, tzinfo=UTC)

    assert all(item.start >= meets for item in answer.items)
    assert [(one.rule, one.end) for one in answer.blocked] == [("board", meets)]
    assert {(one.rule, one.meeting, one.deadline) for item in answer.items for one in item.approvals} == {
        ("board", meets, meets - timedelta(days=1))
    }
    assert ask(home, windows, calendar=BOARD, change_type="standard").blocked == ()
    assert (
        "The type is not said: of normal changes board would have to decide."
        in ask(home, windows, calendar=BOARD).warnings
    )


def test_now_waits_where_a_rule_is_against_it_and_says_which(home):
    blocked = ask(home, now, calendar=EVENING)
    soft = ask(home, now, calendar=SOFT)

    assert (blocked.verdict, blocked.refused_by, blocked.is_blocked_now) == ("wait", ("no-allow-window",), True)
    assert 18 <= blocked.wait_until.hour < 20
    assert blocked.sentence.startswith("pay may not ship now (no allow window is open). Wait until ")
    assert (soft.verdict, soft.refused_by, soft.is_blocked_now) == ("no_window", ("soft",), False)
    assert soft.sentence.startswith("pay may not ship now without an approval (soft), nor within 7 days.")


def test_explain_names_the_rule_and_offers_allowed_starts_only(home):
    answer = ask(home, explain, calendar=EVENING, at=AS_OF + timedelta(hours=3))

    assert [one.rule for one in answer.blocked] == ["no-allow-window"]
    assert ", and blocked since no allow window is open: " in answer.sentence
    assert answer.to_be_calmer is None or answer.to_be_calmer.start is None or 18 <= answer.to_be_calmer.start.hour < 20


def test_a_broken_calendar_is_named_and_answers_nothing(home):
    with pytest.raises(CalendarError, match=r"other\.toml:5"):
        ask(home, windows, calendar=EVENING.replace("0 18 * * 1-5", "0 25 * * *"))


def test_a_window_becomes_an_event_on_the_clock_of_its_service(home, tmp_path):
    answer = ask(home, windows, calendar="")
    target = tmp_path / "window.ics"

    window = write_window(answer, 2, target)

    [event] = icalendar.Calendar.from_ical(target.read_bytes()).walk("VEVENT")
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (window.start, window.end)
    assert window == answer.items[1]
    assert " would fail; expected " in event["DESCRIPTION"]
    assert event["DESCRIPTION"].endswith("No approval is known to be needed.")
    with pytest.raises(UsageError, match="There is no window 4: the answer holds 3 windows"):
        write_window(answer, 4, target)


def change(minutes=30, **more):
    begins = MONDAY + timedelta(hours=9)
    return Wanted("a", Subject("pay", **more), timedelta(minutes=minutes), begins, begins + timedelta(days=1))


NEVER = {
    "too short": (EVENING.replace("120", "15"), "open for 15 minutes at once at most, and it takes 30 minutes."),
    "a freeze for years": (
        '[[freeze]]\nid = "long"\nstart = 2020-01-01\nend = 2199-12-31\ntz = "UTC"\n',
        "On its own, long blocks every start of that year.",
    ),
}


@pytest.mark.parametrize("case", NEVER)
def test_where_nothing_is_ever_allowed_it_says_why(case, tmp_path):
    text, why = NEVER[case]
    path = tmp_path / "calendar.toml"
    path.write_text(text, encoding="utf-8")
    constraints = Constraints(read_calendar(path), MONDAY)
    wanted = change()

    found = admission(constraints, wanted, candidate_starts(wanted.earliest, wanted.latest, wanted.duration))

    assert found.never().endswith(why)


def said(calendar, *booked, folder, wanted=None, hours=3):
    """Which rule blocks each quarter hour from Monday 9:00 on."""
    path = folder / "calendar.toml"
    path.write_text(calendar, encoding="utf-8")
    constraints = Constraints(read_calendar(path), MONDAY + timedelta(hours=8), State(bookings=booked))
    wanted = wanted or change()
    found = admission(
        constraints,
        wanted,
        candidate_starts(wanted.earliest, wanted.earliest + timedelta(hours=hours), wanted.duration),
    )
    return [found.names[place] if place >= 0 else "" for place in found.places.tolist()]


def booked(name, service, begin, end, **more):
    span = {"start": MONDAY + timedelta(hours=begin), "end": MONDAY + timedelta(hours=end)}
    return Entry(name, MONDAY, "ann", "ann", Booking(service=service, **span, **more), "")


def test_a_booking_keeps_its_own_service_and_environment_away(tmp_path):
    first = booked(1, "pay", 10, 10.5)

    assert said("", first, folder=tmp_path) == ["", "", "", *["booking 1"] * 3, "", "", "", "", ""]
    assert set(said("", first, folder=tmp_path, wanted=change(environment="test"))) == {""}
    assert set(said("", booked(2, "web", 10, 10.5), folder=tmp_path)) == {""}


def test_a_mark_keeps_its_own_service_and_environment_away_whatever_is_overridden(tmp_path):
    mark = Unusable(service="pay", start=MONDAY + timedelta(hours=10), end=MONDAY + timedelta(hours=10.5), reason="no")
    state = State(marks=given(mark), overrides=given(Override(**TEN, rules=("unusable 1",), reason="it is urgent")))

    assert closing("", state, tmp_path) == {"unusable 1": [3, 4, 5]}
    assert closing("", state, tmp_path, environment="test") == {}


def test_a_capacity_is_full_where_bookings_fill_it(tmp_path):
    two = '[[capacity]]\nid = "live"\nconcurrent = 2\nscope = { environment = ["production"] }\n'
    one, other = booked(1, "a", 9, 11), booked(2, "b", 10, 10.25)

    assert said(two, one, folder=tmp_path).count("live") == 0
    assert said(two, one, other, folder=tmp_path) == ["", "", "", "live", "live", *[""] * 6]
    assert said(two, one, other, folder=tmp_path, wanted=change(environment="test")).count("live") == 0


def test_the_reserve_blocks_what_leaves_it_no_place(tmp_path):
    spare = '[[reserve]]\nid = "spare"\nper_day_minutes = 60\nbetween = ["09:00", "11:00"]\ntz = "UTC"\n'

    assert said(spare, folder=tmp_path) == ["", "", "", "spare", *[""] * 7]  # else the hour lies before or behind it
    assert said(spare, folder=tmp_path, wanted=change(minutes=75)) == [*["spare"] * 4, *[""] * 4]
    assert set(said(spare, folder=tmp_path, wanted=change(minutes=75, change_type="emergency"))) == {""}


def closing(calendar, state, folder, **more):
    """The rules that are against quarter hours of Monday from 9:00 to 11:00, each with the places of what it closes."""
    path = folder / "calendar.toml"
    path.write_text(calendar, encoding="utf-8")
    constraints = Constraints(read_calendar(path), MONDAY + timedelta(hours=8), state)
    found = constraints.closures(change(**more), Grid(MONDAY + timedelta(hours=9), 8))
    return {one.rule: one.closed.nonzero()[0].tolist() for one in found}


def given(body):
    return (Entry(1, MONDAY, "ann", "ann", body, ""),)


TEN = {"service": "pay", "start": MONDAY + timedelta(hours=10), "end": MONDAY + timedelta(hours=11)}


def test_an_approval_lifts_what_asks_for_one_within_its_slot(tmp_path):
    def under(**more):
        return State(approvals=given(Approval(slot=Slot(**TEN), **more)))

    assert closing(SOFT, State(), tmp_path) == {"soft": [*range(8)]}
    assert closing(SOFT, under(), tmp_path) == {"soft": [0, 1, 2, 3, 7]}  # half an hour ends in the slot too
    assert closing(SOFT, under(rule="other"), tmp_path) == {"soft": [*range(8)]}
    assert closing(SOFT, under(expires_at=MONDAY + timedelta(hours=10.25)), tmp_path) == {"soft": [0, 1, 2, 3, 5, 6, 7]}
    assert closing(SOFT, under(), tmp_path, environment="test") == {"soft": [*range(8)]}
    assert closing(FREEZE, under(), tmp_path) == {"year-end": [*range(8)]}  # no approval helps against what blocks
    assert closing(BOARD, under(), tmp_path, change_type="normal") == {"board": [0, 1, 2, 3, 7]}


def test_an_override_lifts_the_rules_it_names(tmp_path):
    state = State(overrides=given(Override(**TEN, rules=("year-end",), reason="it is urgent")))

    assert closing(FREEZE + SOFT, state, tmp_path) == {"soft": [*range(8)], "year-end": [0, 1, 2, 3, 7]}

"""Marks become windows that can be put into the calendar, with what speaks for them and against."""

from datetime import UTC, datetime, timedelta

import pytest

from shipcast.answers.proposals import propose
from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.ledger.chain import append, read_chain, record_after
from shipcast.scheduling.ledger.entries import NAMES, Undo, Unusable, as_text
from shipcast.settings import Settings

WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
TUESDAY = datetime.fromisoformat("2025-03-04T09:00")
SPRING = datetime.fromisoformat("2025-03-05")
LATER = datetime(2026, 1, 1, tzinfo=UTC)


def record(home, *bodies):
    """Let the home's ledger hold them, as recorded in the spring."""
    home.mkdir(exist_ok=True)
    for body in bodies:
        chain = read_chain(home)
        said = body.model_dump(mode="json")
        append(home, chain, record_after(chain.head, as_text(SPRING), "ana", "root", NAMES[type(body)], said))


def mark(start, minutes=45, reason="stock count", service="pay", **more):
    return Unusable(service=service, start=start, end=start + timedelta(minutes=minutes), reason=reason, **more)


def weekly(count=3, **more):
    return [mark(TUESDAY + number * WEEK, **more) for number in range(count)]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home that holds nothing; the folder holds no calendar."""
    monkeypatch.chdir(tmp_path)
    return Settings(home=tmp_path / "home")


def read(text, folder):
    (folder / "calendar.toml").write_text(text, encoding="utf-8")
    return read_calendar(folder / "calendar.toml")


def decided(calendar, body, environment=None):
    subject = Subject(body.service, environment or body.environment)
    return calendar.decide(subject, body.start, body.end).decision


def test_what_is_proposed_can_be_put_into_a_calendar_and_blocks_what_was_marked(home, tmp_path):
    marks = [*weekly(3), mark(TUESDAY + 3 * WEEK + HOUR / 2, reason="the bank's\nbatch"), mark(TUESDAY + 10 * HOUR)]
    record(home.home, *marks)
    answer = propose(home, LATER)
    [item] = answer.items
    calendar = read(answer.toml, tmp_path)

    assert (item.cron, item.minutes, item.tz, item.marks, item.weeks) == ("0 9 * * 2", 75, "UTC", (1, 2, 3, 4), 4)
    assert item.reasons == ("stock count", "the bank's batch")
    assert [decided(calendar, body) for body in marks] == ["blocked"] * 4 + ["allowed"]
    assert decided(calendar, marks[0], "staging") == decided(calendar, weekly(service="web")[0]) == "allowed"
    assert (calendar.notes, calendar.windows[0].reason) == ((), "marked as unusable: stock count; the bank's batch")
    assert "nothing changes until you put it into the calendar" in answer.sentence


def test_what_is_in_the_calendar_is_not_proposed_again(home, tmp_path):
    record(home.home, *weekly(3))
    read(propose(home, LATER).toml, tmp_path)
    answer = propose(home, LATER)

    assert (answer.items, answer.marks) == ((), 3)
    assert answer.warnings == (
        "3 marks lie at times that a window or business hours of the calendar block anyway: left out.",
    )


def test_a_freeze_over_a_mark_takes_nothing_from_it(home, tmp_path):
    record(home.home, *weekly(3))
    read('[[freeze]]\nid = "audit"\nstart = 2025-03-11\nend = 2025-03-11\ntz = "UTC"\n', tmp_path)

    assert [item.marks for item in propose(home, LATER).items] == [(1, 2, 3)]


def test_names_are_no_globs_and_ids_are_their_own(home, tmp_path):
    odd = 'p[a]*"\\ \u202e😀'
    here = [*weekly(3, service=odd), *(mark(one.start + 3 * HOUR, service=odd) for one in weekly(3))]
    name = "unusable-pay-production-tue-0900"
    taken = f'[[window]]\nid = "{name}"\nkind = "deny"\ncron = "0 0 1 1 *"\nminutes = 1\ntz = "UTC"\n'
    record(home.home, *here, *weekly(3))
    read(taken, tmp_path)
    answer = propose(home, LATER)
    calendar = read(taken + answer.toml, tmp_path)

    assert [item.rule for item in answer.items if item.service == "pay"] == [f"{name}-2"]
    assert all(decided(calendar, body) == "blocked" for body in here)
    assert decided(calendar, mark(TUESDAY, service="pax")) == "allowed"
    assert all(letter.isprintable() or letter == "\n" for letter in answer.toml)


def test_only_marks_that_were_known_and_hold_count(home):
    record(home.home, *weekly(3))

    assert propose(home, SPRING.replace(tzinfo=UTC) - HOUR).marks == 0
    assert propose(home, SPRING.replace(tzinfo=UTC)).marks == 3
    record(home.home, Undo(entry=2))
    assert (propose(home, LATER).marks, propose(home, LATER).items) == (2, ())
    assert propose(home, LATER, service="web").marks == propose(home, LATER, environment="staging").marks == 0
    assert len(propose(home, LATER, service="pay", environment="production", least=2).items) == 1


def test_an_empty_ledger_says_how_marks_come_about(home):
    answer = propose(home, LATER, service="pay")

    assert (answer.items, answer.toml, answer.warnings) == ((), "", ())
    assert "shipcast unusable SERVICE --start T --duration 45m --reason TEXT" in answer.sentence


def test_a_mark_of_a_week_is_left_out_and_said(home):
    record(home.home, *weekly(3, minutes=24 * 60 + 1))

    assert propose(home, LATER).warnings == (
        "3 marks lie over more than a day, which is no time of the week: left out.",
    )


def deployment(number, start, status="succeeded", environment="production"):
    return {"deployment_id": f"d{number}", "service": "pay", "environment": environment, "started_at": f"{start}Z",
            "finished_at": f"{start + HOUR / 6}Z", "status": status}  # fmt: skip


@pytest.fixture(scope="module")
def shipping(built):
    """A home whose pay went out on seven Tuesdays at 9:20 in Berlin, and at times beside them."""
    nine = datetime.fromisoformat("2025-03-04T08:20")
    rows = [deployment(number, nine + number * WEEK) for number in range(3)]
    rows += [deployment(number, nine + number * WEEK - HOUR, "failed") for number in (4, 5)]  # summer time by then
    beside = (nine - HOUR, nine + HOUR, nine + timedelta(days=1), nine - 60 * WEEK)
    rows += [deployment(10 + number, start) for number, start in enumerate(beside)]
    rows.append(deployment(20, nine, environment="staging"))
    services = [{"service": "pay", "team": None, "business_zone": "Europe/Berlin", "regions": None}]
    return built({"deployments": rows, "services": services})


def test_what_was_shipped_at_these_times_all_the_same_makes_marks_weak(shipping, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    marked = datetime.fromisoformat("2025-03-04T08:00")
    record(shipping.home, *(mark(marked + number * WEEK) for number in range(3)))
    [item] = propose(shipping, LATER).items
    shipped = item.shipped

    assert (item.tz, item.opens, item.is_weak) == ("Europe/Berlin", "09:00", True)
    assert (shipped.started, shipped.settled, shipped.failures, shipped.rate) == (5, 5, 2, 0.4)
    assert (round(shipped.low, 3), round(shipped.high, 3)) == (0.118, 0.769)  # Wilson, by hand
    assert "5 deployments started at these times in the last year all the same" in item.says
    assert "of 5 that have settled 2 failed (40 %, 12 to 77)" in item.says
    assert "weak evidence" in item.says
    record(shipping.home, *(mark(marked + number * WEEK - HOUR) for number in range(6, 9)))  # summer time
    assert not propose(shipping, LATER).items[0].is_weak  # marked in six weeks, shipped in five
    early = propose(shipping, datetime(2025, 3, 5, tzinfo=UTC)).items[0].shipped
    assert (early.started, early.settled, early.rate) == (1, 0, None)

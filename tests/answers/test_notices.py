"""What people should be told: each event from made bookings, readings and deployments, and that it keeps its id."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from company import COMPANY, CUT

from shipcast.answers.answer import naive
from shipcast.answers.booked_risk import forecasts, when_booked
from shipcast.answers.gate import Terms, gate
from shipcast.answers.metrics import metrics
from shipcast.answers.notices import notices
from shipcast.answers.reading import open_reader
from shipcast.ingest.health import record
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.chain import append, read_chain, record_after
from shipcast.scheduling.ledger.entries import NAMES, Booking, Undo, as_text
from shipcast.scheduling.ledger.ledger import state_at
from shipcast.settings import Settings
from shipcast.settings.channels import EVENTS
from shipcast.settings.errors import SourceUnreachable
from shipcast.settings.sources import FilesSource

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVENING = datetime(2025, 6, 3, 18, tzinfo=UTC)  # moderate for pay, as of CUT
BOOKED_AT = CUT - 10 * DAY


@pytest.fixture(scope="module")
def company(built_once):
    return built_once("page_company", COMPANY).home


@pytest.fixture
def home(company, tmp_path):
    return Settings(home=shutil.copytree(company, tmp_path / "home"))


@pytest.fixture
def bare(tmp_path):
    """A home in which nothing is published."""
    return Settings(home=tmp_path, sources=(FilesSource(path="a"),), tz="Europe/London")


def recorded(settings, body, at=BOOKED_AT, who="ana"):
    chain = read_chain(settings.home)
    said = body.model_dump(mode="json")
    append(settings.home, chain, record_after(chain.head, as_text(naive(at)), who, "root", NAMES[type(body)], said))


def book(settings, start=EVENING, service="pay", at=BOOKED_AT, minutes=30, **more):
    recorded(settings, Booking(service=service, start=start, end=start + minutes * MINUTE, **more), at)
    return state_at(settings.home).bookings[-1]


def told(settings, as_of, *wanted, earlier=(), levels=None, reads=True):
    wanted = wanted or EVENTS
    if not reads:
        return notices(settings, as_of, None, earlier, levels, wanted)
    with open_reader(settings, as_of) as reader:
        return notices(settings, as_of, reader, earlier, levels, wanted)


def test_a_window_that_opens_within_the_hour_is_told_with_its_level_and_chance(home):
    book(home)
    [notice] = told(home, EVENING - 45 * MINUTE, "window_opening").notices

    assert notice.sentence.startswith(
        "The window of booking 1 opens in 45 minutes: pay to production at Tue 3 Jun 18:00 (UTC), "
    )
    assert notice.sentence.endswith("would fail.")
    assert (notice.service, notice.late_from) == ("pay", EVENING)
    assert notice.facts["level"] in ("fair", "moderate", "rough", "storm")


@pytest.mark.parametrize(("minutes", "is_told"), [(60, True), (61, False), (1, True), (0, False), (-1, False)])
def test_a_window_is_told_of_from_an_hour_before_its_start_up_to_it(bare, minutes, is_told):
    book(bare)
    found = told(bare, EVENING - minutes * MINUTE, "window_opening", reads=False).notices

    assert [one.kind for one in found] == ["window_opening"] * is_told


def test_how_long_before_is_a_setting(bare):
    book(bare)

    assert told(bare.model_copy(update={"notice_minutes": 15.0}), EVENING - 16 * MINUTE, reads=False).notices == []


def test_without_published_data_a_window_opens_all_the_same_and_no_level_is_said(bare):
    book(bare)
    [notice] = told(bare, EVENING - 45 * MINUTE, "window_opening", reads=False).notices

    assert "no level can be forecast" in notice.sentence
    assert "Tue 3 Jun 19:00 (Europe/London)" in notice.sentence


def test_a_forecast_of_booked_starts_is_what_the_gate_says_of_each(home):
    booked = [book(home), book(home, EVENING + 12 * HOUR), book(home, EVENING + HOUR, "web", change_type="normal")]
    with open_reader(home, CUT) as reader:
        found = forecasts(reader, booked)

    for one, start in zip(booked, (EVENING, EVENING + 12 * HOUR, EVENING + HOUR), strict=True):
        terms = Terms(at=start, duration=30 * MINUTE)
        assert found[one.number] == gate(home, CUT, one.body.service, terms, change_type=one.body.change_type).outlook


def test_what_was_forecast_when_it_was_booked_is_what_the_gate_said_then(home):
    one = book(home)
    with open_reader(home, CUT) as reader:
        found = when_booked(reader, one)

    assert found == gate(home, BOOKED_AT, "pay", Terms(at=EVENING, duration=30 * MINUTE)).outlook


def test_a_start_beyond_the_reach_of_forecasts_is_judged_from_when_they_reached_it(home):
    one = book(home, at=CUT - 90 * DAY)
    reached = EVENING + 30 * MINUTE - 35 * DAY
    with open_reader(home, CUT) as reader:
        found = when_booked(reader, one)

    assert found == gate(home, reached, "pay", Terms(at=EVENING, duration=30 * MINUTE)).outlook


def test_a_risk_that_rose_since_the_booking_is_told_once_for_each_level(home):
    one = book(home)
    [first] = told(home, CUT, "risk_rising", levels={one.hash: "calm"}).notices
    [again] = told(home, CUT + HOUR, "risk_rising", levels={one.hash: "fair"}).notices

    assert "has risen from calm to moderate since it was booked" in first.sentence
    assert "pay to production at Tue 3 Jun 18:00 (UTC), about " in first.sentence
    assert first.id == again.id
    for level in ("moderate", "storm"):
        assert told(home, CUT, "risk_rising", levels={one.hash: level}).notices == []


def test_the_level_when_it_was_booked_is_worked_out_once_and_forgotten_when_it_is_over(home):
    one = book(home)
    first = told(home, CUT, "risk_rising")

    assert list(first.levels) == [one.hash]
    assert told(home, CUT, "risk_rising", levels=first.levels).levels == first.levels
    assert told(home, EVENING + HOUR, "risk_rising", levels=first.levels).levels == {}


def test_what_starts_later_than_in_seven_days_is_not_looked_at_yet(home):
    one = book(home, EVENING + 8 * DAY)

    assert told(home, CUT, "risk_rising", levels={one.hash: "calm"}).notices == []


def test_a_freeze_that_came_after_a_booking_names_both_and_who_recorded_them(bare):
    book(bare)
    recorded(bare, Freeze(id="close", start="2025-06-03", end="2025-06-05", tz="UTC", reason="year end"), CUT, "cy")
    [notice] = told(bare, CUT + HOUR, "freeze_conflict", reads=False).notices

    assert notice.sentence.startswith(
        "Booking 1 by ana: pay to production, Tue 3 Jun 2025 19:00 to 19:30: close blocks it"
    )
    assert "year end" in notice.sentence
    assert "freeze 2 by cy" in notice.sentence
    assert (notice.facts["rule"], notice.late_from) == ("close", EVENING + 30 * MINUTE)
    assert told(bare, CUT + 2 * HOUR, "freeze_conflict", reads=False).notices[0].id == notice.id
    [opening] = told(bare, EVENING - 5 * MINUTE, "window_opening", reads=False).notices
    assert opening.sentence.endswith("But close blocks it.")


def test_a_freeze_that_is_undone_or_a_booking_that_is_over_is_no_conflict(bare):
    book(bare)
    recorded(bare, Freeze(id="close", start="2025-06-03", end="2025-06-05", tz="UTC"), CUT)

    assert told(bare, EVENING + 30 * MINUTE, "freeze_conflict", reads=False).notices == []
    recorded(bare, Undo(entry=2), CUT + HOUR)
    assert told(bare, CUT + 2 * HOUR, "freeze_conflict", reads=False).notices == []


def test_a_capacity_that_is_exceeded_is_told_of_each_of_its_bookings(bare):
    book(bare)
    book(bare, EVENING + 10 * MINUTE, "web")
    (bare.home / "calendar.toml").write_text('[[capacity]]\nid = "one"\nconcurrent = 1\n')
    found = told(bare, CUT, "freeze_conflict", reads=False).notices

    assert [one.service for one in found] == ["pay", "web"]
    assert all("capacity one is exceeded" in one.sentence.lower() for one in found)
    assert len({one.id for one in found}) == 2


def sources(settings, as_of, earlier=()):
    return told(settings, as_of, "source_stale", earlier=earlier, reads=False).notices


def test_a_source_that_fails_or_is_stale_is_told_once_since_it_was_read_well_and_when_it_is_again(bare):
    record(bare.home, [("a", 7)], CUT)
    assert sources(bare, CUT + HOUR) == []
    [stale] = sources(bare, CUT + 8 * DAY)
    record(bare.home, [("a", SourceUnreachable("a: no answer."))], CUT + 8 * DAY)
    [failing] = sources(bare, CUT + 8 * DAY + HOUR, [stale])

    assert (
        stale.sentence == "a has not been read well for 8 days: the last time was at Mon 2 Jun 10:00 (Europe/London)."
    )
    assert failing.id == stale.id
    assert failing.sentence.endswith("the last attempt at Tue 10 Jun 10:00 (Europe/London). No answer.")

    record(bare.home, [("a", 9)], CUT + 9 * DAY)
    assert sources(bare, CUT + 9 * DAY) == []  # to those who heard nothing
    [again] = sources(bare, CUT + 9 * DAY, [stale])
    assert again.sentence == "a is read well again since Wed 11 Jun 10:00 (Europe/London): 9 rows."
    assert sources(bare, CUT + 9 * DAY, [stale, again]) == []
    record(bare.home, [("a", SourceUnreachable("a: no answer."))], CUT + 10 * DAY)
    [anew] = sources(bare, CUT + 10 * DAY, [stale, again])
    assert anew.id != stale.id


@pytest.mark.parametrize(("passed", "are_told"), [(59 * MINUTE, 0), (HOUR, 1)])
def test_a_source_that_was_read_well_may_fail_for_an_hour_before_anybody_is_told(bare, passed, are_told):
    record(bare.home, [("a", 7)], CUT)
    record(bare.home, [("a", SourceUnreachable("a: no answer."))], CUT + passed)

    assert len(sources(bare, CUT + passed)) == are_told


def test_a_source_that_never_was_read_well_is_told_of_at_once(bare):
    record(bare.home, [("a", SourceUnreachable("a: no answer."))], CUT)

    assert len(sources(bare, CUT)) == 1


@pytest.mark.parametrize(
    ("zone", "as_of", "is_told"),
    [
        ("UTC", "2025-06-02T07:59Z", False),
        ("UTC", "2025-06-02T08:00Z", True),
        ("Europe/London", "2025-06-02T07:00Z", True),
        ("America/New_York", "2025-06-02T08:00Z", False),
        ("UTC", "2025-06-08T23:59Z", True),
    ],
)
def test_the_week_is_summed_up_from_monday_at_eight_by_the_clock_of_reports(home, zone, as_of, is_told):
    settings = home.model_copy(update={"tz": zone})

    assert len(told(settings, datetime.fromisoformat(as_of), "weekly_digest").notices) == is_told


def test_the_week_is_summed_up_with_what_the_metrics_say_and_nothing_more(home):
    book(home)
    with open_reader(home, CUT) as reader:
        [count] = metrics(
            reader, metric="deployments", period_from=CUT - 7 * DAY - 9 * HOUR, period_to=CUT - 9 * HOUR
        ).items
    [notice] = told(home, CUT, "weekly_digest").notices
    [later] = told(home, CUT + 5 * DAY, "weekly_digest").notices

    assert notice.sentence.startswith(f"In week 2025-W22 {count.value} deployments shipped to production, ")
    assert f"(n = {count.value}, " in notice.sentence
    assert "may still turn out to have: no clear change (the week before: " in notice.sentence
    assert notice.sentence.endswith("This week has 1 booking; no source is connected.")
    assert (notice.facts["week"], notice.facts["compared"], notice.service) == ("2025-W22", "no clear change", None)
    assert notice.id == later.id


def test_a_week_of_which_no_data_came_in_says_so(home):
    [notice] = told(home, CUT + 40 * DAY, "weekly_digest").notices

    assert "0 deployments shipped to production; of the rate of failures nothing can be said." in notice.sentence
    assert " The data is " in notice.sentence


def test_a_broken_calendar_hides_nothing_but_what_rests_on_it(bare):
    book(bare)
    record(bare.home, [("a", SourceUnreachable("a: no answer."))], CUT)
    (bare.home / "calendar.toml").write_text("[[freeze]]\n")
    found = told(bare, EVENING - 5 * MINUTE, reads=False)

    assert [one.kind for one in found.notices] == ["source_stale"]
    assert [warning.split(":")[0] for warning in found.warnings] == ["window_opening", "freeze_conflict"]


def test_nothing_is_looked_for_that_nobody_wants(home):
    book(home)

    assert told(home, EVENING - 5 * MINUTE, "freeze_conflict").notices == []

"""`now`: go where the time is good or waiting brings nothing, wait where a day ahead is clearly better."""

from datetime import UTC, datetime, timedelta

import pytest
from test_windows import AS_OF, HALF_HOUR, company, cut, said, without_clock

from shipcast.answers.errors import UnknownName
from shipcast.answers.now import now, sentence
from shipcast.answers.reading import open_reader
from shipcast.answers.windows import windows
from shipcast.settings.errors import UsageError

NOON = datetime(2025, 6, 3, 12, 2, tzinfo=UTC)
DAY = timedelta(days=1)
FREEZE = '[[freeze]]\nid = "audit"\nstart = {}\nend = {}\ntz = "UTC"\n'


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("company", company())


def ask(home, service="pay", as_of=AS_OF, **more):
    with open_reader(home, as_of) as opened:
        return now(opened, service, **{"duration": HALF_HOUR, **more})


@pytest.fixture(scope="module")
def at_a_good_hour(home):
    return ask(home, as_of=NOON.replace(hour=20))


def test_at_a_bad_hour_it_says_until_when_to_wait(home):
    answer = ask(home, as_of=NOON)
    first, of_day, _ = answer.items

    assert (answer.verdict, first.level, answer.wait_until) == ("wait", "moderate", of_day.start)
    assert first.start == NOON.replace(minute=15)
    assert NOON < of_day.start < NOON + DAY
    assert answer.sentence.startswith("Wait until ")
    assert " of the cost of now" in answer.sentence


def test_at_a_good_hour_it_says_go(at_a_good_hour):
    answer = at_a_good_hour

    assert (answer.verdict, answer.wait_until) == ("go", None)
    assert answer.items[0].level in ("calm", "fair")
    assert answer.sentence.startswith("Ship pay now: about ")


@pytest.mark.parametrize(
    ("ratio", "is_clear", "named"), [(0.25, True, True), (0.49, True, True), (0.5, True, False), (0.25, False, False)]
)
def test_a_much_better_start_within_a_day_is_named_though_now_is_good(at_a_good_hour, ratio, is_clear, named):
    first, of_day, of_week = at_a_good_hour.items
    soon = of_day.model_copy(
        update={"start": NOON + DAY, "relative_to_now": ratio, "is_clearly_better": is_clear, "level": "calm"}
    )
    answer = at_a_good_hour.model_copy(update={"items": (first, soon, of_week)})
    wanted = f" of the usual cost; Wed 4 Jun 21:02 (Asia/Tokyo) would cost {ratio:.2f} of it."

    assert sentence(answer).endswith(wanted if named else " of the usual cost.")


@pytest.mark.parametrize("hours", [1, 4, 30, 100])
def test_it_waits_for_the_cheapest_start_that_ends_by_latest(home, hours):
    latest = NOON + timedelta(hours=hours)
    answer = ask(home, as_of=NOON, latest=latest)
    with open_reader(home, NOON) as reader:
        best = windows(reader, "pay", duration=HALF_HOUR, latest=latest, top=1).items[0]

    assert [item.when for item in answer.items] == ["now", "within 24 hours", "by latest"]
    assert (answer.items[2].start, answer.items[2].expected_cost) == (best.start, best.expected_cost)
    assert max(item.end for item in answer.items) <= latest
    if answer.verdict == "wait":
        assert answer.wait_until == best.start


def test_a_later_latest_finds_a_cheaper_wait_and_an_earlier_one_is_kept_to(home):
    near, far = (ask(home, as_of=NOON, latest=NOON + timedelta(hours=hours)) for hours in (4, 6))

    assert (near.verdict, near.wait_until, far.verdict) == ("no_clear_difference", None, "wait")
    assert "no time until Wed 4 Jun 01:02 (Asia/Tokyo) is clearly better" in near.sentence
    assert far.awaited.expected_cost < near.awaited.expected_cost
    assert near.awaited.end <= NOON + timedelta(hours=4) < far.wait_until


def test_it_waits_longer_than_a_day_only_where_latest_lets_it(home, tmp_path):
    calendar = tmp_path / "calendar.toml"
    calendar.write_text(FREEZE.format("2025-06-03T13:00:00", "2025-06-04T16:00:00"))
    by_default, told = (
        ask(home, as_of=NOON, calendar_file=calendar, latest=latest) for latest in (None, NOON + 2 * DAY)
    )

    assert (by_default.verdict, by_default.wait_until) == ("go", None)
    assert "no time within 24 hours is clearly better" in by_default.sentence
    assert (told.verdict, told.awaited.when) == ("wait", "by latest")
    assert NOON + DAY < told.wait_until == told.awaited.start


def test_a_freeze_of_more_than_a_week_can_be_waited_out_if_latest_lies_behind_it(home, tmp_path):
    calendar = tmp_path / "calendar.toml"
    calendar.write_text(FREEZE.format("2025-06-03", "2025-06-12"))
    by_default, near, far = (
        ask(home, as_of=NOON, calendar_file=calendar, latest=latest)
        for latest in (None, NOON + 2 * DAY, NOON + 12 * DAY)
    )

    assert (by_default.verdict, near.verdict, far.verdict) == ("no_window", "no_window", "wait")
    assert "(audit), nor within 7 days. The next" in by_default.sentence
    assert "(audit), nor until Thu 5 Jun 21:02 (Asia/Tokyo). The next" in near.sentence
    assert datetime(2025, 6, 13, tzinfo=UTC) <= far.wait_until < NOON + 12 * DAY
    assert [item.when for item in far.items] == ["now", "by latest"]


def test_where_nothing_fits_before_latest_that_is_said(home):
    answer = ask(home, as_of=NOON, latest=NOON + HALF_HOUR)

    assert (answer.verdict, answer.items, answer.is_blocked_now) == ("no_window", (), False)
    assert answer.sentence == (
        "No start for pay: no 30 minutes from a quarter hour on end by Tue 3 Jun 21:32 (Asia/Tokyo)."
    )


def test_latest_is_no_part_of_the_json(home):
    assert "latest" not in ask(home, as_of=NOON, latest=NOON + DAY).as_dict()


@pytest.mark.parametrize(
    ("latest", "words"), [(NOON, "--latest .* does not come after the time asked at"), (NOON + 36 * DAY, "35 days")]
)
def test_a_latest_that_is_past_or_out_of_reach_is_refused_as_windows_does(home, latest, words):
    with pytest.raises(UsageError, match=words) as told:
        ask(home, as_of=NOON, latest=latest)
    with open_reader(home, NOON) as reader, pytest.raises(UsageError) as of_windows:
        windows(reader, "pay", duration=HALF_HOUR, latest=latest)

    assert str(told.value) == str(of_windows.value)


def test_the_starts_cost_what_windows_says_they_cost_number_for_number(home):
    with open_reader(home, AS_OF) as reader:
        answer = now(reader, "pay", duration=HALF_HOUR)
        best = windows(reader, "pay", duration=HALF_HOUR, top=1).items[0]
        first = windows(
            reader, "pay", duration=HALF_HOUR, latest=answer.items[0].end, earliest=answer.items[0].start
        ).items[0]

    fields = type(best).model_fields
    assert {name: getattr(answer.items[2], name) for name in fields} == dict(best)
    assert {name: getattr(answer.items[0], name) for name in fields} == dict(first)


def test_costs_are_told_against_now(home):
    first, of_day, of_week = ask(home, as_of=NOON).items

    assert (first.relative_to_now, first.to_now_low, first.to_now_high, first.is_clearly_better) == (1, 1, 1, False)
    assert of_week.expected_cost <= of_day.expected_cost < first.expected_cost
    for item in (of_day, of_week):
        assert item.relative_to_now == pytest.approx(item.expected_cost / first.expected_cost)
        assert item.to_now_low <= item.relative_to_now <= item.to_now_high


def test_nothing_known_later_changes_the_answer(home, built_once):
    before = built_once("company_cut", cut(company(), AS_OF))

    for service in ("pay", "web", "new"):
        answers = [without_clock(ask(each, service, duration=None)) for each in (home, before)]
        assert answers[0] == answers[1]


def test_where_hours_say_nothing_there_is_no_clear_difference(built):
    one = {"deployment_id": "d1", "service": "pay", "environment": "production", "status": "succeeded"}
    answer = ask(built({"deployments": [one | {"started_at": "2025-05-01T10:00Z"}]}), as_of=NOON.replace(hour=1))

    assert answer.items[0].level in ("moderate", "rough")
    assert answer.verdict == "no_clear_difference"
    assert answer.sentence.startswith("Ship pay now or later: ")


def test_a_hold_blocks_only_where_the_setting_says_so(home):
    blocked = ask(home.model_copy(update={"holds": "block"}), "web")

    assert (blocked.verdict, blocked.items, blocked.blocked[0].rule) == ("no_window", (), "hold: freeze")
    assert blocked.sentence == (
        "web may not ship now (hold: freeze), nor within 7 days. No start within a year is allowed. "
        "On its own, hold: freeze blocks every start of that year."
    )
    assert said(ask(home, "web"), "A hold is in force on web")


def test_a_deployment_longer_than_a_week_can_be_asked_about(home):
    answer = ask(home, duration=9 * DAY)

    assert {item.start for item in answer.items} == {answer.items[0].start}


def test_before_the_first_deployment_nothing_can_be_said(home):
    answer = ask(home, as_of=datetime(2024, 6, 1, tzinfo=UTC))

    assert (answer.verdict, len(answer.items)) == ("no_clear_difference", 1)
    assert answer.items[0].expected_cost is answer.items[0].relative_to_now is None
    assert "Nothing is known" in answer.sentence


def test_an_empty_home_answers_for_any_service(built_once):
    answer = ask(built_once("empty", {}), "anything", duration=None)

    assert (answer.verdict, answer.duration_minutes) == ("no_clear_difference", 30)


def test_what_cannot_be_asked_is_refused(home):
    with pytest.raises(UnknownName, match="pay"):
        ask(home, "pya")
    with pytest.raises(UsageError, match="duration"):
        ask(home, duration=timedelta(0))

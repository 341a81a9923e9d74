"""`explain`: the price that `windows` gives, reasons that add up, and nothing from after the question was asked."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_windows import AS_OF, HALF_HOUR, by_strategy, company, cut, said, without_clock

from shipcast.answers.errors import UnknownName
from shipcast.answers.explain import FactorName, explain
from shipcast.answers.reading import open_reader
from shipcast.answers.windows import windows
from shipcast.scheduling.recommend import level
from shipcast.settings.errors import UsageError
from shipcast.verbs.advice import ROWS

NOON = datetime(2025, 6, 3, 12, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("company", company())


@pytest.fixture(scope="module")
def reader(home):
    with open_reader(home, AS_OF) as opened:
        yield opened


def ask(home, service="pay", at=NOON, as_of=AS_OF, **more):
    with open_reader(home, as_of) as opened:
        return explain(opened, service, **{"at": at, "duration": HALF_HOUR, **more})


@pytest.mark.parametrize("service", ["pay", "web", "new"])
def test_a_start_costs_what_windows_says_it_costs_number_for_number(reader, service):
    offered = windows(reader, service, duration=HALF_HOUR, lines=200, top=3).items

    for item in offered:
        (explained,) = explain(reader, service, at=item.start, duration=HALF_HOUR, lines=200).items
        assert explained == item


CASES = st.fixed_dictionaries(
    {
        "service": st.sampled_from(["pay", "web", "new"]),
        "minutes": st.none() | st.integers(1, 600),
        "lines": st.none() | st.integers(0, 10_000),
        "after": st.integers(0, 30 * 24 * 60),
    }
)


@given(CASES)
@settings(deadline=None, max_examples=examples(8))
def test_laws_of_every_answer(reader, case):
    at = AS_OF + case["after"] * MINUTE
    duration = case["minutes"] and case["minutes"] * MINUTE
    answer = explain(reader, case["service"], at=at, duration=duration, lines=case["lines"])
    (item,) = answer.items

    assert AS_OF <= item.start <= at or item.start - AS_OF < 15 * MINUTE
    assert sum(reason.points for reason in item.reasons) == pytest.approx(item.relative_cost - 1, abs=1e-9)
    factors = {factor.factor: factor for factor in answer.factors}
    multiplied = [factors[reason.factor] for reason in item.reasons]
    scale = 60 if "load" in factors else 1  # of what is said per hour
    assert np.prod([factor.value for factor in multiplied]) / scale == pytest.approx(item.expected_cost)
    assert factors["failure chance"].value == pytest.approx(item.failure_probability)
    for factor in answer.factors:
        assert factor.low <= factor.value <= factor.high
        assert factor.ratio_low <= factor.ratio <= factor.ratio_high
    assert [curve.factor for curve in answer.curves] == [reason.factor for reason in item.reasons]
    for curve in answer.curves:
        assert len(curve.values) == 168
        assert all(low <= value <= high for low, value, high in zip(curve.low, curve.values, curve.high, strict=True))
    assert not any("caus" in text for text in (*answer.explanation, *answer.warnings, answer.sentence))


def test_it_says_how_each_factor_compares_with_its_usual_and_that_it_is_association(reader):
    night = explain(reader, "pay", at=NOON.replace(hour=20), duration=HALF_HOUR)
    factors = {factor.factor: factor for factor in night.factors}

    assert factors["restore time"].compared == factors["median restore time"].compared == "higher"
    assert factors["load"].compared == "lower"
    assert night.sentence.startswith("Wed 4 Jun 05:30 (Asia/Tokyo) is calm for pay: ")
    assert "association" in night.explanation[-1]
    assert night.no_time_effect < 0.05
    assert "That the hour of the week says something of how often changes fail is hardly in doubt." in night.explanation


def test_failures_are_likelier_at_noon(reader):
    assert explain(reader, "pay", at=NOON, duration=HALF_HOUR).factors[0].ratio > 1.5


def test_the_curve_is_highest_where_failures_were_most_frequent_on_the_services_clock(reader):
    chances = explain(reader, "pay", at=NOON, duration=HALF_HOUR).curves[0].values

    by_hour = np.mean(np.reshape(chances, (7, 24)), axis=0)
    assert int(np.argmax(by_hour)) in range(20, 24)  # 11 to 15 in UTC
    assert by_hour.max() > 2 * by_hour.min()


def test_every_local_hour_has_its_value_in_a_week_that_skips_one(built):
    one = {"deployment_id": "d1", "service": "pay", "environment": "production", "status": "succeeded"}
    tables = {
        "services": [{"service": "pay", "business_zone": "Europe/London"}],
        "deployments": [one | {"started_at": "2025-01-01T10:00Z"}],
    }
    answer = ask(built(tables), at=datetime(2025, 3, 28, 9, tzinfo=UTC), as_of=datetime(2025, 3, 28, 8, tzinfo=UTC))

    assert {len(curve.values) for curve in answer.curves} == {168}


def test_the_most_alike_deployments_are_of_that_time_of_day_and_size_and_had_settled(reader):
    alike = explain(reader, "pay", at=NOON, duration=HALF_HOUR, lines=200).alike

    assert len(alike) == 5
    for one in alike:
        assert abs(one.started_at.hour + one.started_at.minute / 60 - 12.5) < 4
        assert 80 < one.lines < 500
        assert one.started_at < AS_OF - 14 * DAY


def test_what_is_said_to_be_calmer_is_calmer_and_nothing_nearer_is(reader):
    answer = explain(reader, "pay", at=NOON, duration=HALF_HOUR, lines=400)
    calmer = answer.to_be_calmer
    later = explain(reader, "pay", at=calmer.start, duration=HALF_HOUR, lines=400).items[0]
    before = explain(reader, "pay", at=calmer.start - 15 * MINUTE, duration=HALF_HOUR, lines=400).items[0]

    assert (answer.items[0].level, calmer.level, before.level) == ("moderate", "fair", "moderate")
    assert later.relative_cost == pytest.approx(calmer.start_relative_cost)
    assert later.level in ("fair", "calm")
    assert NOON < calmer.start <= NOON + 7 * DAY


def test_so_many_lines_would_do(reader):
    whole = explain(reader, "pay", at=NOON, duration=HALF_HOUR, lines=2000)
    lines = whole.to_be_calmer.lines
    smaller = explain(reader, "pay", at=NOON, duration=HALF_HOUR, lines=lines).items[0]
    usual = whole.items[0].expected_cost / whole.items[0].relative_cost

    assert 0 < lines < 2000
    assert smaller.expected_cost / usual == pytest.approx(whole.to_be_calmer.lines_relative_cost)
    assert level(whole.to_be_calmer.lines_relative_cost) == whole.to_be_calmer.level


def test_what_is_calm_need_not_be_calmer(reader):
    best = windows(reader, "pay", duration=HALF_HOUR, top=1).items[0]
    answer = explain(reader, "pay", at=best.start, duration=HALF_HOUR)

    assert (answer.items[0].level, answer.to_be_calmer) == ("calm", None)


def test_nothing_known_later_changes_the_answer(home, built_once):
    before = built_once("company_cut", cut(company(), AS_OF))

    for service in ("pay", "web", "new"):
        for at, duration in ((NOON, HALF_HOUR), (AS_OF + 9 * DAY, None)):
            answers = [without_clock(ask(each, service, at, duration=duration)) for each in (home, before)]
            assert answers[0] == answers[1]


def test_another_minute_is_priced_as_its_quarter_hour_and_that_is_said(reader):
    answer = explain(reader, "pay", at=NOON + 7 * MINUTE, duration=HALF_HOUR)

    assert (answer.items[0].start, answer.asked_at) == (NOON, NOON + 7 * MINUTE)
    assert said(answer, "2025-06-03T12:37:00Z is priced as 2025-06-03T12:30:00Z")
    assert not said(explain(reader, "pay", at=NOON, duration=HALF_HOUR), "is priced as")


def test_of_the_quarter_hour_that_has_begun_the_next_one_is_priced(reader):
    assert explain(reader, "pay", at=AS_OF, duration=HALF_HOUR).items[0].start == AS_OF + 10 * MINUTE


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"at": AS_OF - MINUTE}, "2025-06-02T09:04:00Z"),
        ({"at": AS_OF + 36 * DAY}, "35 days"),
        ({"duration": timedelta(0)}, "duration"),
        ({"lines": -1}, "size"),
    ],
)
def test_what_cannot_be_asked_is_refused(reader, wrong, word):
    with pytest.raises(UsageError, match=word) as refused:
        explain(reader, "pay", **{"at": NOON, "duration": HALF_HOUR, **wrong})

    assert "latest" not in str(refused.value)


def test_an_unknown_service_or_environment_is_refused_with_the_nearest_names(reader):
    with pytest.raises(UnknownName, match="pay"):
        explain(reader, "pya", at=NOON)
    with pytest.raises(UnknownName, match="production"):
        explain(reader, "pay", at=NOON, environment="prodution")


def test_the_usual_duration_is_the_median_of_those_that_had_ended(reader):
    answer = explain(reader, "pay", at=NOON)

    assert answer.duration_minutes == 20
    assert said(answer, "Taken as typical of pay: a duration of 20 minutes, the median of ")


def test_without_load_there_are_two_factors_and_the_median(reader):
    answer = explain(reader, "web", at=NOON, duration=HALF_HOUR)

    assert [factor.factor for factor in answer.factors] == ["failure chance", "restore time", "median restore time"]
    assert answer.unit == "disruption_minutes"
    assert said(answer, "A hold is in force on web")


def test_a_planned_downtime_is_a_factor_of_its_own_beside_those_of_a_failure(built_once):
    down = built_once("company_down", by_strategy("recreate"))
    with_load, without = ask(down, "pay", duration=HALF_HOUR), ask(down, "web", duration=HALF_HOUR)
    chance, minutes, load, downtime, _ = with_load.factors

    assert (downtime.factor, downtime.unit, without.factors[2].unit) == ("planned downtime", "requests", "minutes")
    assert without.factors[2].ratio == 1
    failing = chance.value * minutes.value * load.value / 60
    assert with_load.items[0].expected_cost == pytest.approx(failing + downtime.value)
    assert with_load.curves[-1].factor == "planned downtime"
    assert any("which keeps the service down" in text for text in with_load.explanation)


def test_a_hold_that_blocks_is_said_beside_the_price(home):
    answer = ask(home.model_copy(update={"holds": "block"}), "web")

    assert answer.blocked[0].rule == "hold: freeze"
    assert "blocked by hold: freeze" in answer.sentence
    assert answer.items[0].expected_cost > 0


def test_before_the_first_deployment_nothing_can_be_said(home):
    early = datetime(2024, 6, 1, tzinfo=UTC)
    answer = ask(home, at=early + DAY, as_of=early, duration=None)
    (item,) = answer.items

    assert item.failure_probability is item.relative_cost is item.level is answer.no_time_effect is None
    assert answer.factors == answer.curves == answer.alike == answer.explanation == ()
    assert "Nothing is known" in answer.sentence
    assert said(answer, "a duration of 30 minutes is assumed")


@pytest.mark.parametrize(("status", "alike"), [("succeeded", 1), ("running", 0)])
def test_one_deployment_is_enough_for_an_answer(built, status, alike):
    one = {"deployment_id": "d1", "service": "pay", "environment": "production", "status": status}
    answer = ask(built({"deployments": [one | {"started_at": "2025-05-01T10:00Z"}]}), duration=None)

    assert answer.duration_minutes == 30
    assert said(answer, "No deployment of pay says when it ended: a duration of 30 minutes is assumed.")
    assert len(answer.alike) == alike
    assert answer.no_time_effect == pytest.approx(0.5, abs=0.1)
    assert any("says nothing of how often changes fail" in text for text in answer.explanation)


def test_an_empty_home_answers_for_any_service(built_once):
    answer = ask(built_once("empty", {}), "anything")

    assert (answer.n, answer.items[0].expected_cost) == (0, None)


def test_every_factor_has_a_word_on_screen():
    assert set(get_args(FactorName)) == set(ROWS)


def test_the_usual_load_is_the_mean_of_the_week(reader):
    """Eight starts that lie 21 hours apart, so that all days, and all hours of the day in steps of three, are in."""
    starts = [AS_OF.replace(minute=15) + step * 21 * HOUR for step in range(8)]
    loads = [explain(reader, "pay", at=start, duration=HALF_HOUR).factors[2] for start in starts]

    assert np.mean([load.value for load in loads]) == pytest.approx(loads[0].usual, rel=0.03)
    assert all(load.ratio_low < load.ratio < load.ratio_high for load in loads)

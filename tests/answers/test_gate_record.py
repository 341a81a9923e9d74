"""What became of the gate's verdicts, by hand: who was let go, who went against it, and what waiting was worth."""

from datetime import UTC, datetime, timedelta

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipcast.answers.advice import GateVerdict
from shipcast.answers.gate_record import gate_record
from shipcast.answers.windows import Outlook

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def said(word, hour, asked=None, service="pay", chance=0.2, costs=None):
    """A verdict about a start at some hour of Monday, when that has come if no other hour is given.

    `costs` holds what other hours than the usual cost; None: nothing of costs is known.
    """
    known = None if costs is None else tuple(costs.get(number, 1.0) for number in range(168))
    return GateVerdict(
        verb="gate", service=service, environment="production", verdict=word,
        as_of=MONDAY + (hour if asked is None else asked) * HOUR,
        start=MONDAY + hour * HOUR, end=MONDAY + (hour + 1) * HOUR,
        failure_probability=chance, relative_cost=None,
        outlook=None if known is None else Outlook(start=MONDAY, relative_costs=known),
    )  # fmt: skip


def shipped(hour, is_failed=False, is_settled=True, service="pay", environment="production"):
    return service, environment, (MONDAY + hour * HOUR).replace(tzinfo=None), is_failed, is_settled


def counts(record):
    return record.after_go.deployments, record.against.deployments, record.waited


MINUTE = 1 / 60
CASES = {  # verdicts, deployments, and how many were let go, went against it, and waited
    "half an hour after a go": ([said("go", 10)], [shipped(10.5)], (1, 0, 0)),
    "later than that": ([said("go", 10)], [shipped(10.5 + MINUTE)], (0, 0, 0)),
    "before it was asked": ([said("go", 10)], [shipped(10 - MINUTE)], (0, 0, 0)),
    "at once after a hold": ([said("hold", 10)], [shipped(10)], (0, 1, 0)),
    "where the gate could not say": ([said("unknown", 10)], [shipped(10.1)], (0, 1, 0)),
    "a go since the hold": ([said("hold", 10), said("go", 10.2)], [shipped(10.3)], (1, 0, 1)),
    "a hold since the go": ([said("go", 10), said("hold", 10.2)], [shipped(10.3)], (0, 1, 0)),
    "the go was asked in the same second": ([said("hold", 10), said("go", 10)], [shipped(10.3)], (1, 0, 1)),
    "a hold asked later about an earlier start": (
        [said("hold", 10, asked=9.9), said("go", 10.2, asked=9)],
        [shipped(10.3)],
        (0, 1, 0),
    ),
    "a go that was asked days ahead": ([said("go", 100, asked=9)], [shipped(100.25)], (1, 0, 0)),
    "a start that is still to come": ([said("hold", 12, asked=9)], [shipped(10)], (0, 0, 0)),
    "a pipeline that polls counts once": (
        [*(said("hold", 10 + number / 4) for number in range(8)), said("go", 12)],
        [shipped(12.1)],
        (1, 0, 1),
    ),
    "a hold kept to without another question": ([said("hold", 10)], [shipped(11)], (0, 0, 1)),
    "a week after the hold": ([said("hold", 10)], [shipped(10 + 167)], (0, 0, 1)),
    "more than a week after it": ([said("hold", 10)], [shipped(10 + 168)], (0, 0, 0)),
    "who went against the second hold waited for neither": (
        [said("hold", 10), said("hold", 12)],
        [shipped(12.1)],
        (0, 1, 0),
    ),
    "the next deployment did not wait": ([said("hold", 10)], [shipped(11), shipped(12)], (0, 0, 1)),
    "another service": ([said("go", 10), said("hold", 10)], [shipped(10, service="web")], (0, 0, 0)),
    "another environment": ([said("go", 10)], [shipped(10, environment="test")], (0, 0, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_deployment_rests_on_the_last_verdict_of_the_half_hour_before(name):
    verdicts, deployments, expected = CASES[name]

    assert counts(gate_record(verdicts, deployments)) == expected


def test_verdicts_are_counted_by_what_they_said():
    record = gate_record([said("go", 1), said("go", 2), said("hold", 3), said("unknown", 4)], [])

    assert (record.period_start, record.go, record.hold, record.unknown) == (MONDAY + HOUR, 2, 1, 1)
    assert record.sentence == (
        "The gate said go 2 times, hold 1 time and unknown 1 time; nothing was deployed yet on its word."
    )
    assert gate_record([], [shipped(1)]) is None


def test_failures_are_those_of_what_settled_and_are_held_against_what_was_said_of_it():
    verdicts = [
        said("go", 10, chance=0.1), said("go", 20, chance=0.3), said("go", 30, chance=0.5),
        said("unknown", 40, chance=None), said("hold", 50, chance=0.4),
    ]  # fmt: skip
    deployments = [
        shipped(10), shipped(20, is_failed=True), shipped(30, is_settled=False),
        shipped(40, is_failed=True), shipped(50),
    ]  # fmt: skip
    record = gate_record(verdicts, deployments)
    go, against = record.after_go, record.against

    assert (go.deployments, go.ended.n, go.ended.failures, go.ended.rate) == (3, 2, 1, 0.5)
    assert (go.n_expected, go.expected_failures) == (2, 0.4)
    assert go.ended.low == pytest.approx(0.0945, abs=1e-4)
    assert (against.deployments, against.ended.failures, against.n_expected, against.expected_failures) == (
        2,
        1,
        1,
        0.4,
    )
    assert record.sentence == (
        "The gate said go 3 times, hold 1 time and unknown 1 time: after a go 1 of 2 settled deployments failed "
        "(0.4 expected), against it 1 of 2 settled deployments failed (0.4 expected of 1); none waited for a hold to "
        "pass."
    )


def held(days, costs):
    """Each day a hold at nine, another at ten, a go at twenty past noon and a deployment right after it."""
    verdicts, deployments = [], []
    for day in range(days):
        at_nine, at_noon = 24 * day + 9, 24 * day + 12
        priced = {at_nine: costs[0], at_nine + 1: 3.0, at_noon: costs[1]}
        verdicts += [
            said("hold", at_nine, costs=priced), said("hold", at_nine + 1, costs=priced), said("go", at_noon + 1 / 3)
        ]  # fmt: skip
        deployments.append(shipped(at_noon + 0.4))
    return gate_record(verdicts, deployments)


def test_waiting_is_worth_the_cost_at_the_first_hold_less_that_of_the_start_taken():
    record = held(7, (1.6, 0.9))

    assert (record.waited, record.saved.n) == (7, 7)
    assert record.saved.mean == pytest.approx(0.7)
    assert "7 waited for a hold to pass: they were expected to cost 0.70 (0.70 to 0.70) of the usual less." in (
        record.sentence
    )


def test_waiting_may_have_cost_more_and_of_few_nothing_is_said():
    assert held(6, (0.5, 1.0)).saved.mean == pytest.approx(-0.5)
    few = held(5, (1.6, 0.9))
    assert (few.waited, few.saved) == (5, None)
    assert few.sentence.endswith("5 waited for a hold to pass, and what that was worth takes at least 6 of them.")


def test_a_hold_of_the_last_minutes_before_the_first_quarter_hour_has_the_cost_of_its_hour():
    week = Outlook(start=MONDAY, relative_costs=(2.0, 1.0))

    found = [week.cost_at(MONDAY + minutes * HOUR / 60) for minutes in (-15, -14, 0, 59, 60, 120)]
    assert found == [None, 2.0, 2.0, 2.0, 1.0, None]


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(["go", "hold", "unknown"]), st.integers(0, 40), st.integers(0, 3)), max_size=12),
    st.lists(st.integers(0, 44), max_size=8),
)
def test_each_deployment_is_in_one_group_at_most_and_what_comes_later_changes_none(asked, started):
    """All that lies in quarter hours, so that limits are met often."""
    verdicts = [said(word, at / 4, asked=(at - ahead) / 4) for word, at, ahead in asked]
    deployments = [shipped(at / 4) for at in sorted(started)]
    before = [one for one in verdicts if one.start <= MONDAY + 5 * HOUR]
    early = [one for one in deployments if one[2] <= (MONDAY + 5 * HOUR).replace(tzinfo=None)]

    record = gate_record(verdicts, deployments)
    if record is not None:
        go, against, waited = counts(record)
        assert go + against <= len(deployments)
        assert waited + against <= len(deployments)
        assert record.go + record.hold + record.unknown == len(verdicts)
    if before:
        assert counts(gate_record(before, early)) == counts(gate_record(verdicts, early))

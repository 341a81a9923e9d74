"""The story of one deployment, as it was known."""

from datetime import UTC, datetime, timedelta

import pytest
from shipped import HOSTILE, NOW

from shipcast.answers.advice import FILE, Advice, AdvisedStart, add_lines
from shipcast.answers.deployment import Leads, story
from shipcast.answers.errors import UnknownName
from shipcast.answers.metrics import metrics
from shipcast.answers.reading import Reader, open_reader

HOUR = timedelta(hours=1)
STARTED = datetime(2025, 1, 9, 15, tzinfo=UTC)


def told(found):
    return [(f"{event.at:%d %H:%M}", event.what) for event in found.events]


def test_an_incident_makes_it_fail_and_ends_its_recovery(shipped_reader):
    found = story(shipped_reader, "hurt")

    assert found.sentence == (
        "hurt shipped web to production on Thu 9 Jan 10:00 (America/New_York), took 10 min and failed, restored after "
        "2.0 h."
    )
    assert told(found) == [
        ("09 15:00", "started"),
        ("09 15:10", "ended: landed"),
        ("09 15:30", "incident i1 began"),
        ("09 17:10", "incident i1 was resolved"),
        ("09 17:10", "counts as failed from here on"),
    ]
    assert "It counts as failed, once, because 1 incident is laid to it." in found.counted


def test_its_recovery_is_the_one_that_the_metrics_have(shipped_reader):
    [item] = metrics(shipped_reader, service="web", metric="failed_deployment_recovery").items

    assert story(shipped_reader, "hurt").recovery_hours == item.value == 2.0


def test_one_that_was_taken_back_says_by_which_and_when(shipped_reader):
    found = story(shipped_reader, "taken_back")

    assert (found.facts.rolled_back_by, found.facts.is_failed) == ("takes_back", True)
    assert ("08 09:05", "was known to be rolled back by takes_back") in told(found)
    assert "It has no recovery time, since no incident is laid to it." in found.counted
    assert "It counts as rework: it rolls back taken_back." in story(shipped_reader, "takes_back").counted


def test_lead_times_end_with_the_first_that_lands(shipped_reader):
    """What `broke` carried went live with the next that landed and is no rollback."""
    held, broke, next_one = (story(shipped_reader, name) for name in ("held", "broke", "taken_back"))

    assert [(one.change_id, one.lead_hours) for one in held.changes] == [("c3", 48.0), ("c1", 24.0)]
    assert held.leads == Leads(2, 2, 36.0)
    assert broke.changes == ()
    assert [(one.change_id, one.live_by, one.lead_hours) for one in next_one.changes] == [("c2", "taken_back", 26.0)]
    [lead] = metrics(shipped_reader, service="pay", metric="lead_time").items
    assert lead.value == sorted([48.0, 24.0, 26.0])[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("runs", "It is left out of every rate while it runs."),
        ("called_off", "It is left out of every rate, since it was cancelled."),
        ("tried", "It counts only where staging is asked about by name: it was completed there, and that is not "
                  "production."),
        ("held", "It counts in every rate of production: it was completed in production."),
    ],
)  # fmt: skip
def test_what_it_counts_as_is_said_first(shipped_reader, name, said):
    assert story(shipped_reader, name).counted[0] == said


def test_a_recent_success_may_still_change(shipped_reader):
    found = story(shipped_reader, HOSTILE)

    assert not found.facts.is_settled
    assert found.counted[1] == (
        "It counts as not failed so far: an incident or a rollback may still change that; it settles on Thu 13 Mar "
        "11:10."
    )


def test_nothing_is_told_that_came_later(shipped_home):
    with open_reader(shipped_home, STARTED + HOUR) as earlier:
        found = story(earlier, "hurt")

    assert (found.facts.is_failed, found.incidents, found.recovery_hours) == (False, (), None)
    assert told(found) == [("09 15:00", "started"), ("09 15:10", "ended: landed")]
    with open_reader(shipped_home, STARTED - HOUR) as before, pytest.raises(UnknownName):
        story(before, "hurt")


def test_while_it_ran_its_end_and_status_were_not_known(shipped_home):
    with open_reader(shipped_home, datetime(2025, 1, 7, 8, 5, tzinfo=UTC)) as earlier:
        found = story(earlier, "broke")

    assert (found.facts.status, found.facts.finished_at) == ("running", None)
    assert found.sentence.endswith("and is still running.")


def test_one_that_is_not_known_is_refused_with_those_that_read_alike(shipped_reader):
    with pytest.raises(UnknownName) as refused:
        story(shipped_reader, "taken_bak")

    assert "taken_back" in (refused.value.next_step or "")


def test_what_had_been_advised_is_told_and_whether_it_was_followed(shipped_home, tmp_path):
    start = AdvisedStart(start=STARTED, end=STARTED + HOUR, failure_probability=0.03, relative_cost=0.4)
    advice = Advice(
        verb="windows", service="web", environment="production", as_of=STARTED - 3 * HOUR, until=STARTED + 200 * HOUR,
        verdict="recommend", starts=(start,),
    )  # fmt: skip
    add_lines(tmp_path / FILE, [advice.model_dump_json()])
    with open_reader(shipped_home, NOW) as shipped_reader:
        told_of = Reader(shipped_reader.connection, shipped_home.model_copy(update={"home": tmp_path}), NOW)
        followed, unadvised = story(told_of, "hurt").advice, story(told_of, "held").advice

    assert followed == (
        "`windows` was asked at Thu 9 Jan 07:00 (America/New_York) and advised Thu 9 Jan 10:00 (about 3 in 100 would "
        "fail).",
        "This start followed it, expected to cost 40 % of the usual.",
    )
    assert unadvised == ()

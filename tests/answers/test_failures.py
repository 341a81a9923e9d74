"""Failures by hour, size and type: the same deployments that `metrics` counts, each in one group of every kind."""

from datetime import UTC, datetime, timedelta

import pytest
from company import COMPANY, CUT

from shipcast.answers.deployment_list import deployment_list
from shipcast.answers.errors import UnknownName
from shipcast.answers.failures import failures
from shipcast.answers.metrics import metrics
from shipcast.answers.reading import open_reader

DAY = timedelta(days=1)
SCOPES = [
    {},
    {"service": "pay"},
    {"environment": "staging"},
    {"period_from": datetime(2025, 1, 7, tzinfo=UTC), "period_to": datetime(2025, 1, 9, tzinfo=UTC)},
]


def counts(groups):
    return {group.name: (group.n, group.failed) for group in groups if group.n}


def totals(shipped_reader, **asked):
    """What `metrics` says: counted, failed, rolled back."""
    items = {item.metric: item for item in metrics(shipped_reader, **asked).items}
    failed = items["change_failure_rate"]
    return failed.n, failed.numerator, items["rollback_rate"].numerator, failed.censored


@pytest.mark.parametrize("asked", SCOPES)
def test_as_many_were_counted_failed_and_rolled_back_as_the_metrics_say(shipped_reader, asked):
    whole = failures(shipped_reader, **asked).whole

    assert (whole.n, whole.failed, whole.rolled_back, whole.unsettled) == totals(shipped_reader, **asked)
    assert deployment_list(shipped_reader, kind="counted", **asked).total == whole.n
    assert deployment_list(shipped_reader, kind="failed", **asked).total == whole.failed
    assert deployment_list(shipped_reader, kind="rolled back", **asked).total == whole.rolled_back


@pytest.mark.parametrize("days", [0, 40, 150])
def test_so_it_is_of_hundreds_of_deployments_at_any_instant(built_once, days):
    with open_reader(built_once("page_company", COMPANY), CUT - days * DAY) as shipped_reader:
        found = failures(shipped_reader)

        assert found.whole.n > 50
        assert (found.whole.n, found.whole.failed, found.whole.rolled_back) == totals(shipped_reader)[:3]
        for groups in (found.hours, found.days, found.sizes, found.types):
            assert sum(group.n for group in groups) == found.whole.n
            assert sum(group.failed for group in groups) == found.whole.failed


def test_hours_are_those_of_each_services_clock(shipped_reader):
    found = failures(shipped_reader)

    assert counts(found.hours) == {
        "Mon 09:00": (1, 0),
        "Tue 09:00": (1, 1),
        "Wed 09:00": (1, 1),
        "Wed 10:00": (1, 0),
        "Thu 10:00": (2, 1),  # 15:00 in UTC, in New York
    }
    assert found.zones == ("America/New_York", "Europe/Berlin")
    assert found.sparse == 5


def test_sizes_and_types_name_what_is_not_known_last(shipped_reader):
    found = failures(shipped_reader)

    assert [group.name for group in found.types] == ["emergency", "normal", "standard", "not known"]
    assert counts(found.types)["normal"] == (2, 2)
    assert counts(found.sizes) == {
        "small: up to 50 lines": (1, 0),
        "medium: up to 250 lines": (2, 2),
        "large: more than 250 lines": (1, 1),
        "not known": (2, 0),
    }


def test_the_sentence_says_how_many_how_sure_and_when_the_last(shipped_reader):
    assert failures(shipped_reader).sentence == (
        "3 of 6 deployments to production failed from 6 Jan 2025 to 28 Feb 2025 (50 %, 19 % to 81 %), 1 of them rolled "
        "back; the last was known at Thu 9 Jan 17:10 (UTC)."
    )
    assert failures(shipped_reader, period_from=datetime(2025, 2, 1, tzinfo=UTC)).sentence == (
        "None of 1 deployment to production failed from 1 Feb 2025 to 28 Feb 2025: at most 79 % do."
    )


def test_what_was_not_known_yet_is_no_failure(shipped_home):
    with open_reader(shipped_home, datetime(2025, 1, 9, 16, tzinfo=UTC)) as earlier:
        found = failures(earlier)

    assert (found.whole.failed, found.last_at) == (2, datetime(2025, 1, 8, 9, 5, tzinfo=UTC))


def test_a_name_that_is_not_known_is_refused(shipped_reader):
    with pytest.raises(UnknownName):
        failures(shipped_reader, service="nobody")

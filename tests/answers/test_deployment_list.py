"""The deployments behind a number: which they are, and what came of them."""

from datetime import UTC, datetime

import pytest
from shipped import HOSTILE

from shipcast.answers.deployment_list import BEHIND, KINDS, deployment_list
from shipcast.answers.metrics import METRICS, metrics
from shipcast.answers.reading import open_reader
from shipcast.settings.errors import UsageError


def names(found):
    return [one.deployment_id for one in found.items]


def test_each_kind_lists_its_own_the_newest_first(shipped_reader):
    found = {kind: names(deployment_list(shipped_reader, kind=kind)) for kind in KINDS}

    assert found == {
        "all": ["runs", HOSTILE, "called_off", "hurt", "takes_back", "taken_back", "broke", "held"],
        "counted": [HOSTILE, "hurt", "takes_back", "taken_back", "broke", "held"],
        "landed": [HOSTILE, "hurt", "takes_back", "taken_back", "held"],
        "failed": ["hurt", "taken_back", "broke"],
        "rolled back": ["taken_back"],
        "rework": [HOSTILE, "takes_back"],
        "unsettled": [HOSTILE],
        "left out": ["runs", "called_off"],
    }


def test_what_a_metric_counts_is_as_long_a_list_as_its_number(shipped_reader):
    items = {item.metric: item for item in metrics(shipped_reader).items}

    for metric, kind in BEHIND.items():
        item = items[metric]
        if item.numerator is not None and item.unit in ("share", "per day") and metric != "success_rate":
            assert deployment_list(shipped_reader, kind=kind).total == item.numerator, metric
    assert BEHIND.keys() <= METRICS.keys()


def test_a_failure_by_an_incident_names_it_and_how_long_it_took(shipped_reader):
    [hurt] = [one for one in deployment_list(shipped_reader, kind="failed").items if one.deployment_id == "hurt"]

    assert (hurt.incidents, hurt.restore_hours, hurt.is_open) == (("i1",), 2.0, False)


def test_before_its_incident_was_resolved_nothing_was_laid_to_it(shipped_home):
    with open_reader(shipped_home, datetime(2025, 1, 9, 16, tzinfo=UTC)) as earlier:
        [hurt] = deployment_list(earlier, service="web", kind="counted").items

    assert (hurt.is_failed, hurt.incidents, hurt.restore_hours, hurt.is_unsettled) == (False, (), None, True)


def test_a_kind_that_there_is_not_is_refused(shipped_reader):
    with pytest.raises(UsageError, match="rolled back"):
        deployment_list(shipped_reader, kind="lost")

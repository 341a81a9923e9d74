"""What is explained where nobody said what: the service deployed most, at its best start."""

from datetime import timedelta

import pytest
from company import COMPANY, CUT

from shipcast.answers.explain import explain
from shipcast.answers.reading import open_reader
from shipcast.answers.usual import most_deployed
from shipcast.answers.why import offered, shipped
from shipcast.answers.windows import windows

HALF_HOUR = timedelta(minutes=30)


@pytest.fixture(scope="module")
def reader(built_once):
    with open_reader(built_once("page_company", COMPANY), CUT) as reader:
        yield reader


def test_the_service_deployed_most_is_one_that_was_deployed(reader):
    assert most_deployed(reader) in ("pay", "web")
    assert most_deployed(reader, environment="nowhere") is None


def test_the_start_offered_is_the_first_that_windows_gives(reader):
    found = offered(reader, "web", duration=HALF_HOUR, lines=50)

    [best] = windows(reader, "web", duration=HALF_HOUR, lines=50, top=1).items
    assert (found.start, found.is_best) == (best.start, True)


def test_past_starts_are_those_that_the_explanation_rests_on(reader):
    hours = shipped(reader, "web")

    answer = explain(reader, "web", at=CUT)
    assert [one.hour for one in hours] == list(range(168))
    assert (sum(one.n for one in hours), sum(one.failed for one in hours)) == (answer.n, answer.failures)

"""Environments on the page: the numbers are those of `metrics`."""

import pytest
from drawing import drawn, headline, is_broken, words
from places import AS_OF, PLACES, SINCE, UNUSED

from shipcast.answers.metrics import metrics
from shipcast.answers.reading import open_reader
from shipcast.answers.words import share


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("places", PLACES)


def test_the_idle_share_is_that_of_metrics(home):
    page = drawn(home, "environments", AS_OF, period="All there is")
    with open_reader(home, AS_OF) as reader:
        answer = metrics(reader, metric="environment_idle", by="environment")

    assert not is_broken(page), words(page)
    assert "stood idle for" in headline(page)
    text = " ".join(words(page).split())
    for item in answer.items:
        assert f"{item.environment} " in text
        assert f" {share(item.value)} " in text


def test_one_that_is_chosen_is_shown_alone(home):
    page = drawn(home, "environments", AS_OF, environment="qa", period="All there is")

    assert headline(page).startswith("1 environment stood idle")
    assert UNUSED not in words(page)


def test_a_period_before_all_records_is_not_called_idle(home):
    page = drawn(home, "environments", SINCE)

    assert not is_broken(page)
    assert "idle for 100 %" not in headline(page)

"""One deployment, drawn."""

from dataclasses import replace

import pytest
from drawing import drawn, empties, headline, html, is_broken, words
from shipped import HOSTILE, NOW, TABLES

from shipcast.answers.deployment import story
from shipcast.answers.reading import open_reader
from shipcast.dashboards.charts.deployment import span_rows


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("shipped", TABLES)


@pytest.mark.parametrize("name", ["hurt", "taken_back", "runs", "tried", HOSTILE])
def test_the_page_tells_its_story(home, name):
    page = drawn(home, "deployment", NOW, deployment=name)

    with open_reader(home, NOW) as reader:
        found = story(reader, name)
    assert headline(page) == found.sentence
    assert all(said in words(page) for said in found.counted)
    assert not is_broken(page)


def test_a_deployment_is_drawn_to_its_end_as_an_instant_where_none_is_recorded_and_to_now_while_it_runs(home):
    with open_reader(home, NOW) as reader:
        held, runs = story(reader, "held"), story(reader, "runs")
    instant = held.facts.model_copy(update={"finished_at": None, "completed_at": held.facts.started_at})
    of = [span_rows(one, "UTC", NOW)[0] for one in (held, replace(held, facts=instant), runs)]

    assert [(row["is_instant"], row["said"]) for row in of] == [
        (False, "Mon 6 Jan 08:00 to Mon 6 Jan 08:10"),
        (True, "Mon 6 Jan 08:00"),
        (False, "since Fri 28 Feb 23:50"),
    ]


def test_a_story_leads_on_to_what_it_names(home):
    assert 'href="deployment?deployment=takes_back"' in html(drawn(home, "deployment", NOW, deployment="taken_back"))


def test_without_an_id_there_is_a_choice(home):
    page = drawn(home, "deployment", NOW, period="All there is")

    assert headline(page) == "Choose one of 8 deployments: the last started at Fri 28 Feb 23:50 (UTC)."


def test_an_id_that_is_not_known_is_refused_with_those_that_read_alike(home):
    page = drawn(home, "deployment", NOW, deployment="takn_back")

    assert headline(page) == "No such deployment was known."
    assert empties(page) == ["unknown"]
    assert "taken_back" in words(page)

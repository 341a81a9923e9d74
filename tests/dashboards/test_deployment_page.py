"""One deployment, drawn."""

import pytest
from drawing import drawn, empties, headline, html, is_broken, words
from shipped import HOSTILE, NOW, TABLES

from shipcast.answers.deployment import story
from shipcast.answers.reading import open_reader


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

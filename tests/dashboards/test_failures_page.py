"""Failures and rollbacks, drawn: the numbers are the answers', and each deployment leads to its story."""

from datetime import UTC, datetime

import pytest
from drawing import drawn, empties, headline, html, is_broken, words
from shipped import HOSTILE, NOW, TABLES

from shipcast.answers.failures import failures
from shipcast.answers.reading import open_reader

WHOLE = "All there is"


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("shipped", TABLES)


def test_the_headline_and_the_list_are_the_answers(home):
    page = drawn(home, "failures", NOW, period=WHOLE)

    with open_reader(home, NOW) as reader:
        assert headline(page) == failures(reader).sentence
    assert not is_broken(page)
    listed = html(page)
    assert [name in listed for name in (">hurt<", ">taken_back<", ">broke<", ">held<")] == [True, True, True, False]
    assert 'href="deployment?period=All+there+is&amp;deployment=hurt"' in listed


def test_none_that_happened_is_told_from_nothing_known(home):
    none = drawn(home, "failures", NOW, period="4 weeks")
    nothing = drawn(home, "failures", datetime(2025, 1, 6, tzinfo=UTC))

    assert "None of 1 deployment" in headline(none)
    assert empties(none)[0] == "none"
    assert empties(nothing) == ["unknown"]
    assert "none can have failed" in headline(nothing)


def test_what_is_filtered_away_is_said_with_a_button(home):
    page = drawn(home, "failures", NOW, period="4 weeks", service="pay")

    assert empties(page) == ["filtered"]


def test_rollbacks_alone_can_be_looked_at(home):
    page = drawn(home, "failures", NOW, period=WHOLE, measure="Rolled back")

    assert ">taken_back<" in html(page)
    assert ">broke<" not in html(page)


def test_a_number_of_delivery_leads_to_the_deployments_behind_it(home):
    page = drawn(home, "delivery", NOW, period=WHOLE, rows="All of the period")

    assert not is_broken(page)
    assert "deployment=%3Cb%3Ed%269" in html(page)
    assert HOSTILE not in html(page)
    assert HOSTILE in words(page)
    assert 'href="delivery?period=All+there+is&amp;service=web&amp;metric=' in html(page)

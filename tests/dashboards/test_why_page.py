"""Why this window, drawn: the answer that `explain` gives for what the address says."""

from datetime import timedelta

import pytest
from company import COMPANY, CUT
from drawing import drawn, empties, headline, is_broken, words
from shipped import TABLES

from shipcast.answers.explain import explain
from shipcast.answers.reading import open_reader
from shipcast.dashboards.charts.why import steps

AT = CUT + timedelta(hours=30)


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("page_company", COMPANY)


@pytest.fixture(scope="module")
def answer(home):
    with open_reader(home, CUT) as reader:
        return explain(reader, "web", at=AT, duration=timedelta(minutes=20), lines=400)


@pytest.fixture(scope="module")
def page(home):
    return drawn(home, "why", CUT, service="web", at=AT.isoformat(), duration="20", lines="400")


def test_the_page_says_what_explain_says(page, answer):
    assert headline(page) == answer.sentence
    assert all(said in words(page) for said in answer.explanation)
    assert not is_broken(page)


def test_the_steps_end_at_the_cost_of_the_start(answer):
    [item] = answer.items
    first, *between, last = steps(item)

    assert first["to"] == 1
    assert [row["to"] for row in between][-1] == last["to"] == pytest.approx(item.relative_cost, abs=1e-12)
    assert all(row["from"] == before["to"] for before, row in zip([first, *between], between, strict=False))


def test_the_address_is_in_the_widgets_and_what_is_changed_in_them_in_the_address(page, home, answer):
    assert page.time_input(key="why-time").value.strftime("%H:%M") == f"{AT:%H:%M}"
    changed = drawn(home, "why", CUT, service="web", at=AT.isoformat(), duration="20", lines="400")

    changed.button(key="why-calmer-lines").click().run()

    assert changed.query_params["lines"] == str(answer.to_be_calmer.lines)
    assert changed.number_input(key="why-lines").value == answer.to_be_calmer.lines


def test_where_nothing_is_asked_the_page_says_what_it_chose(home):
    page = drawn(home, "why", CUT)

    assert "the best start of the coming week" in words(page)
    assert "is the service deployed most lately" in words(page)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"at": "yesterday"}, "at must be a time"),
        ({"at": "2020-01-01T00:00Z"}, "before the time of the question"),
        ({"lines": "-3"}, "lines must be a whole number"),
        ({"type": "odd"}, "type of change"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_in_words(home, address, said):
    page = drawn(home, "why", CUT, service="web", **address)

    assert headline(page) == "That start of web cannot be explained."
    assert empties(page) == ["unknown"]
    assert said in words(page)


def test_before_anything_was_known_there_is_nothing_to_explain(built_once):
    page = drawn(built_once("shipped", TABLES), "why", CUT - timedelta(days=400))

    assert headline(page) == "No service was deployed here yet, so there is no start to explain."

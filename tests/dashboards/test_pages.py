"""Every page, drawn on awkward data: nothing breaks, and what is empty says why."""

import altair as alt
import pytest
from company import CUT
from drawing import charts, drawn, empties, headline, is_broken, words

from shipcast.dashboards.frame import PAGES
from shipcast.settings import Settings


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_one_sentence_no_part_of_it_breaks_and_its_charts_keep_the_schema(page_home, path):
    page = drawn(page_home, path, CUT)

    assert not is_broken(page), words(page)
    assert headline(page).endswith(".")
    for chart in charts(page):
        alt.Chart.from_dict(chart)  # refuses what the schema of Vega-Lite does not know


@pytest.mark.parametrize("path", PAGES)
def test_without_a_snapshot_a_page_says_what_to_do(tmp_path, path):
    page = drawn(Settings(home=tmp_path), path)

    assert not page.exception
    assert headline(page) == "Nothing is published here yet."
    assert empties(page) == ["unknown"]
    assert "shipcast ingest files DIR" in words(page)


def test_the_best_windows_say_why_they_are_of_that_service(page_home):
    of_all, of_one = drawn(page_home, "outlook", CUT), drawn(page_home, "outlook", CUT, service="web")

    assert "is the service deployed most lately; the filter chooses another." in words(of_all)
    assert "deployed most lately" not in words(of_one)


def test_what_is_no_time_is_said_to_be_none(page_home):
    page = drawn(page_home, "delivery", as_of="soon")

    assert headline(page) == "This cannot be asked."
    assert "Got 'soon' instead. Change it in the filters above." in words(page)
    assert empties(page) == ["unknown"]


def test_a_name_in_the_address_that_nothing_has_is_said_to_be_left_out(page_home):
    page = drawn(page_home, "delivery", CUT, service="<b>nope", environment="production", team="All")

    assert "Nothing known here is called so, and the filter was left out: service <b>nope." in words(page)
    assert "called so" not in words(drawn(page_home, "delivery", CUT, service="web"))


@pytest.mark.parametrize("as_of", ["0001-01-01", "9999-12-31", "x" * 10_000])
def test_a_time_that_cannot_be_asked_about_is_refused_on_every_page(page_home, as_of):
    for path in PAGES:
        page = drawn(page_home, path, as_of=as_of)

        assert not is_broken(page), path
        assert headline(page) == "This cannot be asked."
        assert "x" * 100 not in words(page)


def test_own_dates_that_do_not_follow_each_other_are_refused_and_the_last_day_counts(page_home):
    turned = drawn(page_home, "delivery", CUT, period="Own dates", **{"from": "2025-05-20", "to": "2025-05-10"})
    one_day = drawn(page_home, "delivery", CUT, period="Own dates", **{"from": "2025-05-20", "to": "2025-05-20"})

    assert "must begin before it ends. Got 2025-05-20 to 2025-05-10" in words(turned)
    assert "from 20 May 2025 to 20 May 2025" in headline(one_day)


def test_nothing_is_compared_with_a_time_of_which_nothing_is_known(page_home):
    page = drawn(page_home, "delivery", CUT, period="52 weeks")

    assert "Not compared with the time before: nothing is known from before" in words(page)
    assert "better" not in words(page)
    assert "worse" not in words(page)


def test_a_calendar_that_cannot_be_used_hides_nothing_but_what_rests_on_it(own_home):
    (own_home.home / "calendar.toml").write_text("[[reserve", encoding="utf-8")
    page = drawn(own_home, "outlook", CUT)

    assert "deployments completed in production" in headline(page)
    assert "Change failure rate" in words(page)
    assert "calendar.toml" in words(page)
    assert not is_broken(page)


@pytest.mark.parametrize("name", ["minutes", "lines", "files"])
def test_a_number_without_end_is_none_of_the_form(page_home, name):
    page = drawn(page_home, "plan", CUT, service="web", **{name: "1e999"})

    assert not is_broken(page)
    assert headline(page).endswith(".")

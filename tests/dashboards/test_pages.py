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


def test_what_is_no_time_is_said_to_be_none(page_home):
    page = drawn(page_home, "delivery", as_of="soon")

    assert headline(page) == "This cannot be asked."
    assert "Got 'soon' instead. Change it in the filters above." in words(page)
    assert empties(page) == ["unknown"]

"""How a metric and its change are said on the page."""

from dataclasses import replace

import pytest
from company import CUT

from shipcast.answers.comparison import changes
from shipcast.answers.metrics import metrics
from shipcast.answers.reading import open_reader
from shipcast.dashboards.metric_words import change_said


@pytest.mark.parametrize(
    ("verdict", "difference", "said"),
    [
        ("worse", 0.02, "▲ worse (before: "),
        ("better", -0.02, "▼ better (before: "),
        ("no clear change", 0.02, "≈ no clear change (before: "),
        ("not enough data", None, "? not enough data (before: "),
    ],
)
def test_a_mark_shows_which_way_a_metric_went_and_the_word_whether_that_is_good(page_home, verdict, difference, said):
    with open_reader(page_home, CUT) as reader:
        found = metrics(reader).items
    change = changes(found, found)["change_failure_rate"]

    assert change_said(replace(change, verdict=verdict, difference=difference)).startswith(said)

"""Better or worse, by the interval of the difference."""

import numpy as np
import pytest
from company import COMPANY, CUT
from hypothesis import given
from hypothesis import strategies as st

from shipcast.answers.comparison import HIGHER_IS_BETTER, changes, difference
from shipcast.answers.metrics import metrics
from shipcast.answers.reading import open_reader
from shipcast.answers.statistics import wilson

COUNTS = st.tuples(st.integers(0, 400), st.integers(1, 400)).map(lambda pair: (min(pair), max(pair)))


def share(events, trials):
    return (events / trials, *wilson(events, trials))


@pytest.mark.parametrize(
    ("now", "before", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_of_shares_it_is_the_interval_that_newcombe_published(now, before, low, high):
    assert difference(share(*now), share(*before))[1:] == pytest.approx((low, high), abs=1e-4)


@given(COUNTS, COUNTS)
def test_the_other_way_round_it_is_the_same_with_its_sign_turned(now, before):
    value, low, high = difference(share(*now), share(*before))

    assert low <= value <= high
    assert difference(share(*before), share(*now)) == pytest.approx((-value, -high, -low))


def test_it_holds_the_true_difference_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    now, before = rng.binomial(120, 0.15, 2000), rng.binomial(90, 0.08, 2000)
    found = [difference(share(int(a), 120), share(int(b), 90)) for a, b in zip(now, before, strict=True)]

    assert 0.93 < np.mean([low <= 0.07 <= high for _, low, high in found]) < 0.98


def test_nothing_is_said_of_what_is_not_known():
    assert difference(None, share(1, 10)) is None
    assert difference(share(1, 10), None) is None


@pytest.fixture
def items(built_once):
    with open_reader(built_once("page_company", COMPANY), CUT) as reader:
        return metrics(reader).items


def shifted(items, name, by):
    return [
        item.model_copy(update={"value": item.value + by, "low": item.low + by, "high": item.high + by})
        if item.metric == name
        else item
        for item in items
    ]


@pytest.mark.parametrize(
    ("by", "verdict"), [(0.0, "no clear change"), (0.3, "worse"), (-0.3, "better"), (0.01, "no clear change")]
)
def test_fewer_failures_are_better_and_only_where_the_interval_says_so(items, by, verdict):
    found = changes(shifted(items, "change_failure_rate", by), items)

    assert found["change_failure_rate"].verdict == verdict
    assert found["lead_time"].verdict == "not enough data"


def test_of_counts_nothing_is_called_better(items):
    assert set(changes(items, items)) == set(HIGHER_IS_BETTER)

"""Intervals against their definitions, worked out exactly."""

from fractions import Fraction
from math import comb, exp, factorial

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaincinv

from shipcast.answers.statistics import expected_events, garwood, median_rank, median_rank_sql, wilson


def test_nothing_tried_has_no_interval():
    assert wilson(0, 0) is None
    assert garwood(0, 0) is None


def test_none_of_forty_failed_means_at_most_nine_in_a_hundred():
    low, high = wilson(0, 40)

    assert low == 0
    assert high == pytest.approx(0.0876, abs=1e-4)


def test_wilson_is_symmetric_and_known():
    assert wilson(5, 10) == (pytest.approx(0.236593, abs=1e-6), pytest.approx(0.763407, abs=1e-6))


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_and_that_in_0_to_1(counts):
    events, trials = counts
    low, high = wilson(events, trials)

    assert 0 <= low <= events / trials <= high <= 1
    assert low < high


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)])
def test_garwood_agrees_with_the_published_table(events, low, high):
    assert garwood(events, 1) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(st.floats(0.05, 1e6), st.sampled_from([0.025, 0.5, 0.975]))
def test_expected_events_are_those_of_scipy(least, chance):
    assert expected_events(least, chance) == pytest.approx(gammaincinv(least, 1 - chance), rel=1e-10)


@given(st.integers(1, 60))
def test_at_garwoods_limits_what_was_seen_is_just_unlikely(events):
    low, high = garwood(events, 1)

    def at_most(k, mean):
        return sum(exp(-mean) * mean**i / factorial(i) for i in range(k + 1))

    assert 1 - at_most(events - 1, low) == pytest.approx(0.025)
    assert at_most(events, high) == pytest.approx(0.025)


def exact_rank(n):
    """The largest k for which at most k - 1 heads in n throws have a chance of 2.5 % or less."""
    total, k = Fraction(0), 0
    while (total := total + Fraction(comb(n, k), 2**n)) <= Fraction(1, 40):
        k += 1
    return k


def test_median_ranks_are_those_of_a_fair_coin():
    assert [median_rank(n) for n in range(6)] == [None] * 6
    assert {n: median_rank(n) for n in range(6, 400)} == {n: exact_rank(n) for n in range(6, 400)}
    assert [median_rank(n) for n in (1000, 4321)] == [exact_rank(1000), exact_rank(4321)]


def test_the_same_ranks_in_sql():
    query = f"select n, {median_rank_sql('n')} from (select unnest(range(3000)) as n)"

    assert duckdb.sql(query).fetchall() == [(n, median_rank(n)) for n in range(3000)]

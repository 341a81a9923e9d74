"""Kaplan-Meier and the log-rank test against published numbers, and against counting where nothing is censored."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcast.answers.statistics import at_most, false_discoveries, wilson
from shipcast.answers.survival import Survival, log_rank


def lasting(text):
    """Lengths of time, those still going on marked with a plus."""
    words = text.split()
    lasted = np.array([float(word.rstrip("+")) for word in words])
    return Survival.of(lasted, np.array([not word.endswith("+") for word in words]))


# Weeks of remission in the trial of Freireich and others (1963), which textbooks work out.
TREATED = lasting("6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+")
PLACEBO = lasting("1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23")


def test_shares_and_medians_are_those_of_the_textbook():
    shares = dict(zip(TREATED.lengths.tolist(), TREATED.shares().tolist(), strict=True))

    assert shares == pytest.approx(
        {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}, abs=5e-4
    )
    assert (TREATED.median(), PLACEBO.median()) == (23, 8)


def test_the_log_rank_test_is_that_of_the_textbook():
    assert log_rank([TREATED, PLACEBO]) == pytest.approx(4.17e-5, rel=0.01)  # chi-squared 16.79
    assert log_rank([TREATED, TREATED]) == pytest.approx(1)
    assert log_rank([TREATED]) is None


def test_three_groups_of_one_kind_differ_in_one_of_twenty_worlds():
    rng = np.random.default_rng(1)

    def group():
        lasts, watched = rng.exponential(10, 50), rng.exponential(30, 50)
        return Survival.of(np.minimum(lasts, watched), lasts <= watched)

    said = sum(log_rank([group(), group(), group()]) < 0.05 for _ in range(400))

    assert 8 <= said <= 34  # 20 on average; beyond with a chance of 1 in 500


lengths = st.lists(st.integers(1, 12), min_size=12, max_size=40)


@given(lengths, st.integers(0, 10), st.integers(1, 12))
def test_with_nothing_open_a_chance_is_a_share_of_those_that_lasted_longer(lasted, waited, more):
    found = Survival.of(np.array(lasted, dtype=float), np.ones(len(lasted), dtype=bool)).ends_by(
        waited, waited + more, 1
    )
    longer = [one for one in lasted if one > waited]
    by_then = sum(one <= waited + more for one in longer)

    if not longer:
        assert found is None
        return
    assert found.n == len(longer)
    assert found.value == pytest.approx(by_then / len(longer))
    assert (found.low, found.high) == pytest.approx(wilson(by_then, len(longer)), abs=1e-6)


@given(lengths, st.data())
def test_the_share_that_lasts_is_the_product_of_what_is_left_at_each_step(lasted, data):
    has_ended = data.draw(st.lists(st.booleans(), min_size=len(lasted), max_size=len(lasted)))
    found = Survival.of(np.array(lasted, dtype=float), np.array(has_ended))
    left, expected = Fraction(1), {}
    for length in sorted({one for one, ended in zip(lasted, has_ended, strict=True) if ended}):
        ended = sum(one == length and end for one, end in zip(lasted, has_ended, strict=True))
        left *= 1 - Fraction(ended, sum(one >= length for one in lasted))
        expected[length] = left

    assert dict(zip(found.lengths.tolist(), found.shares(), strict=True)) == pytest.approx(
        {length: float(share) for length, share in expected.items()}
    )
    assert found.median() == next((length for length, share in expected.items() if share <= Fraction(1, 2)), None)


def test_a_chance_takes_enough_that_lasted_longer_and_as_long():
    found = lasting("1 2 3 4 5 6 7 8 9 10+")

    assert found.ends_by(4, 6, fewest=6).value == pytest.approx(2 / 6)
    assert found.ends_by(4, 6, fewest=7) is None
    assert found.ends_by(4, 10, fewest=6).n == 6
    assert found.ends_by(4, 11, fewest=6) is None  # whether the last ends by then, nobody knows


def test_what_is_still_open_makes_a_chance_less_sure():
    whole = lasting("1 2 3 4 5 6 7 8 9 10 11 12").ends_by(0, 6, 1)
    cut = lasting("1 2 3+ 3+ 3+ 3 5 6+ 9 10 11 12").ends_by(0, 6, 1)

    assert whole.value == pytest.approx(0.5)
    assert cut.high - cut.low > wilson(cut.value * 12, 12)[1] - wilson(cut.value * 12, 12)[0]


def test_the_binomial_tail_is_a_sum():
    assert at_most(1, 3, 0.5) == pytest.approx(0.5)
    assert (at_most(0, 5, 0), at_most(5, 5, 0.3)) == (1, 1)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_false_discoveries_admits_what_the_step_up_rule_admits(chances):
    ruled = false_discoveries(chances)
    ordered = sorted(chances)
    steps = [rank for rank, chance in enumerate(ordered, start=1) if chance * len(chances) / rank <= 0.05]
    admitted = ordered[: max(steps, default=0)]

    assert sorted(chance for chance, rule in zip(chances, ruled, strict=True) if rule <= 0.05) == admitted
    assert all(rule >= chance - 1e-12 for chance, rule in zip(chances, ruled, strict=True))

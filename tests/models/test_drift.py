"""Drift: what has come to look otherwise is found, and neither luck nor what comes and goes is taken for it."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from shipcast.features.feature import chosen
from shipcast.models.drift import Reference, beyond_luck, drifts, read_references, references, write_references

CUT_OFF = datetime.fromisoformat("2025-12-01")
MONTH = timedelta(days=28)
LINES = chosen("lines")


def deployments(days, begins, lines, per_day=10):
    """Some a day from that instant on, whose lines a function of the day and a generator says."""
    rng = np.random.default_rng(5)
    number = np.arange(days * per_day)
    return pl.DataFrame(
        {
            "started_at": [begins + timedelta(days=int(one) / per_day) for one in number],
            "lines": np.array([lines(int(one) // per_day, rng) for one in number], dtype=np.float64),
        },
        schema_overrides={"started_at": pl.Datetime("us")},
    )


def usual(day, rng):
    return rng.lognormal(4, 1)


def large(day, rng):
    return rng.lognormal(6, 1)


def wavering(day, rng):
    """Two months of small changes, then one of large ones."""
    return rng.lognormal(6 if day // 28 % 3 == 2 else 4, 1)


def learned(lines=usual, days=400):
    return references(deployments(days, CUT_OFF - timedelta(days=days), lines), LINES, CUT_OFF)


def moved(since, lines=usual, span=MONTH):
    return drifts(learned(lines), deployments(span.days, CUT_OFF, since), span)


def test_the_index_is_the_formula_less_its_mean_by_luck():
    first, second = np.array([60.5, 40.5]) / 101, np.array([30.5, 70.5]) / 101
    by_hand = sum((q - p) * np.log(q / p) for p, q in zip(first, second, strict=True))

    assert beyond_luck([60, 40], [30, 70]) == pytest.approx(by_hand - 2 / 101)


@pytest.mark.parametrize("count", [30, 100, 1000])
def test_luck_alone_makes_nothing_on_average(count):
    rng = np.random.default_rng(1)
    found = [
        beyond_luck(rng.multinomial(5000, np.full(10, 0.1)), rng.multinomial(count, np.full(10, 0.1)))
        for _ in range(400)
    ]

    assert abs(np.mean(found)) < 0.02
    assert (count < 100) or max(found) < 0.25


def test_what_has_moved_is_found_and_what_has_not_is_not():
    [same], [other] = moved(usual), moved(large)

    assert (same.is_clear, other.is_clear) == (False, True)
    assert same.psi < 0.1 < 1 < other.psi


def test_of_few_deployments_or_days_nothing_is_said():
    few = deployments(15, CUT_OFF, large, per_day=2)

    assert len(few) == 30
    assert drifts(learned(), few, timedelta(days=15)) == []
    assert drifts(learned(), deployments(13, CUT_OFF, large), timedelta(days=13)) == []


def test_what_comes_and_goes_is_no_drift_when_it_comes_again():
    [again] = moved(large, lines=wavering)

    assert again.psi > 0.25
    assert not again.is_clear


def test_what_was_learned_from_since_is_no_drift_any_more():
    """A change for good half a year ago, which differs from all before it to this day."""
    [found] = moved(large, lines=lambda day, rng: (large if day >= 220 else usual)(day, rng))

    assert found.psi > 0.25
    assert not found.is_clear


def test_values_that_are_no_longer_known_are_a_drift():
    [found] = drifts(learned(), deployments(28, CUT_OFF, usual).with_columns(lines=pl.lit(None, pl.Float64)), MONTH)

    assert found.is_clear


def test_rare_values_have_a_bin_of_their_own():
    one = Reference.of(pl.Series([0.0] * 95 + [1.0] * 5), np.zeros(100, dtype=np.int64))

    assert one.edges.tolist() == [1.0]
    assert one.counts[0].tolist() == [95, 5, 0]


def test_what_comes_in_spells_is_not_looked_at():
    [lines] = LINES

    assert references(deployments(9, CUT_OFF - MONTH, usual), [replace(lines, in_spells=True)], CUT_OFF) == {}
    assert all(
        one.in_spells
        for one in chosen("on_a_holiday", "hours_to_a_day_off", "failures_in_28_days", "staging_hours_since_rollback")
    )


def test_what_is_kept_is_read_again_and_a_changed_byte_is_refused(tmp_path):
    path = tmp_path / "reference.json"
    write_references(path, learned())
    again, since = read_references(path), deployments(28, CUT_OFF, large)

    assert drifts(again, since, MONTH) == drifts(learned(), since, MONTH)
    path.write_text(path.read_text().replace('"counts": [[', '"counts": [[1', 1))
    with pytest.raises(ValueError, match="seal"):
        read_references(path)


def test_a_file_that_somebody_sealed_is_not_trusted(tmp_path):
    facts = {name: {**one.facts(), "counts": [[1, 2]]} for name, one in learned().items()}
    with pytest.raises(ValueError, match="do not fit"):
        Reference.from_facts(facts["lines"])

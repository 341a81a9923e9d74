"""The record of trained models: who served, how each did, and what is kept of every training."""

from datetime import timedelta
from itertools import pairwise

import pytest
from company import CUT, LATER

from shipcast.answers.model_record import SPAN, champions, gate_said, skill_over_time, trainings
from shipcast.answers.quality import NOT_ASKED, quality
from shipcast.answers.reading import open_reader


@pytest.fixture(scope="module")
def reader(trained_home):
    with open_reader(trained_home, LATER) as reader:
        yield reader


@pytest.fixture(scope="module")
def answer(reader):
    return quality(reader, parts=("failure", "restore"))


def test_parts_that_were_not_asked_for_are_missing(answer):
    assert answer.failure is not None
    assert {name for name, why in answer.missing.items() if why == NOT_ASKED} == {"drift", "hours", "load", "decisions"}


def test_the_champion_did_as_quality_says(reader, answer):
    [found] = champions(reader)

    assert (found.version, found.recipe, found.cut_off, found.serves) == (1, "regression", CUT, True)
    assert found.scores == answer.failure.summary


def test_before_its_cut_off_it_served_nothing(trained_home):
    with open_reader(trained_home, CUT - timedelta(hours=1)) as reader:
        assert champions(reader) == ()
        assert trainings(reader) == ()
        assert skill_over_time(reader) == ()


def test_a_training_is_kept_with_its_scores_and_those_of_its_rivals(reader):
    [found] = trainings(reader)

    assert (found.version, found.recipe, found.role, found.cut_off) == (1, "regression", "champion", CUT)
    assert [(one.model, one.is_chosen) for one in found.candidates] == [("rate", False), ("regression", True)]
    assert (found.candidates[1].n, found.candidates[1].skill) == (found.n, found.skill)
    assert gate_said(found) == "passes against the base rate; not compared with a champion: there was none"


def test_four_weeks_by_four_weeks_make_up_all_that_was_judged(reader, answer):
    found = skill_over_time(reader)

    assert sum(span.n for span in found) == answer.failure.summary.n
    assert sum(span.failures for span in found) == answer.failure.summary.failures
    assert all(earlier.end <= later.start for earlier, later in pairwise(found))
    assert {span.end - span.start for span in found} == {SPAN}
    assert all((span.skill is None) == (span.failures < 5) for span in found)

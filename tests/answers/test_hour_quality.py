"""What is said of the second estimate of the hour."""

import json
from dataclasses import asdict, replace

import pytest

from shipcast.answers.hour_quality import sentence, start_said, stored, untold
from shipcast.models.doubly_robust import PARTS, PartRisk

KNOWN = PartRisk(
    "", 200, 10, compared=900, usual=0.05, model=0.06, model_low=0.04, model_high=0.09, second=0.08, second_low=0.05,
    second_high=0.12, ratio=1.6, ratio_low=1.1, ratio_high=2.3, apart=1.33, apart_low=0.8, apart_high=2.2, p_value=0.4,
    disagrees=False,
)  # fmt: skip
NIGHT = {"p_value": 0.01, "disagrees": True, "model": 0.091, "model_low": 0.08, "model_high": 0.1, "second": 0.03,
         "second_low": 0.02, "second_high": 0.05}  # fmt: skip
LITTLE = PartRisk("", 31, 2, reason="only 2 of its 31 deployments failed")


@pytest.fixture
def kept(tmp_path):
    """A function that keeps the estimates given by part, all others as KNOWN, and reads them again."""

    def read(**others):
        parts = [replace(others.get(name.replace(" ", "_"), KNOWN), part=name) for name in PARTS]
        (tmp_path / "hours.json").write_text(json.dumps([asdict(part) for part in parts]))
        return stored(tmp_path / "hours.json")

    return read


def test_no_disagreement_is_said_of_as_many_parts_as_can_be_told(kept):
    parts = kept(weekend_nights=LITTLE)

    assert sentence(parts) == "The second estimate disagrees with the model in none of 6 parts of the week."
    assert untold(parts) == ["It cannot be made of weekend nights (only 2 of its 31 deployments failed)."]
    assert untold(kept()) == []


def test_a_disagreement_is_said_with_both_estimates(kept):
    assert sentence(kept(weekday_nights=replace(KNOWN, **NIGHT))) == (
        "The second estimate disagrees with the model in 1 of 7 parts of the week: weekday nights, "
        "model 9.1 % (8 to 10), second 3 % (2 to 5)."
    )


def test_where_nothing_can_be_told_that_is_said(kept):
    assert "in no part of the week" in sentence(kept(**{name.replace(" ", "_"): LITTLE for name in PARTS}))


def test_a_start_is_told_what_its_part_of_the_week_risks_both_ways(kept):
    parts = dict(zip(PARTS, kept(weekend_nights=LITTLE, weekday_nights=replace(KNOWN, **NIGHT)), strict=True))

    assert start_said(parts["weekday evenings"]) == [
        "By a second, doubly robust estimate changes of all services on weekday evenings fail 1.6 times what such "
        "changes usually do (1.1 to 2.3), by the model 1.2 times: no clear disagreement."
    ]
    assert start_said(parts["weekday nights"])[0].endswith(": they disagree.")
    assert start_said(parts["weekend nights"]) == [
        "A second estimate cannot be made of weekend nights: only 2 of its 31 deployments failed."
    ]
    assert start_said(None) == []


def test_the_share_that_failed_follows_from_the_counts(kept):
    assert {(one.observed, one.hours) for one in kept(weekday_nights=replace(LITTLE, n=0, failures=0))[:2]} == {
        (None, "22 to 6"), (0.05, "6 to 10"),
    }  # fmt: skip

"""Models that are kept by their rows: one for equal rows, another for any that differ."""

import polars as pl
import pytest

from shipcast.models.learned import kept_by_rows

ROWS = pl.DataFrame({"hour": [1, 2, 3], "requests": [5.0, None, 7.0]})


@pytest.fixture
def made():
    """A function that is kept, and the list of what it was called with."""
    calls = []

    @kept_by_rows(2)
    def model(zone, rows):
        calls.append((zone, rows["requests"].to_list()))
        return object()

    return model, calls


def test_equal_rows_share_a_model_whatever_object_they_are(made):
    model, calls = made

    assert model("UTC", ROWS) is model("UTC", ROWS.clone())
    assert len(calls) == 1


@pytest.mark.parametrize(
    "other",
    [
        ROWS.with_columns(requests=pl.Series([5.0, 6.0, 7.0])),  # first and last alike
        ROWS.with_columns(requests=pl.Series([5.0, None, 8.0])),
        ROWS.head(2),
        ROWS.rename({"hour": "at"}),
        ROWS.clear(),
    ],
)
def test_rows_that_differ_anywhere_have_a_model_of_their_own(made, other):
    model, _ = made

    assert model("UTC", ROWS) is not model("UTC", other)


def test_what_is_beside_the_rows_counts_too(made):
    model, _ = made

    assert model("UTC", ROWS) is not model("Asia/Tokyo", ROWS)


def test_only_the_models_asked_for_last_are_kept(made):
    model, calls = made
    for zone in ("UTC", "Asia/Tokyo", "Asia/Kolkata", "UTC"):
        model(zone, ROWS)

    assert [zone for zone, _ in calls] == ["UTC", "Asia/Tokyo", "Asia/Kolkata", "UTC"]

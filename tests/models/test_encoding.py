"""What a regression sees of deployments that lie beyond all it has learned from."""

import numpy as np
import polars as pl
import pytest
from made_rows import deployments

from shipcast.features.feature import catalogue
from shipcast.models.encoding import Column, columns, encoded

ROWS = deployments(200)
LINES = columns(ROWS, [one for one in catalogue() if one.name == "lines"])


def of(*lines):
    return encoded(deployments(len(lines)).with_columns(lines=pl.Series(lines, dtype=pl.Float64)), LINES)[:, 0]


@pytest.mark.parametrize(("beyond", "edge"), [(1e9, ROWS["lines"].max()), (0, ROWS["lines"].min())])
def test_a_feature_counts_as_at_the_edge_of_what_was_seen(beyond, edge):
    assert of(beyond) == pytest.approx(of(edge))


def test_within_that_it_counts_as_it_is_and_what_was_learned_from_is_not_moved():
    assert np.diff(of(*sorted(ROWS["lines"].unique()))).min() > 0
    assert encoded(ROWS, LINES)[:, 0].mean() == pytest.approx(0, abs=1e-12)
    assert encoded(ROWS, LINES)[:, 0].std() == pytest.approx(1)


def test_a_column_of_a_model_that_kept_no_edges_has_none():
    [column] = LINES
    before = Column(**{**vars(column), "low": None, "high": None})

    assert encoded(deployments(1).with_columns(lines=pl.lit(1e9)), [before])[0, 0] > of(1e9)[0]

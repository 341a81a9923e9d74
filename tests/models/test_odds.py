"""Chances, log odds and the normal curve without scipy are scipy's."""

import numpy as np
import pytest
from scipy import special

from shipcast.models.odds import expit, logit, normal_below, normal_hazard


def test_chances_and_log_odds_are_those_of_scipy():
    log_odds, chances = np.linspace(-800, 800, 4001), np.linspace(0, 1, 4001)

    assert expit(log_odds) == pytest.approx(special.expit(log_odds), rel=1e-14)
    assert expit(2.0) == pytest.approx(special.expit(2.0), rel=1e-15)
    assert logit(chances) == pytest.approx(special.logit(chances), rel=1e-13, abs=1e-15)


def test_the_normal_curve_is_that_of_scipy_far_out_too():
    distance = np.linspace(-37, 37, 2001).reshape(3, -1)

    assert normal_below(distance) == pytest.approx(special.ndtr(distance), rel=1e-12)


def test_the_hazard_is_that_of_scipy_on_both_sides_of_where_the_series_begins():
    distance = np.linspace(-20, 60, 2001)
    hazard = np.exp(-(distance**2) / 2 - np.log(2 * np.pi) / 2 - special.log_ndtr(-distance))

    assert normal_hazard(distance) == pytest.approx(hazard, rel=1e-10)

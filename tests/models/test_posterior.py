"""Laplace's approximation against answers known otherwise, and the week's curves."""

from dataclasses import dataclass

import numpy as np
import pytest

from shipcast.models.posterior import Binomial, Floats, averaged, laplace
from shipcast.models.week import kernel, week_basis


@dataclass(frozen=True)
class Normal:
    """Values that scatter about the predictor with a known spread."""

    values: Floats
    spread: float

    def log_likelihood(self, predictor: Floats) -> float:
        return float(-0.5 * np.sum((self.values - predictor) ** 2) / self.spread**2)

    def slopes(self, predictor: Floats) -> tuple[Floats, Floats]:
        precision = 1 / self.spread**2
        return (self.values - predictor) * precision, np.full(len(self.values), precision)


def test_for_normal_values_it_is_exact():
    rng = np.random.default_rng(1)
    design, values = rng.normal(size=(30, 3)), rng.normal(size=30)
    part = laplace(design, np.array([0.5, 1.0, 2.0]), Normal(values, 0.7))
    precision = design.T @ design / 0.7**2 + np.diag([4.0, 1.0, 0.25])

    assert part.mean == pytest.approx(np.linalg.solve(precision, design.T @ values / 0.7**2))
    assert part.factor @ part.factor.T == pytest.approx(precision)


def test_the_evidence_of_normal_values_is_exact_up_to_a_constant():
    values, design = np.array([1.0, -0.5]), np.array([[1.0], [0.5]])
    evidence = [laplace(design, np.array([spread]), Normal(values, 1.0)).log_evidence for spread in (0.3, 2.0)]

    def marginal(spread):
        covariance = np.eye(2) + spread**2 * design @ design.T
        return -0.5 * (values @ np.linalg.solve(covariance, values) + np.log(np.linalg.det(covariance)))

    assert evidence[1] - evidence[0] == pytest.approx(marginal(2.0) - marginal(0.3))


def test_without_a_prior_to_speak_of_log_odds_are_those_of_the_counts():
    one = np.ones((1, 1))
    part = laplace(one, np.array([100.0]), Binomial(np.array([20.0]), np.array([100.0]), np.zeros(1)))

    assert part.mean[0] == pytest.approx(np.log(0.2 / 0.8), abs=0.01)


def test_draws_have_the_posteriors_mean_and_spread():
    mixture = averaged(np.ones((4, 1)), [np.array([1.0])], [1.0], Normal(np.full(4, 2.0), 1.0))
    draws = mixture.draws(np.random.default_rng(1), 20_000)[:, 0]

    assert draws.mean() == pytest.approx(1.6, abs=0.02)
    assert draws.std() == pytest.approx(np.sqrt(1 / 5), abs=0.02)


def test_without_data_the_belief_stays_what_it_was():
    nothing = Normal(np.zeros(0), 1.0)
    mixture = averaged(np.zeros((0, 2)), [np.ones(2), 2 * np.ones(2)], [0.3, 0.7], nothing)

    assert mixture.weights == pytest.approx([0.3, 0.7])


def test_the_weeks_curves_mix_to_their_kernel_and_have_no_level():
    curves = week_basis()

    assert np.sum(curves, axis=0) == pytest.approx(np.zeros(curves.shape[1]), abs=1e-8)
    assert np.mean(np.sum(curves**2, axis=1)) == pytest.approx(1)
    assert np.linalg.eigvalsh(kernel()).min() > -1e-9


def test_an_hour_has_more_in_common_with_its_neighbour_than_with_the_other_side_of_the_day():
    shared = week_basis() @ week_basis().T

    assert shared[12, 13] > shared[12, 12 + 24] > shared[12, 12 + 5 * 24] > shared[12, 0]

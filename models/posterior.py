"""Penalised regression with honest uncertainty: Laplace's approximation, averaged over how strong an effect may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shipcast.models.odds import expit

Floats = NDArray[np.float64]
DRAWS = 400
STEPS = 30
LONGEST_STEP = 3.0
SEED = 20_250_101


class Likelihood(Protocol):
    """What the rows say about their linear predictor; `slopes` are its first derivative and minus the second."""

    def log_likelihood(self, predictor: Floats) -> float: ...

    def slopes(self, predictor: Floats) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True)
class Binomial:
    """Failures among trials; the log odds of a failure are the predictor on top of the offset."""

    failures: Floats
    trials: Floats
    offset: Floats

    def log_likelihood(self, predictor: Floats | float) -> float:
        odds = self.offset + predictor
        return float(np.sum(self.failures * odds - self.trials * np.logaddexp(0, odds)))

    def slopes(self, predictor: Floats) -> tuple[Floats, Floats]:
        chance = expit(self.offset + predictor)
        return self.failures - self.trials * chance, self.trials * chance * (1 - chance)


@dataclass(frozen=True)
class Gaussian:
    """An approximate posterior of the weights: its mean, the Cholesky factor of its precision, its log evidence."""

    mean: Floats
    factor: Floats
    log_evidence: float


@dataclass(frozen=True)
class Mixture:
    """Posteriors under several strengths of the effect, and how much the data speak for each."""

    weights: Floats
    parts: tuple[Gaussian, ...]

    @property
    def mean(self) -> Floats:
        return np.asarray(sum(weight * part.mean for weight, part in zip(self.weights, self.parts, strict=True)))

    def draws(self, rng: np.random.Generator, count: int = DRAWS) -> Floats:
        """Draws of the weights, one a row, in random order; each part gets its share of them."""
        shares = np.diff(np.rint(np.cumsum(np.append(0, self.weights)) * count)).astype(int)
        drawn = [
            part.mean + np.linalg.solve(part.factor.T, rng.standard_normal((len(part.mean), share))).T
            for part, share in zip(self.parts, shares, strict=True)
        ]
        return rng.permutation(np.concatenate(drawn))


def laplace(design: Floats, prior_spread: Floats, likelihood: Likelihood, start: Floats | None = None) -> Gaussian:
    """The posterior of the weights of `design`, whose prior is normal about zero with the given spreads."""
    precision = prior_spread**-2.0
    weights = np.zeros(design.shape[1]) if start is None else start
    for _ in range(STEPS):
        gradient, curvature = likelihood.slopes(design @ weights)
        hessian = (design.T * curvature) @ design + np.diag(precision)
        step = np.linalg.solve(hessian, design.T @ gradient - precision * weights)
        reach = np.max(np.abs(design @ step), initial=0.0)
        weights = weights + step * min(1.0, LONGEST_STEP / max(reach, LONGEST_STEP))
        if reach < 1e-4:
            break
    factor: Floats = np.asarray(np.linalg.cholesky(hessian), dtype=np.float64)
    prior = 0.5 * np.sum(np.log(precision)) - 0.5 * np.sum(precision * weights**2)
    evidence = likelihood.log_likelihood(design @ weights) + prior - np.sum(np.log(np.diag(factor)))
    return Gaussian(weights, factor, float(evidence))


def averaged(
    design: Floats, prior_spreads: Sequence[Floats], prior_weights: Sequence[float], likelihood: Likelihood
) -> Mixture:
    """The posterior under each of several priors, weighed by prior weight and evidence."""
    parts: list[Gaussian] = []
    for spread in prior_spreads:
        parts.append(laplace(design, spread, likelihood, parts[-1].mean if parts else None))
    scores = np.log(prior_weights) + [part.log_evidence for part in parts]
    weights = np.exp(scores - np.max(scores))
    return Mixture(weights / weights.sum(), tuple(parts))

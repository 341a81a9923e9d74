"""Penalised regression in which every group has a level of its own, drawn to a common one (random intercepts).

Laplace's approximation, with the levels eliminated block by block: a thousand services cost hardly more than ten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shipcast.models.posterior import LONGEST_STEP, STEPS, Floats, Likelihood

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Levels:
    """Where each group's rows lie in a design that is sorted by group, and how many groups there are."""

    numbers: Integers

    @property
    def count(self) -> int:
        return int(self.numbers[-1]) + 1 if len(self.numbers) else 0

    def sums(self, rows: Floats) -> Floats:
        """The sum of each group's rows."""
        if not len(rows):
            return np.zeros((0, *rows.shape[1:]))
        starts = np.flatnonzero(np.diff(self.numbers, prepend=-1))
        return np.asarray(np.add.reduceat(rows, starts))


@dataclass(frozen=True)
class GroupedPosterior:
    """An approximate posterior of weights and levels.

    Parameters
    ----------
    mean, factor
        Of the weights: their mean, and the Cholesky factor of their precision, the levels integrated out.
    levels, level_precision, cross
        Of every group: its level given the mean weights, the precision of that, and how much it falls, in units of
        that precision, as each weight rises.
    """

    mean: Floats
    factor: Floats
    levels: Floats
    level_precision: Floats
    cross: Floats
    log_evidence: float

    def predictor(self, design: Floats, groups: Levels) -> Floats:
        """The fitted predictor of the rows it was learned from."""
        return np.asarray(design @ self.mean + self.levels[groups.numbers])

    def draws(self, rng: np.random.Generator, count: int) -> Floats:
        """Draws of the weights, one a row."""
        noise = rng.standard_normal((len(self.mean), count))
        return np.asarray(self.mean + np.linalg.solve(self.factor.T, noise).T)

    def level_given(self, weights: Floats, group: int) -> Floats:
        """The most probable level of a group, one for each draw of the weights."""
        return np.asarray(self.levels[group] - (weights - self.mean) @ self.cross[group] / self.level_precision[group])


def grouped_laplace(
    design: Floats,
    groups: Levels,
    prior_spread: Floats,
    level_spread: float,
    likelihood: Likelihood,
    start: GroupedPosterior | None = None,
) -> GroupedPosterior:
    """The posterior of the weights of `design` and of a level for every group; both have normal priors about zero."""
    precision, pull = prior_spread**-2.0, level_spread**-2.0
    weights = np.zeros(design.shape[1]) if start is None else start.mean
    levels = np.zeros(groups.count) if start is None else start.levels
    for _ in range(STEPS):
        gradient, curvature = likelihood.slopes(design @ weights + levels[groups.numbers])
        weighted = design * curvature[:, None]
        own = groups.sums(curvature) + pull
        cross = groups.sums(weighted)
        schur = design.T @ weighted + np.diag(precision) - cross.T @ (cross / own[:, None])
        of_levels = groups.sums(gradient) - pull * levels
        of_weights = design.T @ gradient - precision * weights
        step = np.linalg.solve(schur, of_weights - cross.T @ (of_levels / own))
        level_step = (of_levels - cross @ step) / own
        reach = np.max(np.abs(design @ step + level_step[groups.numbers]), initial=0.0)
        share = min(1.0, LONGEST_STEP / max(reach, LONGEST_STEP))
        weights, levels = weights + share * step, levels + share * level_step
        if reach < 1e-4:
            break
    factor: Floats = np.asarray(np.linalg.cholesky(schur), dtype=np.float64)
    prior = 0.5 * np.sum(np.log(precision)) - 0.5 * np.sum(precision * weights**2)
    prior += 0.5 * groups.count * np.log(pull) - 0.5 * pull * np.sum(levels**2)
    shape = np.sum(np.log(np.diag(factor))) + 0.5 * np.sum(np.log(own))
    evidence = likelihood.log_likelihood(design @ weights + levels[groups.numbers]) + prior - shape
    return GroupedPosterior(weights, factor, levels, own, cross, float(evidence))

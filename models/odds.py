"""Chances, log odds and the normal curve in numpy alone: scipy takes longer to import than most answers to compute."""

from __future__ import annotations

from math import erfc, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAR = 25.0  # spreads from which on a series is exact, before the tail itself is too small for a number


def expit(log_odds: Floats | float) -> Floats:
    """The chance of log odds, of a number or an array.

    Examples
    --------
    >>> expit(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    with np.errstate(over="ignore"):
        odds_against = np.asarray(np.exp(-np.asarray(log_odds)))
    odds_against += 1
    return np.asarray(np.reciprocal(odds_against, out=odds_against))


def logit(chance: Floats | float) -> Floats:
    """The log odds of a chance, of a number or an array.

    Examples
    --------
    >>> logit(np.array([0.0, 0.5, 1.0]))
    array([-inf,   0.,  inf])
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(chance) - np.log1p(-np.asarray(chance)))


def normal_below(distance: Floats) -> Floats:
    """The chance that a normal value lies below its mean and so many spreads; exact far below it too.

    Examples
    --------
    >>> normal_below(np.array([-np.inf, 0.0, np.inf]))
    array([0. , 0.5, 1. ])
    """
    found = np.fromiter(map(erfc, (distance.ravel() * -sqrt(0.5)).tolist()), np.float64, distance.size)
    return found.reshape(distance.shape) / 2


def normal_hazard(distance: Floats) -> Floats:
    """How far above its mean a normal value lies on average, in spreads, given that it lies above `distance`.

    Examples
    --------
    >>> normal_hazard(np.array([-50.0, 0.0, 50.0])).round(3)
    array([ 0.   ,  0.798, 50.02 ])
    """
    near, far = np.minimum(distance, FAR), np.maximum(distance, FAR)
    series = far + 1 / far - 2 / far**3 + 10 / far**5 - 74 / far**7 + 706 / far**9
    density = np.exp(-0.5 * near**2) / sqrt(2 * pi)
    return np.where(distance < FAR, density / normal_below(-near), series)

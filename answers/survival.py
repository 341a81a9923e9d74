"""How long something takes of which some has not ended yet: Kaplan-Meier, and whether groups differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shipcast.answers.statistics import wilson

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
ROUNDING = 1e-9


class Chance(NamedTuple):
    """A chance with its 95 % interval, and how many past cases it rests on."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, eq=False)
class Survival:
    """The share of cases that last longer than a length of time, by Kaplan and Meier (1958).

    Parameters
    ----------
    lasted
        Of every case, in order: until it ended, or until now.
    lengths
        At which any ended, in order.
    ended, at_risk
        How many ended at each, and how many had lasted that long.
    """

    lasted: Floats
    lengths: Floats
    ended: Floats
    at_risk: Floats

    @classmethod
    def of(cls, lasted: Floats, has_ended: Flags) -> Survival:
        ordered = np.sort(lasted)
        lengths, ended = np.unique(lasted[has_ended], return_counts=True)
        at_risk = len(ordered) - np.searchsorted(ordered, lengths)
        return cls(ordered, lengths, ended.astype(np.float64), at_risk.astype(np.float64))

    def shares(self) -> Floats:
        """The share that lasts longer than each of `lengths`."""
        return np.asarray(np.cumprod(1 - self.ended / self.at_risk))

    def median(self) -> float | None:
        """The length that half of the cases last at most; None: not reached."""
        reached = self.lengths[self.shares() <= 1 / 2 + ROUNDING]
        return float(reached[0]) if len(reached) else None

    def ends_by(self, waited: float, until: float, fewest: int) -> Chance | None:
        """The chance that a case which has lasted for `waited` ends within `until`, counted from its beginning.

        Its interval is Wilson's with as many cases as would vary as much without any that has not ended (Dorey and
        Korn, 1987). None: fewer than `fewest` cases lasted longer than `waited`, or none for so long as `until`.
        """
        n = len(self.lasted) - int(np.searchsorted(self.lasted, waited, side="right"))
        if n < fewest:
            return None
        between = (self.lengths > waited) & (self.lengths <= until)
        ended, at_risk = self.ended[between], self.at_risk[between]
        lasts = float(np.prod(1 - ended / at_risk))
        if lasts > ROUNDING and until > self.lasted[-1]:
            return None
        weight = self.effective(lasts, ended, at_risk, until)
        interval = wilson((1 - lasts) * weight, weight)
        return None if interval is None else Chance(1 - lasts, *interval, n)

    def effective(self, lasts: float, ended: Floats, at_risk: Floats, until: float) -> float:
        """The number of cases, all of which ended or lasted beyond, that would tell as much as those there are."""
        if lasts <= ROUNDING:
            return float(ended.sum())
        if len(ended) == 0:
            return float(len(self.lasted) - np.searchsorted(self.lasted, until))
        variance = lasts**2 * float(np.sum(ended / (at_risk * (at_risk - ended))))  # Greenwood's
        return lasts * (1 - lasts) / variance


def log_rank(groups: Sequence[Survival]) -> float | None:
    """The chance of groups so far apart where all last alike (Mantel, 1966); None: there is nothing to compare."""
    from scipy.special import chdtrc  # takes a third of a second

    if len(groups) < 2:
        return None
    lengths = np.unique(np.concatenate([one.lengths for one in groups]))
    at_risk = np.array([len(one.lasted) - np.searchsorted(one.lasted, lengths) for one in groups], dtype=np.float64)
    ended = np.array([ended_at(one, lengths) for one in groups])
    all_at_risk, all_ended = at_risk.sum(axis=0), ended.sum(axis=0)
    share = at_risk / all_at_risk
    apart = (ended - share * all_ended).sum(axis=1)
    weight = all_ended * (all_at_risk - all_ended) / np.maximum(all_at_risk - 1, 1)
    covariance = np.diag((share * weight).sum(axis=1)) - (share * weight) @ share.T
    distance = float(apart @ np.linalg.pinv(covariance) @ apart)
    return float(chdtrc(len(groups) - 1, distance))


def ended_at(one: Survival, lengths: Floats) -> Floats:
    """How many of a group ended at each of the lengths."""
    found = np.zeros(len(lengths))
    found[np.searchsorted(lengths, one.lengths)] = one.ended
    return found

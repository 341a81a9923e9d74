"""The candidates for the forecast of failures: they learn from the same rows, and the back-test judges between them.

Each is fitted to settled deployments (`matrix` rows with `is_failed`), gives every deployment a chance, and draws of
its log odds that say how sure that chance is. Equal rows give equal forecasts, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shipcast.features.clock import DAY_HOURS
from shipcast.features.feature import Feature, catalogue
from shipcast.models.encoding import Column, columns, encoded, unknown_to_a_request
from shipcast.models.errors import EstimatorFailed
from shipcast.models.failure import ASSUMED_RATE, RATE_WORTH, FailureModel, excess
from shipcast.models.odds import expit, logit
from shipcast.models.posterior import DRAWS, SEED, Floats
from shipcast.settings.errors import in_a_line

ESTIMATOR = "An estimator has scikit-learn's fit and predict_proba, which gives two chances for each row."
ROLLBACK_WORTH = 5.0  # deployments that the rate of all others counts for, where a rollback is forecast
SEEDS = 3
BAGS = 10
FEWEST, FEWEST_OF_A_KIND = 200, 10  # deployments, and failures or successes, that can be learned from
SUREST = 1e-6  # nearer to 0 or 1 no chance is believed
BOOSTING = {
    "learning_rate": 0.04,
    "max_iter": 120,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 60,
    "l2_regularization": 20,
    "max_features": 0.4,
    "early_stopping": False,
}


class Candidate(Protocol):
    """What can forecast failures.

    Attributes
    ----------
    name
        Under which it is asked for.
    is_rate_
        After `fit`: whether there was too little to learn from, so that the rate is all it knows.
    """

    @property
    def name(self) -> str: ...

    @property
    def is_rate_(self) -> bool: ...

    def fit(self, rows: pl.DataFrame) -> Candidate: ...

    def predict(self, rows: pl.DataFrame) -> Floats: ...

    def draws(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats: ...

    def feature_names(self) -> tuple[str, ...]:
        """The features that rows must have."""
        ...

    def state(self) -> dict[str, Any]:
        """All that answers need, as `models.stored` writes it; `from_state` makes it again."""
        ...

    def describe(self) -> dict[str, Any]:
        """What it rests on and found, by name."""
        ...


class Rate:
    """The share of all settled deployments that failed: what every other candidate has to beat.

    Parameters
    ----------
    assumed, worth
        The rate before anything has settled, and how many deployments that counts for.
    """

    name = "rate"
    is_rate_ = True

    def __init__(self, assumed: float = ASSUMED_RATE, worth: float = RATE_WORTH) -> None:
        self.assumed, self.worth = assumed, worth

    def fit(self, rows: pl.DataFrame) -> Rate:
        failures = int(rows["is_failed"].sum())
        self.failures_ = failures + self.worth * self.assumed
        self.successes_ = len(rows) - failures + self.worth * (1 - self.assumed)
        return self

    @property
    def chance_(self) -> float:
        return self.failures_ / (self.failures_ + self.successes_)

    def predict(self, rows: pl.DataFrame) -> Floats:
        return np.full(len(rows), self.chance_)

    def draws(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        """Draws from the beta posterior, the same for every deployment."""
        drawn = np.random.default_rng([SEED, 2]).beta(self.failures_, self.successes_, DRAWS)
        return np.tile(log_odds(drawn)[:, None], len(rows))

    def feature_names(self) -> tuple[str, ...]:
        return ()

    def state(self) -> dict[str, Any]:
        return {"failures": self.failures_, "successes": self.successes_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Rate:
        rate = cls()
        rate.failures_, rate.successes_ = state["failures"], state["successes"]
        return rate

    def describe(self) -> dict[str, Any]:
        return {"rate": self.chance_}


class Regression:
    """The pooled regression (`FailureModel`) on all features, or on those named."""

    name = "regression"
    is_rate_ = False

    def __init__(self, features: Sequence[Feature] | None = None) -> None:
        self.features = features

    def fit(self, rows: pl.DataFrame) -> Regression:
        self.model_ = FailureModel(features_of(self.features)).fit(rows)
        return self

    def predict(self, rows: pl.DataFrame) -> Floats:
        return np.asarray(expit(self.draws(rows)).mean(axis=0))

    def draws(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        return self.model_.draws(rows, is_request=is_request)

    def feature_names(self) -> tuple[str, ...]:
        return names_of(self.model_.columns_)

    def state(self) -> dict[str, Any]:
        return self.model_.state()

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Regression:
        regression = cls()
        regression.model_ = FailureModel.from_state(state)
        return regression

    def describe(self) -> dict[str, Any]:
        return self.model_.describe()


class Learned:
    """Estimators with scikit-learn's `fit` and `predict_proba`, on the features as numbers; their mean is the chance.

    With fewer than 200 deployments, or 10 failures or successes, it keeps to the rate (`is_rate_`).

    Parameters
    ----------
    make
        A new estimator for a seed.
    seeds
        How many of them are averaged.
    bags
        How many are fitted to other draws of the days that were seen: how far these differ is how unsure it is. With
        fewer than two, it is as unsure as the rate.

    Attributes
    ----------
    columns_
        What the estimators see, in order, before the local hour and the day of the week: mean 0, spread 1, unknown 0.
    request_shift_
        How far the forecasts of requests lie too high, in log odds: what is usual of all that they cannot know never
        comes together, so that a request would seem safer than what shipped.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[int], Any],
        *,
        seeds: int = SEEDS,
        bags: int = BAGS,
        features: Sequence[Feature] | None = None,
    ) -> None:
        self.name, self.make, self.seeds, self.bags, self.features = name, make, seeds, bags, features

    def fit(self, rows: pl.DataFrame) -> Learned:
        rows = rows.sort("service", "started_at", "deployment_id")
        failed = rows["is_failed"].cast(pl.Int64).to_numpy()
        self.rate_ = Rate().fit(rows)
        self.columns_ = columns(rows, features_of(self.features))
        self.estimators_: list[Any] = []
        self.bags_: list[Any] = []
        self.request_shift_ = 0.0
        if len(rows) >= FEWEST and min(failed.sum(), len(rows) - failed.sum()) >= FEWEST_OF_A_KIND:
            with threadpool_limits(limits=1):  # several on a busy machine wait for each other
                self.learn(self.design(rows), failed, redrawn(rows["started_at"], self.bags))
                self.request_shift_ = excess(self.odds(rows, is_request=True), float(self.predict(rows).mean()))
        return self

    def learn(self, design: Floats, failed: NDArray[np.int64], bags: Sequence[NDArray[np.int64]]) -> None:
        self.estimators_ = [fitted(self.make(seed), design, failed) for seed in range(self.seeds)]
        self.bags_ = [
            fitted(self.make(seed), design[drawn], failed[drawn])
            for seed, drawn in enumerate(bags)
            if 0 < failed[drawn].sum() < len(drawn)
        ]

    @property
    def is_rate_(self) -> bool:
        return not self.estimators_

    def anew(self) -> Candidate:
        """Another of its kind, not yet fitted, as it was written to a file too; without bags, so as unsure as the rate.

        What kept to the rate is the rate, whatever its estimators would be.
        """
        from sklearn.base import clone

        if self.is_rate_:
            return Rate()
        count = len(self.estimators_)
        return Learned(self.name, lambda seed: clone(self.estimators_[seed]), seeds=count, bags=0)

    def design(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        """What estimators see; of a request, what it cannot know or does not say lies at the mean of all."""
        hours = rows["hour_of_week"].cast(pl.Float64).to_numpy()
        design = encoded(rows, self.columns_)
        if is_request:
            design = np.where(unknown_to_a_request(rows, self.columns_), 0.0, design)
        return np.column_stack([design, hours % DAY_HOURS, hours // DAY_HOURS])

    def predict(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        if self.is_rate_ or not len(rows):
            return self.rate_.predict(rows)
        odds = self.odds(rows, is_request=is_request)
        return np.asarray(expit(odds - self.request_shift_ if is_request else odds))

    def odds(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        """The log odds of the mean chance by all estimators."""
        design = self.design(rows, is_request=is_request)
        return log_odds(np.mean([chances(estimator, design) for estimator in self.estimators_], axis=0))

    def draws(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        """The forecast, moved as the bags scatter about their mean; fewer bags make wider tails (Student's t)."""
        if len(self.bags_) < 2 or not len(rows):
            moved = log_odds(self.predict(rows, is_request=is_request)) - log_odds(self.rate_.predict(rows))
            return self.rate_.draws(rows) + moved
        design, free = self.design(rows, is_request=is_request), len(self.bags_) - 1
        bags = np.array([log_odds(chances(estimator, design)) for estimator in self.bags_])
        rng = np.random.default_rng([SEED, 3])
        weights = rng.standard_normal((DRAWS, len(bags))) / np.sqrt(rng.chisquare(free, (DRAWS, 1)))
        return np.asarray(log_odds(self.predict(rows, is_request=is_request)) + weights @ (bags - bags.mean(axis=0)))

    def feature_names(self) -> tuple[str, ...]:
        return names_of(self.columns_)

    def state(self) -> dict[str, Any]:
        """Estimators as what skops writes of them, which runs nothing when it is read."""
        from skops.io import dumps

        return {
            "name": self.name,
            "rate": self.rate_.state(),
            "request_shift": self.request_shift_,
            "columns": [asdict(column) for column in self.columns_],
            "estimators": [np.frombuffer(dumps(one), np.uint8) for one in self.estimators_],
            "bags": [np.frombuffer(dumps(one), np.uint8) for one in self.bags_],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Learned:
        """Read only where it is made of scikit-learn's and numpy's own parts; anything else is refused."""
        from skops.io import loads

        learned = cls(state["name"], lambda seed: None)
        learned.rate_ = Rate.from_state(state["rate"])
        learned.request_shift_ = state["request_shift"]
        learned.columns_ = [Column(**column) for column in state["columns"]]
        learned.estimators_ = [loads(one.tobytes(), trusted=TRUSTED) for one in state["estimators"]]
        learned.bags_ = [loads(one.tobytes(), trusted=TRUSTED) for one in state["bags"]]
        return learned

    def describe(self) -> dict[str, Any]:
        return {"estimators": len(self.estimators_), "bags": len(self.bags_), "rate": self.rate_.chance_}


class Blend:
    """The mean of the log odds of regression and boosting; the regression alone where there is too little to boost."""

    name = "blend"
    is_rate_ = False

    def __init__(self, features: Sequence[Feature] | None = None) -> None:
        self.regression = Regression(features)
        self.boosting = boosting(features, bags=0)

    def fit(self, rows: pl.DataFrame) -> Blend:
        self.regression.fit(rows)
        self.boosting.fit(rows)
        return self

    def predict(self, rows: pl.DataFrame) -> Floats:
        regression = self.regression.predict(rows)
        return np.asarray(expit(log_odds(regression) + self.half_way(rows, regression, is_request=False)))

    def draws(self, rows: pl.DataFrame, *, is_request: bool = False) -> Floats:
        """Those of the regression, each moved by some share of what the two differ by, of any size: half on average."""
        drawn = self.regression.draws(rows, is_request=is_request)
        shares = np.random.default_rng([SEED, 7]).permutation((np.arange(DRAWS) + 0.5) / DRAWS)[:, None]
        return drawn + 2 * shares * self.half_way(rows, np.asarray(expit(drawn).mean(axis=0)), is_request=is_request)

    def half_way(self, rows: pl.DataFrame, regression: Floats, *, is_request: bool) -> Floats:
        if self.boosting.is_rate_:
            return np.zeros(len(rows))
        return (log_odds(self.boosting.predict(rows, is_request=is_request)) - log_odds(regression)) / 2

    def feature_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.regression.feature_names(), *self.boosting.feature_names())))

    def state(self) -> dict[str, Any]:
        return {"regression": self.regression.state(), "boosting": self.boosting.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Blend:
        blend = cls()
        blend.regression = Regression.from_state(state["regression"])
        blend.boosting = Learned.from_state(state["boosting"])
        return blend

    def describe(self) -> dict[str, Any]:
        return {**self.regression.describe(), **self.boosting.describe()}


class RollbacksApart:
    """A candidate, beside which rollbacks have a rate of their own: they are not changes like others, and rare.

    That rate is drawn to the one of all other deployments. Rows need `is_rollback`.
    """

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def is_rate_(self) -> bool:
        return self.candidate.is_rate_

    def fit(self, rows: pl.DataFrame) -> RollbacksApart:
        others = rows.filter(~pl.col("is_rollback"))
        self.candidate.fit(others)
        usual = Rate().fit(others).chance_
        self.rollbacks_ = Rate(usual, ROLLBACK_WORTH).fit(rows.filter("is_rollback"))
        return self

    def predict(self, rows: pl.DataFrame) -> Floats:
        return self.of_both(rows, np.zeros(len(rows)), lambda candidate, some: candidate.predict(some))

    def draws(self, rows: pl.DataFrame) -> Floats:
        return self.of_both(rows, np.zeros((DRAWS, len(rows))), lambda candidate, some: candidate.draws(some))

    def of_both(self, rows: pl.DataFrame, found: Floats, say: Callable[[Candidate, pl.DataFrame], Floats]) -> Floats:
        is_rollback = rows["is_rollback"].to_numpy().astype(bool)
        for candidate, its in ((self.candidate, ~is_rollback), (self.rollbacks_, is_rollback)):
            if its.any():
                found[..., its] = say(candidate, rows.filter(its))
        return found


def boosting(features: Sequence[Feature] | None = None, *, bags: int = BAGS) -> Learned:
    """Boosted trees, small and slow to learn, since failures are rare."""
    return Learned("boosting", boosted_trees, bags=bags, features=features)


def boosted_trees(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # takes a second, and only this candidate needs it

    return HistGradientBoostingClassifier(**BOOSTING, random_state=seed)


def own(estimator: Any, name: str | None = None, features: Sequence[Feature] | None = None) -> Learned:
    """An estimator of one's own as a candidate: anything with scikit-learn's `fit` and `predict_proba`.

    It is copied, never fitted itself; where it leaves chance to chance (`random_state=None`) it gets a seed.
    """

    def make(seed: int) -> Any:
        from sklearn.base import clone

        copy = clone(estimator)
        unset = [key for key, value in copy.get_params().items() if key.endswith("random_state") and value is None]
        return copy.set_params(**dict.fromkeys(unset, seed))

    return Learned(name or type(estimator).__name__, make, seeds=1, features=features)


# Beside what skops trusts by itself: trees, whose nodes nobody checks when they are used. The file was, by its digest.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]

CANDIDATES: Mapping[str, Callable[[], Candidate]] = {
    "regression": Regression,
    "boosting": boosting,
    "blend": Blend,
    "rate": Rate,
}


def maker(model: str | Any) -> tuple[str, Callable[[], Candidate]]:
    """The name of a candidate, and what makes new ones: of a name in `CANDIDATES`, a candidate, or an estimator.

    Examples
    --------
    >>> maker("blend")[1]().name
    'blend'

    Raises
    ------
    EstimatorFailed
        It is none of these.
    """
    if isinstance(model, str):
        return model, CANDIDATES[model]
    if isinstance(model, type):
        raise EstimatorFailed(f"{model.__name__} is a class.", next_step=f"Give one of it: {model.__name__}()")
    if hasattr(model, "predict_proba"):
        return type(model).__name__, lambda: own(model)
    if not (hasattr(model, "name") and hasattr(model, "fit") and hasattr(model, "draws")):
        raise EstimatorFailed(f"{model!r} is neither an estimator nor a candidate.", next_step=ESTIMATOR)
    return model.name, lambda: deepcopy(model)


def anew(model: Candidate) -> Callable[[], Candidate]:
    """What makes new candidates of the kind of one that learned, on all features there are.

    Examples
    --------
    >>> anew(Blend())().name
    'blend'
    """
    return model.anew if isinstance(model, Learned) else CANDIDATES[model.name]


def features_of(features: Sequence[Feature] | None) -> Sequence[Feature]:
    return catalogue() if features is None else features


def names_of(found: Sequence[Column]) -> tuple[str, ...]:
    """The features behind columns; categories are no features."""
    return tuple(dict.fromkeys(column.name for column in found if column.value is None))


def log_odds(chance: Floats) -> Floats:
    """The log odds of chances, which are kept off 0 and 1."""
    return np.asarray(logit(np.clip(chance, SUREST, 1 - SUREST)))


def fitted(estimator: Any, design: Floats, failed: NDArray[np.int64]) -> Any:
    """The estimator, having learned."""
    with named(estimator):
        estimator.fit(design, failed)
    return estimator


def chances(estimator: Any, design: Floats) -> Floats:
    """The chance of a failure of each row by an estimator; none is surer than `SUREST`.

    Raises
    ------
    EstimatorFailed
        It breaks off, or gives something else.
    """
    with named(estimator):
        found = np.asarray(estimator.predict_proba(design), dtype=np.float64)
        if found.shape != (len(design), 2):
            raise ValueError(f"predict_proba gave an array of {found.shape}, not of {(len(design), 2)}")
        if np.isnan(found).any():
            raise ValueError("predict_proba gave chances that are no numbers")
    return np.clip(found[:, 1], SUREST, 1 - SUREST)


@contextmanager
def named(estimator: Any) -> Iterator[None]:
    """Where an estimator breaks off, say which and why."""
    try:
        yield
    except Exception as error:
        raise EstimatorFailed(f"{type(estimator).__name__} fails: {in_a_line(error)}.", next_step=ESTIMATOR) from error


def redrawn(started: pl.Series, times: int) -> list[NDArray[np.int64]]:
    """The places of rows whose days are drawn anew, with replacement: failures of one day stay together."""
    rng = np.random.default_rng([SEED, 4])
    numbers = started.dt.date().rank("dense").cast(pl.Int64).to_numpy() - 1
    days = int(numbers.max()) + 1 if len(numbers) else 0
    counts = rng.multinomial(days, np.full(days, 1 / days), size=times) if days else np.zeros((times, 0), dtype=int)
    return [np.repeat(np.arange(len(numbers)), count[numbers]) for count in counts]

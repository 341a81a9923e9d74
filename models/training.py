"""A training: the candidates compete on what came last, the best learns from all, and a gate judges it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from shipcast.features.feature import chosen
from shipcast.models.backtest import Backtest, backtest, settled
from shipcast.models.candidates import CANDIDATES, Candidate, anew, maker
from shipcast.models.doubly_robust import PartRisk, second_estimates
from shipcast.models.drift import Reference, references
from shipcast.models.errors import EstimatorFailed
from shipcast.models.scores import Booleans, Days, Gain, Scores, gain, log_losses, scored
from shipcast.models.serving import Served
from shipcast.settings.errors import in_a_line

JUDGED = timedelta(days=182)  # before the cut-off, in which candidates are judged
EVERY = timedelta(days=28)
COMPETING = ("rate", "regression", "blend")
UNJUDGED = "regression"  # drawn to the rate of all where little is known, so it may serve unjudged
ENOUGH, ENOUGH_FAILURES = 100, 5  # forecasts that have settled, and failures among them, from which one may judge
STEEPEST = (0.5, 2.0)  # slopes of calibration within which a model may be promoted


@dataclass(frozen=True)
class Trained:
    """A model, what it learned from, and how it and the others were judged.

    Parameters
    ----------
    judgements
        How every candidate, by name, forecast the deployments before the cut-off, each from what was known some weeks
        before it, against the rate known at the time; empty where too little has settled to judge. The champion's kind
        is among them where it was judged beside them.
    forecasts
        Those that the chosen candidate was judged by.
    references
        How the features that it looks at lay in what it learned from, to tell a drift by.
    parts
        What each part of the week risks by the model, and by a second estimate.
    kind
        What the champion's kind, trained anew at the same cut-offs, forecast of the same deployments, or why that is
        unknown. Null: there was no champion, or it can be held against the model itself, or too little has settled.
    """

    name: str
    model: Candidate
    cut_off: datetime
    deployments: int
    failures: int
    fingerprint: str
    judgements: Mapping[str, Scores]
    forecasts: pl.DataFrame
    references: Mapping[str, Reference]
    parts: tuple[PartRisk, ...]
    kind: pl.DataFrame | str | None = None


@dataclass(frozen=True)
class Beside:
    """The settled forecasts of a model, and those of the champion, or of its kind (`is_kind`), of the same ones."""

    own: pl.DataFrame
    other: pl.DataFrame
    is_kind: bool

    @property
    def gain(self) -> Gain:
        """What the model gained on the other."""
        return compared(self.own, self.other)


def train(
    rows: pl.DataFrame,
    cut_off: datetime,
    only: str | Any | None = None,
    progress: Callable[[str], None] = lambda message: None,
    champion: Served | None = None,
) -> Trained:
    """The best candidate, or the one named, trained on all that had settled by the cut-off (naive UTC).

    Parameters
    ----------
    rows
        As `matrix` gives them; rollbacks are left out, since no one asks when to roll back.
    only
        A name in `CANDIDATES`, a candidate, or an estimator of one's own, as `maker` takes them.
    champion
        What will have to be beaten. Where it has learned from too much of what the model is judged by, its kind is
        judged too, unless it competes anyway.
    """
    rows = rows.filter(~pl.col("is_rollback"))
    makers = competing(only)
    tests = {name: tested(rows, name, make, cut_off, progress) for name, make in makers.items()}
    judgements = judged(tests)
    name = best(tests, judgements) if only is None else next(reversed(makers))
    kind = None
    if champion is not None and judgements and not is_enough(not_learned(tests[name].forecasts, champion)):
        known_kinds = {each: test for each, test in tests.items() if makers[each] is CANDIDATES.get(each)}
        kind = of_kind(champion, known_kinds, rows, cut_off, progress)
        if isinstance(kind, pl.DataFrame) and champion.entry.recipe not in judgements:
            judgements[champion.entry.recipe] = scores_of(kind.filter("is_settled"))
    known = settled(rows, cut_off)
    progress(f"training {name} on {len(known):,} deployments")
    model = makers[name]().fit(known)
    progress("estimating the effect of the hour a second way")
    return Trained(
        name,
        model,
        cut_off,
        len(known),
        int(known["is_failed"].sum()),
        fingerprint(known),
        judgements,
        tests[name].forecasts,
        references(known, chosen(*model.feature_names()), cut_off),
        second_estimates(known, model),
        kind,
    )


def competing(only: str | Any | None) -> dict[str, Callable[[], Candidate]]:
    """What makes the candidates that are judged, by name, the rate first; the one asked for is the last."""
    if only is None:
        return {name: CANDIDATES[name] for name in COMPETING}
    return {"rate": CANDIDATES["rate"], **dict([maker(only)])}


def tested(
    rows: pl.DataFrame,
    name: str,
    make: Callable[[], Candidate],
    cut_off: datetime,
    progress: Callable[[str], None],
) -> Backtest:
    begins = cut_off - JUDGED
    return backtest(rows, make, begins, cut_off, EVERY, cut_off, lambda step: progress(f"judging {name}: {step}"))


def judged(tests: Mapping[str, Backtest]) -> dict[str, Scores]:
    """How each did on the deployments that have settled; nothing where these are too few."""
    known = {name: test.forecasts.filter("is_settled") for name, test in tests.items()}
    if not all(is_enough(one) for one in known.values()):
        return {}
    return {name: scores_of(one) for name, one in known.items()}


def is_enough(settled_forecasts: pl.DataFrame) -> bool:
    """Whether one may judge by them."""
    return len(settled_forecasts) >= ENOUGH and settled_forecasts["is_failed"].sum() >= ENOUGH_FAILURES


def not_learned(forecasts: pl.DataFrame, champion: Served) -> pl.DataFrame:
    """Those that have settled, and were made at the champion's cut-off or later: from no less than it knew."""
    return forecasts.filter(pl.col("is_settled"), pl.col("cut_off") >= champion.entry.cut_off)


def of_kind(
    champion: Served,
    tests: Mapping[str, Backtest],
    rows: pl.DataFrame,
    cut_off: datetime,
    progress: Callable[[str], None],
) -> pl.DataFrame | str:
    """What the champion's kind forecast: known from these tests, or by new ones of it; or why neither."""
    name = champion.entry.recipe
    if name in tests:
        return tests[name].forecasts
    try:
        return tested(rows, f"{name}, the champion's kind", anew(champion.model), cut_off, progress).forecasts
    except (EstimatorFailed, TypeError, ValueError, AttributeError, RuntimeError) as error:  # of one that is not ours
        return f"its kind ({name}) cannot be trained anew: {in_a_line(error)}"


def scores_of(forecasts: pl.DataFrame) -> Scores:
    """The scores of forecasts as `models.backtest` gives them, all of which have settled."""
    chance, base = forecasts["chance"].to_numpy(), forecasts["base"].to_numpy()
    return scored(chance, base, failed_of(forecasts), days_of(forecasts))


def best(tests: Mapping[str, Backtest], judgements: Mapping[str, Scores]) -> str:
    """The simplest candidate that none clearly beats.

    The regression if it did better than the rate, and the blend in its place if that was clearly better still.
    """
    if not judgements:
        return UNJUDGED
    if judgements["regression"].log_loss >= judgements["rate"].log_loss:
        return "rate"
    between = compared(*(tests[name].forecasts.filter("is_settled") for name in ("blend", "regression")))
    return "blend" if between.high < 0 else "regression"


def compared(forecasts: pl.DataFrame, others: pl.DataFrame) -> Gain:
    """What forecasts gained on others of the same deployments."""
    failed = failed_of(forecasts)
    mine, theirs = (log_losses(one["chance"].to_numpy(), failed) for one in (forecasts, others))
    return gain(mine, theirs, days_of(forecasts))


def refusals(trained: Trained, champion: Served | None, pair: Beside | str | None) -> list[str]:
    """Why the model must not be promoted, in words; empty: it passes the gate.

    It may be neither clearly worse than the rate nor than the champion, or its kind (`pair`, as `beside` gives it), and
    must be calibrated, as far as can be told.
    """
    own = trained.judgements.get(trained.name)
    if own is None:
        return []
    reasons = []
    if own.gain.low > 0:
        said = worse(own.gain, own.n, own.failures)
        reasons.append(f"it is clearly worse than the rate of all deployments ({said})")
    found = own.calibration
    if found is not None and (found.slope_high < STEEPEST[0] or found.slope_low > STEEPEST[1]):
        reasons.append(f"it is not calibrated: a slope of {found.slope:.2f}, where 1 is right")
    if champion is not None and isinstance(pair, Beside) and (gain := pair.gain).low > 0:
        said = worse(gain, len(pair.own), int(failed_of(pair.own).sum()))
        reasons.append(f"it is clearly worse than {named(champion, pair)} ({said})")
    return reasons


def worse(gain: Gain, n: int, failures: int) -> str:
    """How much worse, in words: the log loss against the other's, with its interval, and of what that is known."""
    by, least, most = (f"{-100 * value:.2g}" for value in (gain.skill, gain.skill_high, gain.skill_low))
    return f"log loss {by} % higher, {least} to {most}, on {n:,} deployments of which {failures:,} failed"


def remarks(champion: Served | None, pair: Beside | str | None) -> list[str]:
    """What must be known of a model that passes the gate: that it was not compared with the champion, and why.

    Or that it no longer is clearly better than the rate where the champion was. That alone refuses nothing: of two
    models between which there is no clear difference, one may lie on this side of a bound and one on the other.
    """
    if champion is None or pair is None:
        return []
    if isinstance(pair, str):
        return [f"It was not compared with {uncompared(champion, pair)}."]
    own, other = (scores_of(one).gain for one in (pair.own, pair.other))
    if other.high < 0 <= own.high:
        other_is = f"while {named(champion, pair)}, is on the same ones, without a clear difference between the two"
        return [f"It is not clearly better than the rate of all deployments, {other_is}."]
    return []


def uncompared(champion: Served, pair: Beside | str | None) -> str:
    """The champion that a model could not be held against, and why, in words; empty: it was."""
    return f"the champion, version {champion.entry.version}: {pair}" if isinstance(pair, str) else ""


def beside(trained: Trained, rows: pl.DataFrame, champion: Served | None) -> Beside | str | None:
    """The model and the champion on what neither had learned from, where the model knew no less; or why not.

    Null: there was no champion.

    Where too little of that has settled, the champion's kind stands for it: trained anew at each cut-off as the model
    is, on all that the model is judged by.
    """
    if champion is None:
        return None
    since = not_learned(trained.forecasts, champion)
    if is_enough(since):
        seen = since.select("deployment_id").join(rows, on="deployment_id", how="left", maintain_order="left")
        return Beside(since, since.with_columns(chance=pl.Series(champion.model.predict(seen))), is_kind=False)
    if isinstance(trained.kind, pl.DataFrame):
        return Beside(trained.forecasts.filter("is_settled"), trained.kind.filter("is_settled"), is_kind=True)
    return trained.kind or "too little has settled"


def named(champion: Served, pair: Beside) -> str:
    """What a model is held against, in words."""
    entry = champion.entry
    kind = f"the champion's kind ({entry.recipe}), trained anew at the same times"
    return kind if pair.is_kind else f"the champion, version {entry.version}"


def failed_of(forecasts: pl.DataFrame) -> Booleans:
    return forecasts["is_failed"].to_numpy().astype(np.bool_)


def days_of(forecasts: pl.DataFrame) -> Days:
    return forecasts["started_at"].to_numpy().astype("datetime64[D]")


def fingerprint(rows: pl.DataFrame) -> str:
    """A digest of the rows, whatever their order."""
    text = rows.sort("deployment_id").select(sorted(rows.columns)).write_csv()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def metrics_of(found: Scores) -> dict[str, float]:
    """The scores as numbers by name, as a registry keeps them; what cannot be told is left out."""
    values: dict[str, float | None] = {
        "n": found.n,
        "failures": found.failures,
        "log_loss": found.log_loss,
        "skill": found.gain.skill,
        "skill_low": found.gain.skill_low,
        "skill_high": found.gain.skill_high,
        "auc": found.auc,
        "calibration_slope": None if found.calibration is None else found.calibration.slope,
        "top_tenth": found.top_tenth,
    }
    return {name: float(value) for name, value in values.items() if value is not None}

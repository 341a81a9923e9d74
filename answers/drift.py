"""Whether what the champion learned from still holds, and deployments since its cut-off are like it and fail so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from shipcast.answers.answer import Count, Instant, Number, Part, utc
from shipcast.answers.kept import kept
from shipcast.answers.statistics import garwood
from shipcast.answers.words import plural, times
from shipcast.features.errors import FeatureFailed
from shipcast.features.feature import Feature, catalogue, chosen
from shipcast.features.history import History
from shipcast.features.matrix import learnable, matrix
from shipcast.features.own import enter_files
from shipcast.models.backtest import settled
from shipcast.models.drift import FEWEST, SHORTEST, FeatureDrift, Reference, drifts, read_references
from shipcast.models.errors import ModelDamaged, ModelMissing
from shipcast.models.registry import Champion, Registry
from shipcast.models.scores import crowding
from shipcast.models.serving import Served, served
from shipcast.models.training import ENOUGH, ENOUGH_FAILURES, days_of, failed_of
from shipcast.settings import Settings
from shipcast.settings.errors import ModelError

FILE = "reference.json"
MOST_NAMED = 3
CHANGED, CHANGED_ROWS = 0.1, 5  # by more than that share, and by as many rows, what is known of the past must differ


class FeatureMove(Part):
    """How far a feature has moved since the cut-off, from what the model learned from.

    Parameters
    ----------
    says
        The feature in words; null: nothing defines it any more.
    n
        The deployments since.
    psi
        The population stability index, less what luck alone makes of so many.
    usual
        The most that spans as long differed, in the year before, from what lay before them.
    is_drifting
        Whether `psi` lies above that by 0.25 at least.
    """

    feature: str
    says: str | None
    n: Count
    psi: Number
    usual: Number
    is_drifting: bool


class SinceCutOff(Part):
    """The failures that the model forecasts of the deployments which started since its cut-off and have settled.

    Parameters
    ----------
    n, failures
        These deployments, and how many of them failed.
    expected
        How many failures the model forecasts, knowing of each deployment what was known when it started.
    ratio, ratio_low, ratio_high
        Failures by those expected, with a 95 % interval (Garwood) that allows for failures which come together on one
        day. Null: there are too few deployments or failures.
    is_drifting
        Whether 1 lies outside of the interval.
    """

    n: Count
    failures: Count
    expected: Number
    ratio: Number | None
    ratio_low: Number | None
    ratio_high: Number | None
    is_drifting: bool


class Learned(Part):
    """What the model learned from, beside what is known now of the same time: all that had settled by its cut-off.

    Parameters
    ----------
    deployments, failures
        As it learned from them.
    deployments_now, failures_now
        As they are counted now; rows of that time may have come later, or been corrected.
    is_changed
        Whether either differs by more than a tenth, and by 5 at least.
    """

    deployments: Count
    failures: Count
    deployments_now: Count
    failures_now: Count
    is_changed: bool


class Drift(Part):
    """Whether the model is due to be trained again though it is not old.

    Parameters
    ----------
    since
        The cut-off of the model.
    n
        The deployments that have started since, and ended.
    features
        Of those that may drift, the farthest first. Empty: too early to say, or it is not known what they were.
    learned
        Whether what it learned from is still what is known of that time. Null: that is not recorded, or not legible.
    untold
        Why nothing is said of features or calibration; empty: something is said of both.
    is_due
        Whether a feature, the calibration or what is known of the past has moved.
    """

    since: Instant
    n: Count
    features: tuple[FeatureMove, ...]
    calibration: SinceCutOff
    learned: Learned | None
    untold: tuple[str, ...]
    is_due: bool
    sentence: str


def drift(history: History, settings: Settings, serving: Served) -> Drift | str:
    """What has moved since the model's cut-off, by all that was known at the history's instant; or why that is unknown.

    The model, and what is kept beside it, is held against the deployments since: nothing is computed anew of those
    that it learned from.
    """
    entry = serving.entry
    try:
        enter_files(settings.features)
        features = chosen(*serving.model.feature_names())
    except (FeatureFailed, ModelError) as error:
        return error.detail
    rows = matrix(history, features, since=entry.cut_off).filter(~pl.col("is_rollback"))
    known = kept(settings.home, entry, FILE, references_of)
    span = history.at - entry.cut_off
    moved = () if isinstance(known, str) else moves(drifts(known, rows, span), len(rows))
    found = calibrated(serving, settled(rows, history.at))
    untold = untold_of(known, rows, span, found)
    learned = learned_then(history, settings.home, entry)
    is_changed = learned is not None and learned.is_changed
    return Drift(
        since=utc(entry.cut_off),
        n=len(rows),
        features=moved,
        calibration=found,
        learned=learned,
        untold=untold,
        is_due=is_changed or found.is_drifting or any(one.is_drifting for one in moved),
        sentence=sentence(entry.cut_off, len(rows), moved, found, learned),
    )


def due(history: History, settings: Settings) -> str | None:
    """Why `run` must train as of the history's instant, in one sentence; null: it need not.

    Never before a failure has settled: a model that has seen none would have a say where the data itself has more.

    Raises
    ------
    ModelError
        The list of champions is lost, damaged, or of a later version.
    """
    if not learnable(history)[1]:
        return None
    try:
        serving = served(settings.home, history.at)
    except (ModelMissing, ModelDamaged) as error:
        return f"Trained anew: {error.detail}"
    if serving is None:
        return "Trained, since no model served yet."
    age = history.at - serving.entry.cut_off
    if is_old(age, settings.retrain_days):
        return f"Retrained: the champion is {plural(age.days, 'day')} old."
    learned = learned_then(history, settings.home, serving.entry)
    if learned is not None and learned.is_changed:
        return f"Retrained: {changed(learned)}."
    found = drift(history, settings, serving)
    return None if isinstance(found, str) or not found.is_due else f"Retrained: {reason(found)}."


def is_old(age: timedelta, retrain_days: float) -> bool:
    """Whether `run` trains anew for the age of the model; it never does where `retrain_days` is 0."""
    return 0 < retrain_days <= age / timedelta(days=1)


def reason(found: Drift) -> str:
    """What has moved, in words."""
    of_the_past = [changed(found.learned)] if found.learned is not None and found.learned.is_changed else []
    return "; ".join([*of_the_past, *filter(None, [drifted(found.features, found.calibration)])])


def learned_then(history: History, home: Path, entry: Champion) -> Learned | None:
    """What a champion learned from, as its version says, and what is known now of the same time; null: not recorded."""
    try:
        version = next((one for one in Registry(home).versions() if one.run_id == entry.run_id), None)
        told = {} if version is None else version.parameters
        then = int(told["deployments"]), int(told["failures"])
    except (ModelError, OSError, KeyError, ValueError):
        return None
    now = learnable(replace(history, at=entry.cut_off, cache={}))
    return Learned(
        deployments=then[0],
        failures=then[1],
        deployments_now=now[0],
        failures_now=now[1],
        is_changed=any(differs(*counts) for counts in zip(then, now, strict=True)),
    )


def differs(then: int, now: int) -> bool:
    """Whether a count differs by more than a tenth, and not by a few rows alone.

    >>> differs(40, 44), differs(40, 45), differs(3, 6), differs(0, 5), differs(1000, 1100), differs(1000, 899)
    (False, True, False, True, False, True)
    """
    return abs(now - then) >= CHANGED_ROWS and abs(now - then) > CHANGED * then


def changed(learned: Learned) -> str:
    """What the champion learned from and what is known of that time now, in words."""
    then = f"{plural(learned.deployments, 'settled deployment')} ({learned.failures:,} failed)"
    now = f"{learned.deployments_now:,} ({learned.failures_now:,} failed) are known of that time now"
    return f"the champion learned from {then}, where {now}"


def references_of(path: Path) -> dict[str, Reference] | str:
    """What was kept of the features with a model, or why that is unknown."""
    try:
        return read_references(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return f"{path} cannot be read: {error}."


def moves(found: Sequence[FeatureDrift], n: int) -> tuple[FeatureMove, ...]:
    known: dict[str, Feature] = {one.name: one for one in catalogue()}
    return tuple(
        FeatureMove(
            feature=one.name,
            says=known[one.name].says if one.name in known else None,
            n=n,
            psi=one.psi,
            usual=one.usual,
            is_drifting=one.is_clear,
        )
        for one in found
    )


def calibrated(serving: Served, rows: pl.DataFrame) -> SinceCutOff:
    """The failures among these settled deployments beside those that the model forecasts."""
    rows = rows.sort("started_at", "deployment_id")
    chance, failed = serving.model.predict(rows) if len(rows) else np.zeros(0), failed_of(rows)
    expected, failures = float(chance.sum()), int(failed.sum())
    if len(rows) < ENOUGH or max(failures, expected) < ENOUGH_FAILURES:
        return SinceCutOff(
            n=len(rows),
            failures=failures,
            expected=expected,
            ratio=None,
            ratio_low=None,
            ratio_high=None,
            is_drifting=False,
        )
    crowd = crowding(chance, failed, days_of(rows))
    low, high = garwood(failures / crowd, expected / crowd) or (0.0, np.inf)
    return SinceCutOff(
        n=len(rows),
        failures=failures,
        expected=expected,
        ratio=failures / expected,
        ratio_low=low,
        ratio_high=high,
        is_drifting=not low <= 1 <= high,
    )


def untold_of(
    known: dict[str, Reference] | str, rows: pl.DataFrame, span: timedelta, found: SinceCutOff
) -> tuple[str, ...]:
    """Why nothing is said of features, or of calibration."""
    said = []
    if isinstance(known, str):
        said.append(f"Features: {known}")
    elif len(rows) < FEWEST or span < SHORTEST:
        least = f"{FEWEST} deployments and {SHORTEST.days} days"
        said.append(f"Features: too early to say; that takes {least} since the model's cut-off.")
    if found.ratio is None:
        least = f"{ENOUGH} deployments that have settled since, and {ENOUGH_FAILURES} failures, come or forecast"
        said.append(f"Calibration: too early to say; that takes {least}.")
    return tuple(said)


def sentence(since: datetime, n: int, moved: Sequence[FeatureMove], found: SinceCutOff, learned: Learned | None) -> str:
    """What has drifted since the cut-off, or that nothing has, or why that cannot be said; and what changed before."""
    before = f" The time before has changed: {changed(learned)}." if learned is not None and learned.is_changed else ""
    return since_said(since, n, moved, found) + before


def since_said(since: datetime, n: int, moved: Sequence[FeatureMove], found: SinceCutOff) -> str:
    period = f"Since {since:%-d %b %Y}"
    words = drifted(moved, found)
    if words:
        return f"{period}, {words}."
    counted = f"{plural(n, 'deployment')}, {found.n:,} of them settled"
    if not moved and found.ratio is None:
        return f"{period} ({counted}) it is too early to say whether anything drifted."
    parts = ["no feature drifted"] if moved else []
    if found.ratio is not None:
        parts.append(f"{said(found)}, which may be luck")
    return f"{period} ({counted}), {'; '.join(parts)}."


def drifted(moved: Sequence[FeatureMove], found: SinceCutOff) -> str:
    """What has drifted, in words; empty: nothing has.

    >>> interval = {"ratio": 3.5, "ratio_low": 1.8, "ratio_high": 6.3}
    >>> drifted([], SinceCutOff(n=400, failures=11, expected=3.1, **interval, is_drifting=True))
    'the champion forecast 3.1 failures where 11 came (1.8 to 6.3 times as many)'
    """
    far = [one for one in moved if one.is_drifting]
    names = ", ".join(f"{one.feature} (PSI {one.psi:.2f}, at most {one.usual:.2f} before)" for one in far[:MOST_NAMED])
    more = f" and {len(far) - MOST_NAMED} more" if len(far) > MOST_NAMED else ""
    parts = [f"{names}{more} drifted over {plural(far[0].n, 'deployment')}"] if far else []
    return "; ".join([*parts, *([said(found)] if found.is_drifting else [])])


def said(found: SinceCutOff) -> str:
    """The failures forecast beside those that came."""
    interval = (
        ""
        if found.ratio_low is None or found.ratio_high is None
        else f" ({times(found.ratio_low)} to {times(found.ratio_high)} times as many)"
    )
    return f"the champion forecast {found.expected:.1f} failures where {found.failures:,} came{interval}"

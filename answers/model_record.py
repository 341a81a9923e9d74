"""The record of trained models: which of them served, how each did, and every training that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from shipcast.answers.answer import utc
from shipcast.answers.backtest import Summary, scored
from shipcast.answers.failure_quality import judged, told
from shipcast.answers.kept import kept
from shipcast.answers.reading import Reader
from shipcast.answers.training import SCORES, CandidateScore
from shipcast.answers.words import plural
from shipcast.features.history import History
from shipcast.models.registry import FAILURE, Champion, champion, promoted
from shipcast.models.tracking import NONE_BEFORE, REFUSED, UNCOMPARED
from shipcast.models.training import ENOUGH_FAILURES

if TYPE_CHECKING:
    from shipcast.models.registry import Version

PRODUCTION = "production"  # models are trained for no other
SPAN = timedelta(days=28)
SCORES_FILE = "scores.json"


@dataclass(frozen=True)
class Served:
    """A champion, past or present.

    Parameters
    ----------
    cut_off, promoted_at
        What became known at the first or later, it has not learned; since the second it answers, or did.
    serves
        Whether it is the one that answers as of the question.
    scores
        How its forecasts did by what has settled since, as `quality` counts it; null for `unknown`.
    """

    version: int
    recipe: str
    cut_off: datetime
    promoted_at: datetime
    serves: bool
    scores: Summary | None
    unknown: str | None


@dataclass(frozen=True)
class Training:
    """A training that is kept.

    Parameters
    ----------
    role
        `champion`: it serves today; `challenger`: the last that was trained, and does not; else empty.
    n, skill, skill_low, skill_high, auc, calibration_slope
        How it did when it was trained; null where too little had settled.
    refused
        Why it must not be promoted; empty: it passes the gate, as far as can be told.
    uncompared
        What it was not compared with, and why, such as "a champion: there was none"; empty: it was compared with the
        champion, or it was trained before that was kept.
    candidates
        The scores of all that competed; empty: none were judged, or by a version that kept none.
    """

    version: int
    recipe: str
    role: str
    cut_off: datetime
    recorded_at: datetime
    deployments: int
    failures: int
    n: int | None
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    auc: float | None
    calibration_slope: float | None
    refused: str
    uncompared: str
    candidates: tuple[CandidateScore, ...]


@dataclass(frozen=True)
class SkillSpan:
    """Four weeks of forecasts that have settled: the share of the base rate's log loss that was saved.

    `skill` and its 95 % interval are null where too few settled, or failed.
    """

    start: datetime
    end: datetime
    n: int
    failures: int
    skill: float | None
    skill_low: float | None
    skill_high: float | None


def champions(reader: Reader) -> tuple[Served, ...]:
    """Those that served questions up to the reader's `as_of`, the present one first.

    Raises
    ------
    ModelError
        The list of champions is lost, damaged, or of a later version.
    """
    home, history = reader.settings.home, reader.history(PRODUCTION)
    now = champion(home, reader.at)
    known = [entry for entry in promoted(home, FAILURE) if entry.cut_off <= reader.at]
    return tuple(served_by(entry, history, home, serves=entry == now) for entry in reversed(known))


def served_by(entry: Champion, history: History, home: Path, *, serves: bool) -> Served:
    found = settled_of(history, home, entry)
    return Served(
        version=entry.version,
        recipe=entry.recipe,
        cut_off=utc(entry.cut_off),
        promoted_at=utc(entry.promoted_at),
        serves=serves,
        scores=None if isinstance(found, str) else told(scored(found)),
        unknown=found if isinstance(found, str) else None,
    )


def settled_of(history: History, home: Path, entry: Champion) -> pl.DataFrame | str:
    """The forecasts of a champion that have settled, or why there are none."""
    known = judged(history, home, entry)
    if isinstance(known, str):
        return known
    settled = known.filter("is_settled")
    return settled if len(settled) else f"None of {plural(len(known), 'forecast')} has settled."


def trainings(reader: Reader) -> tuple[Training, ...]:
    """Every training of the chance of failure whose cut-off is not after the reader's `as_of`, the newest first.

    Where they changed since they were read last, they are MLflow's to tell, which takes seconds to import.

    Raises
    ------
    StoreUnusable
        MLflow's store is damaged, or of another version of MLflow.
    """
    from shipcast.models.registry import Registry

    home = reader.settings.home
    found = Registry(home).versions()
    return tuple(training(home, each) for each in found if each.kind == FAILURE and each.cut_off <= reader.at)


def training(home: Path, version: Version) -> Training:
    scores, facts = version.metrics, version.parameters
    judged_by = scores.get("n")
    return Training(
        version=version.number,
        recipe=version.recipe,
        role=version.alias or "",
        cut_off=utc(version.cut_off),
        recorded_at=utc(version.recorded_at),
        deployments=int(facts.get("deployments", 0)),
        failures=int(facts.get("failures", 0)),
        n=None if judged_by is None else int(judged_by),
        **{name: scores.get(name) for name in ("skill", "skill_low", "skill_high", "auc", "calibration_slope")},
        refused=facts.get(REFUSED, ""),
        uncompared=facts.get(UNCOMPARED, NONE_BEFORE if version.number == 1 else ""),
        candidates=candidates(home, version),
    )


def candidates(home: Path, version: Version) -> tuple[CandidateScore, ...]:
    """The scores kept with a version; empty: there are none, or they are not as they were recorded."""
    found = kept(home, Champion.of(version), SCORES_FILE, lambda path: SCORES.validate_json(path.read_bytes()))
    return () if isinstance(found, str) else found


def skill_over_time(reader: Reader) -> tuple[SkillSpan, ...]:
    """How the champion's forecasts did against the base rate, four weeks by four weeks; empty: none has settled.

    Raises
    ------
    ModelError
        As `champions`.
    """
    entry = champion(reader.settings.home, reader.at)
    settled = "" if entry is None else settled_of(reader.history(PRODUCTION), reader.settings.home, entry)
    if isinstance(settled, str):
        return ()
    first = settled["started_at"].min()
    passed = (pl.col("started_at") - first).dt.total_microseconds() // (SPAN // timedelta(microseconds=1))
    spans = settled.with_columns(span=passed).partition_by("span", as_dict=True)
    return tuple(skill_span(first + number * SPAN, spans[number,]) for (number,) in sorted(spans))


def skill_span(start: datetime, rows: pl.DataFrame) -> SkillSpan:
    found = scored(rows)
    is_known = found.failures >= ENOUGH_FAILURES
    skill = (found.skill, found.skill_low, found.skill_high) if is_known else (None, None, None)
    return SkillSpan(utc(start), utc(start + SPAN), found.n, found.failures, *skill)


def gate_said(one: Training) -> str:
    """What the gate says of a training."""
    if one.refused:
        return f"refused: {one.refused}"
    if not one.n:
        return "not compared with anything: too little had settled"
    return f"passes against the base rate; not compared with {one.uncompared}" if one.uncompared else "passes"


def champions_said(found: tuple[Served, ...]) -> str:
    """How many served, and since when the present one does, in a sentence.

    >>> champions_said(())
    'No model has served yet.'
    """
    if not found:
        return "No model has served yet."
    first, now = found[-1], next((one for one in found if one.serves), found[0])
    since = f"{plural(len(found), 'champion')} kept, the first promoted on {first.promoted_at:%-d %b %Y}"
    return f"Version {now.version} serves since {now.promoted_at:%-d %b %Y %H:%M} UTC; {since}."


def skill_said(skill: float | None, low: float | None, high: float | None) -> str:
    """The share of the base rate's log loss that was saved, with its interval; empty: not known.

    >>> skill_said(0.025, -0.012, 0.06)
    '+2.5 % (-1.2 to +6.0)'
    """
    if skill is None or low is None or high is None:
        return ""
    return f"{skill * 100:+.1f} % ({low * 100:+.1f} to {high * 100:+.1f})"

"""Models: which one serves, how it came to, whether it still fits, and the commands that change that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import streamlit as st

from shipcast.answers.model_record import (
    Training,
    champions,
    champions_said,
    gate_said,
    skill_said,
    trainings,
)
from shipcast.answers.quality import QualityAnswer, quality, serving_said
from shipcast.answers.source import Source
from shipcast.answers.training import CandidateScore
from shipcast.answers.words import age, local_time, plural
from shipcast.dashboards import cards
from shipcast.dashboards.filters import select
from shipcast.dashboards.links import link
from shipcast.dashboards.pages.forecast_quality import AT_ONCE
from shipcast.dashboards.view import View
from shipcast.models.tracking import FOLDER, STORE

TITLE, PATH = "Models", "models"
NONE_YET = "No model was trained on what was known by then. `shipcast train` trains one; the first serves at once."
SCORE_COLUMNS = ("model", "n", "failed", "log loss", "against the base", "AUC", "slope", "failures in riskiest tenth")
COMMANDS = (
    ("Train on all that is known now; it stays the challenger", "shipcast train"),
    ("Train, and let it serve if it passes the gate", "shipcast train --promote"),
    ("Go back to the champion before the present one", "shipcast train --rollback"),
    ("How it would have done on the past, with models of that time", "shipcast backtest"),
)


def draw(view: View) -> None:
    found = view.ask(quality, parts=AT_ONCE)
    cards.headline(found.sentence if found.model is None else serving_said(found.model))
    with cards.card("Is it time to train again?"):
        due(found)
    if found.model is not None:
        with cards.card("Champions"):
            served(view)
    with cards.card("Commands"):
        commands()
    if has_store(view.source):
        with cards.card("Trainings and their gates"):
            trained(view)
    cards.notes(found.warnings)


def ask_ahead(source: Source) -> None:
    """Ask all that the page asks."""
    source.ask(quality, parts=AT_ONCE)
    if has_store(source):
        trainings_of(source)


def has_store(source: Source) -> bool:
    return store_of(source).exists()


def store_of(source: Source) -> Path:
    return source.settings.home / FOLDER / STORE


def trainings_of(source: Source) -> tuple[Training, ...]:
    return source.ask(trainings, beside=(store_of(source),))


def due(found: QualityAnswer) -> None:
    """Age against the setting, and what has drifted since the cut-off."""
    if found.model is None:
        cards.empty(NONE_YET)
        return
    model = found.model
    word = "It is due to be trained again." if model.is_due else "It is not due to be trained again."
    after = (
        f"it is due at {model.retrain_days:g} days (setting `retrain_days`)"
        if model.retrain_days
        else "age never counts"
    )
    cards.text(
        f"{word} Its data ends {age(timedelta(days=model.age_days))} before; {after}, or when deployments drift, "
        "or when much of the time before has come or changed since."
    )
    if found.drift is None:
        cards.empty(found.missing["drift"])
        return
    cards.text(found.drift.sentence)
    for line in found.drift.untold:
        cards.note(line)
    cards.table(
        ["feature", "what it is", "PSI", "at most before", "deployments since", "moved"],
        [
            [
                one.feature,
                one.says or "nothing defines it any more",
                f"{one.psi:.2f}",
                f"{one.usual:.2f}",
                f"{one.n:,}",
                "drifted" if one.is_drifting else "as before",
            ]
            for one in found.drift.features
        ],
        "How far features moved since the cut-off; one has drifted if its PSI is 0.25 above what was usual",
        numbers=("PSI", "at most before", "deployments since"),
        download="drift",
    )
    link("quality", "How good the forecasts were")


def served(view: View) -> None:
    """Who served questions, as of their cut-offs, and how each did by what has settled."""
    found = view.ask(champions)
    cards.text(champions_said(found))
    zone = view.filters.zone
    cards.table(
        ["version", "kind", f"data up to ({zone})", f"promoted ({zone})", "serves", "n", "failed", "against the base"],
        [
            [
                one.version,
                one.recipe,
                local_time(one.cut_off, zone, view.as_of),
                local_time(one.promoted_at, zone, view.as_of),
                "now" if one.serves else "questions about the past",
                "" if one.scores is None else f"{one.scores.n:,}",
                "" if one.scores is None else f"{one.scores.failures:,}",
                one.unknown
                if one.scores is None
                else skill_said(one.scores.skill, one.scores.skill_low, one.scores.skill_high) or "not enough data",
            ]
            for one in found
        ],
        "Champions, the present one first; against the base: log loss saved, with its 95 % interval",
        numbers=("version", "n", "failed"),
        download="champions",
    )


def commands() -> None:
    cards.note("Models change by commands alone; nothing on this page does.")
    for column, (says, command) in zip(st.columns(2) * 2, COMMANDS, strict=True):
        with column:
            cards.text(says)
            cards.code(command)


def trained(view: View) -> None:
    """What the registry keeps; where another program has changed it, MLflow reads it, which takes seconds."""
    with st.spinner("Reading the registry"):
        found = trainings_of(view.source)
    if not found:
        cards.empty(NONE_YET)
        return
    zone = view.filters.zone
    cards.table(
        ["version", "kind", "role", f"trained ({zone})", "learned from", "against the base", "gate"],
        [
            [
                one.version,
                one.recipe,
                one.role,
                local_time(one.recorded_at, zone, view.as_of),
                f"{plural(one.deployments, 'deployment')}, {one.failures:,} failed, all up to "
                f"{local_time(one.cut_off, zone, view.as_of)}",
                skill_said(one.skill, one.skill_low, one.skill_high) or "not enough data",
                gate_said(one),
            ]
            for one in found
        ],
        f"{plural(len(found), 'training')} kept, the newest first, as they did when they were trained",
        numbers=("version",),
        download="trainings",
    )
    candidates(found)


def candidates(found: tuple[Training, ...]) -> None:
    """All that competed in one training."""
    names = {f"Version {one.version}": one for one in found}
    one = names[select("Candidates of", "training", list(names))]
    if not one.candidates:
        cards.empty(f"No candidate of version {one.version} was judged, or its scores are not as they were recorded.")
        return
    cards.table(
        SCORE_COLUMNS,
        [score_row(candidate) for candidate in one.candidates],
        f"What competed in version {one.version}, of which {one.recipe} was kept",
        numbers=SCORE_COLUMNS[1:],
        download=f"candidates-{one.version}",
    )


def score_row(one: CandidateScore) -> list[object]:
    return [
        one.model,
        f"{one.n:,}",
        f"{one.failures:,}",
        f"{one.log_loss:.4f}",
        skill_said(one.skill, one.skill_low, one.skill_high),
        *("" if value is None else f"{value:.2f}" for value in (one.auc, one.calibration_slope, one.top_tenth)),
    ]

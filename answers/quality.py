"""`quality`: how the models did, so that anybody can say whether to believe them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Number, Part, utc
from shipcast.answers.decision_quality import DecisionQuality, decision_quality
from shipcast.answers.drift import Drift, drift, is_old, reason
from shipcast.answers.failure_quality import Band, FailureQuality, failure_quality
from shipcast.answers.hour_quality import HourQuality, hour_quality
from shipcast.answers.load_quality import LoadQuality, load_quality
from shipcast.answers.reading import Reader
from shipcast.answers.restore_quality import RestoreQuality, restore_quality
from shipcast.answers.words import age
from shipcast.features.history import History
from shipcast.models.registry import Champion, champion
from shipcast.models.serving import served
from shipcast.settings import Settings
from shipcast.settings.errors import ModelError

ENVIRONMENT = "production"  # models are trained for no other
DAY = timedelta(days=1)
NOT_TRAINED = "No model was trained on what was known by then."
NOT_ASKED = "It was not asked for."
PARTS = ("failure", "drift", "hours", "load", "restore", "decisions")


class ServingModel(Part):
    """The champion that answers as of the question's time.

    `is_due`: it is older, by its cut-off, than the `retrain_days` of the settings, or deployments have drifted.
    """

    recipe: str
    version: Count
    cut_off: Instant
    age_days: Number
    retrain_days: Number
    is_due: bool


class QualityAnswer(Answer):
    """How the models did, by all outcomes known at `as_of` and none known later. A part is null where that is unknown.

    Parameters
    ----------
    items
        What was said of the chance of failure, and what became of it.
    model
        Null: none was trained on what was known by then.
    hours
        Whether a second estimate of the effect of the hour bears out the model's, as known at the model's cut-off.
    decisions
        What became of the advice that was given.
    missing
        Why a part is null, by its name.
    """

    schema_name: Literal["shipcast/quality/1"] = Field("shipcast/quality/1", alias="schema")
    environment: str
    items: tuple[Band, ...]
    model: ServingModel | None
    failure: FailureQuality | None
    drift: Drift | None
    hours: HourQuality | None
    load: LoadQuality | None
    restore: RestoreQuality | None
    decisions: DecisionQuality | None
    missing: dict[str, str]


def quality(
    reader: Reader, progress: Callable[[str], None] = lambda message: None, parts: Collection[str] = PARTS
) -> QualityAnswer:
    """How the three forecasts of production did, as known at the reader's `as_of`.

    Parameters
    ----------
    parts
        Those of `PARTS` that are wanted; the others are missing. To forecast the load takes seconds.

    Raises
    ------
    ModelError
        The list of champions is lost, damaged, or of a later version.
    """
    history = reader.history(ENVIRONMENT)
    entry = champion(reader.settings.home, reader.at)
    judges: dict[str, Callable[[], Any]] = {
        "failure": lambda: NOT_TRAINED if entry is None else failure_quality(history, reader.settings.home, entry),
        "drift": lambda: NOT_TRAINED if entry is None else drift_of(history, reader.settings),
        "hours": lambda: NOT_TRAINED if entry is None else hour_quality(reader.settings.home, entry),
        "load": lambda: load_quality(history, progress),
        "restore": lambda: restore_quality(history),
        "decisions": lambda: decision_quality(reader),
    }
    found = {name: judge() if name in parts else NOT_ASKED for name, judge in judges.items()}
    missing = {name: part for name, part in found.items() if isinstance(part, str)}
    known: dict[str, Any] = {name: None if name in missing else part for name, part in found.items()}
    moved: Drift | None = known["drift"]
    model = None if entry is None else serving(reader, entry, moved)
    failure: FailureQuality | None = known["failure"]
    return QualityAnswer(
        **reader.envelope(),
        **known,
        environment=ENVIRONMENT,
        items=() if failure is None else failure.bands,
        model=model,
        missing=missing,
        warnings=(*reader.warnings(), *due_warnings(model, moved)),
        sentence=sentence(reader, model, failure, missing),
    )


def drift_of(history: History, settings: Settings) -> Drift | str:
    """What has moved since the champion's cut-off, or why that is unknown."""
    try:
        found = served(settings.home, history.at)
        return NOT_TRAINED if found is None else drift(history, settings, found)
    except ModelError as error:
        return error.detail


def serving(reader: Reader, entry: Champion, moved: Drift | None) -> ServingModel:
    old = reader.at - entry.cut_off
    return ServingModel(
        recipe=entry.recipe,
        version=entry.version,
        cut_off=utc(entry.cut_off),
        age_days=old / DAY,
        retrain_days=reader.settings.retrain_days,
        is_due=is_old(old, reader.settings.retrain_days) or (moved is not None and moved.is_due),
    )


def due_warnings(model: ServingModel | None, moved: Drift | None) -> list[str]:
    if model is None or not model.is_due:
        return []
    is_past = is_old(timedelta(days=model.age_days), model.retrain_days)
    old = [f"it is older than {model.retrain_days:g} days"] if is_past else []
    reasons = old if moved is None or not moved.is_due else [*old, reason(moved)]
    return [f"The model is due to be trained again: {'; '.join(reasons)}."]


def sentence(
    reader: Reader, model: ServingModel | None, failure: FailureQuality | None, missing: dict[str, str]
) -> str:
    """Whether the chances of failure are to be believed, in one sentence."""
    if model is None:
        when = f"{reader.as_of:%-d %b %Y %H:%M} UTC"
        return f"No model was trained on what was known by {when}, so there is none whose past could be judged."
    return missing["failure"] if failure is None else failure.sentence


def serving_said(model: ServingModel) -> str:
    """Who serves, since when, and whether it is due, in one sentence."""
    due = "is due to be trained again" if model.is_due else "is not due to be trained again"
    old = age(timedelta(days=model.age_days))
    learned = f"it learned from what was known by {model.cut_off:%-d %b %Y %H:%M} UTC, {old} before"
    return f"Version {model.version} ({model.recipe}) serves: {learned}, and {due} (at {model.retrain_days:g} days)."

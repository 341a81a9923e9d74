"""`train`: what was trained, how it did against the rate and the champion, and whether it serves now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, TypeAdapter

from shipcast.answers.answer import Answer, Count, Instant, Number, Part, Share
from shipcast.answers.backtest import against_base
from shipcast.answers.windows import TrainedModel, trained_model
from shipcast.answers.words import listing, plural
from shipcast.models.registry import Champion
from shipcast.models.scores import Scores
from shipcast.models.training import Trained, metrics_of

if TYPE_CHECKING:
    from shipcast.models.registry import Version


class CandidateScore(Part):
    """How one candidate forecast the last half year, each deployment from what was known some weeks before.

    `skill` is the share of the base rate's log loss that it saved, with its 95 % interval. Null: cannot be told.
    """

    model: str
    n: Count
    failures: Count
    log_loss: Number
    skill: Number
    skill_low: Number
    skill_high: Number
    auc: Share | None
    calibration_slope: Number | None
    top_tenth: Share | None
    is_chosen: bool


class TrainAnswer(Answer):
    """A training. `refused` says why the model must not be promoted; empty: it passes the gate."""

    schema_name: Literal["shipcast/train/1"] = Field("shipcast/train/1", alias="schema")
    items: tuple[CandidateScore, ...]
    model: str
    version: Count
    cut_off: Instant
    deployments: Count
    failures: Count
    fingerprint: str
    is_champion: bool
    refused: tuple[str, ...]
    sentence: str


class RollbackAnswer(Answer):
    """The champion that serves again after the present one was dropped."""

    schema_name: Literal["shipcast/rollback/1"] = Field("shipcast/rollback/1", alias="schema")
    items: tuple[TrainedModel, ...]
    sentence: str


def rollback_answer(envelope: Mapping[str, Any], entry: Champion) -> RollbackAnswer:
    """The answer about going back to an earlier champion."""
    serving = trained_model(entry)
    said = f"Version {entry.version} ({entry.recipe}) serves again; it learned from all up to {entry.cut_off:%Y-%m-%d}."
    return RollbackAnswer(**envelope, items=() if serving is None else (serving,), sentence=said)


def train_answer(
    envelope: Mapping[str, Any],
    trained: Trained,
    version: Version,
    *,
    is_champion: bool,
    refused: Sequence[str],
    remarks: Sequence[str],
    warnings: Sequence[str],
) -> TrainAnswer:
    """The answer about a training that was recorded, whose sentence ends with the remarks."""
    return TrainAnswer(
        **envelope,
        items=candidate_scores(trained),
        model=trained.name,
        version=version.number,
        cut_off=trained.cut_off.replace(tzinfo=UTC),
        deployments=trained.deployments,
        failures=trained.failures,
        fingerprint=trained.fingerprint,
        is_champion=is_champion,
        refused=tuple(refused),
        warnings=tuple(warnings),
        sentence=" ".join((sentence(trained, version.number, is_champion=is_champion, refused=refused), *remarks)),
    )


def candidate_scores(trained: Trained) -> tuple[CandidateScore, ...]:
    """Those of all that competed; none where too little had settled to judge any."""
    return tuple(score(name, found, is_chosen=name == trained.name) for name, found in trained.judgements.items())


SCORES: TypeAdapter[tuple[CandidateScore, ...]] = TypeAdapter(tuple[CandidateScore, ...], config={"defer_build": True})


def score(name: str, found: Scores, *, is_chosen: bool) -> CandidateScore:
    values: dict[str, Any] = {**dict.fromkeys(("auc", "calibration_slope", "top_tenth")), **metrics_of(found)}
    counts = {"n": found.n, "failures": found.failures}
    return CandidateScore(**{**values, **counts}, model=name, is_chosen=is_chosen)


def sentence(trained: Trained, version: int, *, is_champion: bool, refused: Sequence[str]) -> str:
    """What was trained, what it is worth, and whether it serves."""
    known = f"{plural(trained.deployments, 'deployment')}, of which {trained.failures:,} failed"
    role = "it is the champion now" if is_champion else "it is the challenger"
    if refused:
        role += f", and must not be promoted: {'; '.join(refused)}"
    return f"Trained version {version} ({trained.name}) on {known}: {worth(trained)}; {role}."


def worth(trained: Trained) -> str:
    """What the model saved of the base rate's log loss, in words."""
    own = trained.judgements.get(trained.name)
    if own is None:
        few = "too little has settled to say how good it is"
        return few if trained.failures else "no failure has settled, so that its chances rest on assumptions"
    if trained.name == "rate":
        return f"the rate of all deployments{beaten_by(trained)}"
    return against_base(own.gain.skill, own.gain.skill_low, own.gain.skill_high)


def beaten_by(trained: Trained) -> str:
    """Whether others did better than the rate, in words; empty: there were none."""
    own = trained.judgements["rate"].log_loss
    others = {name: found.log_loss for name, found in trained.judgements.items() if name != "rate"}
    better = [name for name, lost in others.items() if lost < own]
    if better:
        return f", though {listing(better)} did better"
    return ", which no candidate beat" if others else ""


def card(trained: Trained) -> str:
    """The model card of a training, in Markdown: data, cut-off, scores, limits."""
    scores = [row_of(name, found) for name, found in trained.judgements.items()]
    reach = [f"- {name}: {spread:g}" for name, spread in trained.model.describe().get("families", {}).items()]
    parts = [
        f"# The chance of failure ({trained.name}), as known on {trained.cut_off:%Y-%m-%d %H:%M} UTC",
        f"Learned from {plural(trained.deployments, 'settled deployment')}, of which {trained.failures:,} failed: "
        f"{worth(trained)}. Digest of the data: {trained.fingerprint}.",
        "## How it did",
        HOW_JUDGED if scores else "Too little had settled to judge it.",
        *(["\n".join([SCORE_HEAD, *scores])] if scores else []),
        *(["## What it looks at", REACH, "\n".join(reach)] if reach else []),
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def row_of(name: str, found: Scores) -> str:
    skill = " to ".join(f"{value:+.1%}" for value in (found.gain.skill_low, found.gain.skill_high))
    slope = None if found.calibration is None else found.calibration.slope
    cells = [
        name,
        f"{found.n:,}",
        f"{found.failures:,}",
        f"{found.log_loss:.4f}",
        f"{found.gain.skill:+.1%} ({skill})",
        *("" if value is None else f"{value:.2f}" for value in (found.auc, slope, found.top_tenth)),
    ]
    return f"| {' | '.join(cells)} |"


HOW_JUDGED = (
    "Each deployment of the half year before was forecast from what was known up to 28 days before it; those that had "
    "settled count. Skill is the share of the base rate's log loss that was saved."
)
REACH = "How far each family of features may move the log odds, per usual spread of a feature:"
SCORE_HEAD = (
    "| model | n | failed | log loss | skill (95 %) | AUC | slope | share of failures in the riskiest tenth |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)
LIMITS = (
    "It knows what the data say failed, and no more. What goes with failures need not cause them. Of hours at which "
    "a service never shipped it knows what its other hours and other services show. A service that is not in the data "
    "is taken as usual for the company. It learned nothing from rollbacks, and says nothing of them."
)

"""The verbs that train models, and say how they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shipcast.answers.words import LEVEL_MARKS, share
from shipcast.ask import Ask, verb
from shipcast.console import hint, progress, say, show, table

if TYPE_CHECKING:
    from shipcast.answers.failure_quality import Band, FailureQuality, LevelOutcome
    from shipcast.answers.hour_quality import HourQuality, PartOfWeek
    from shipcast.answers.quality import QualityAnswer
    from shipcast.answers.training import CandidateScore, TrainAnswer


def add_verbs(app: typer.Typer) -> None:
    verb(app, "train", "shipcast train --promote")(train_verb)
    verb(app, "quality", "shipcast quality")(quality_verb)


def train_verb(
    ask: Ask,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="regression, blend, boosting or rate; default: the best.")
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make it the champion, if it passes the gate; the first always is.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Train nothing; go back to the champion before the present one.")
    ] = False,
) -> None:
    """Train the chance of failure on all that has settled, judge it, and keep it as a new version."""
    from shipcast.answers.operations import envelope
    from shipcast.answers.training import rollback_answer
    from shipcast.pipeline import roll_back, train

    if rollback:
        back = rollback_answer(envelope(ask.as_of), roll_back(ask.settings))
        show(ask, back, lambda: say(back.sentence))
        return
    answer = train(ask.settings, ask.as_of, model, promote=promote, progress=progress(ask))
    show(ask, answer, lambda: show_training(ask, answer))
    if promote and answer.refused:
        raise typer.Exit(8)


def show_training(ask: Ask, answer: TrainAnswer) -> None:
    """How every candidate did, the chosen one marked."""
    say(answer.sentence)
    columns = ["candidate", "forecasts", "failed", "better than the rate", "AUC", "slope", "top tenth"]
    if answer.items:
        table(columns, [cells(item) for item in answer.items], numbers=columns[1:])
    if not answer.is_champion and not answer.refused:
        hint(ask, "shipcast train --promote")
    else:
        hint(ask, "shipcast windows SERVICE --duration 30m")


def cells(item: CandidateScore) -> list[str]:
    low, mid, high = (f"{value * 100:.0f}" for value in (item.skill_low, item.skill, item.skill_high))
    saved = "" if item.model == "rate" else f"{mid} % ({low} to {high})"
    scores = (None, None, None) if item.model == "rate" else (item.auc, item.calibration_slope, item.top_tenth)
    told = ["" if value is None else f"{value:.2f}" for value in scores]
    return [("* " if item.is_chosen else "  ") + item.model, f"{item.n:,}", f"{item.failures:,}", saved, *told]


def quality_verb(ask: Ask) -> None:
    """How the models did: who serves, skill, calibration, coverage, and what past deployments did by level."""
    from shipcast.answers.quality import quality
    from shipcast.answers.reading import open_reader

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = quality(reader, progress(ask))
    show(ask, answer, lambda: show_quality(ask, answer))


def show_quality(ask: Ask, answer: QualityAnswer) -> None:
    """The sentence, what was said and what became of it, and a line for each of the other parts."""
    from shipcast.answers.load_quality import load_said
    from shipcast.answers.quality import serving_said
    from shipcast.answers.restore_quality import restore_said

    say(answer.sentence)
    if answer.model is not None:
        say(serving_said(answer.model))
    if answer.failure is not None:
        show_failure(answer.failure)
    if answer.hours is not None:
        show_hours(answer.hours)
    elif answer.model is not None:
        say(f"The hour, checked a second way: {answer.missing['hours']}")
    if answer.model is not None:
        show_drift(answer)
    said = [
        load_said(answer.load) if answer.load else f"Load: {answer.missing['load']}",
        restore_said(answer.restore) if answer.restore else f"Time to restore: {answer.missing['restore']}",
        answer.decisions.sentence if answer.decisions else f"Decisions: {answer.missing['decisions']}",
        *([answer.decisions.gate.sentence] if answer.decisions and answer.decisions.gate else []),
    ]
    for line in said:
        say(line)
    is_wanting = answer.model is None or answer.model.is_due
    hint(ask, "shipcast train" if is_wanting else "shipcast backtest, or with --json for all numbers")


def show_drift(answer: QualityAnswer) -> None:
    """Whether anything has moved since the model's cut-off, and what."""
    if answer.drift is None:
        say(f"Drift: {answer.missing['drift']}")
        return
    say(answer.drift.sentence)
    for line in answer.drift.untold:
        say(line)
    far = [one for one in answer.drift.features if one.is_drifting]
    columns = ["feature that drifted", "deployments since", "PSI", "at most before"]
    if far:
        table(columns, [[one.feature, f"{one.n:,}", f"{one.psi:.2f}", f"{one.usual:.2f}"] for one in far], columns[1:])


def show_failure(found: FailureQuality) -> None:
    """What was said, what became of it, and what deployments did by level."""
    from shipcast.answers.failure_quality import levels_said, on_the_whole, ranking

    columns = ["when we said", "on average", "deployments", "failed", "that is", "95 % interval", "what was said is"]
    table(columns, [band_cells(band) for band in found.bands], numbers=columns[1:6])
    for line in (on_the_whole(found), ranking(found), found.how, levels_said(found.levels)):
        if line is not None:
            say(line)
    columns = ["by chance alone", "deployments", "failed", "that is", "95 % interval"]
    table(columns, [level_cells(one) for one in found.levels], numbers=columns[1:])


def show_hours(found: HourQuality) -> None:
    """What each part of the week risks by the model and by the second estimate, where there are both."""
    from shipcast.answers.hour_quality import untold

    say(f"The hour, checked a second way. {found.sentence}")
    columns = ["the hour", "n", "failed", "that is", "usual", "by the model", "second estimate", ""]
    table(columns, [part_cells(part) for part in found.parts if part.n], numbers=columns[1:7])
    for line in (*untold(found.parts), found.how):
        say(line)


def part_cells(part: PartOfWeek) -> list[str]:
    from shipcast.answers.hour_quality import risk_said

    usual = "" if part.usual is None else share(part.usual)
    risks = (
        risk_said(part.model, part.model_low, part.model_high),
        risk_said(part.second, part.second_low, part.second_high),
    )
    word = "disagree" if part.disagrees else ""
    return [part.part, f"{part.n:,}", f"{part.failures:,}", share(part.observed), usual, *risks, word]


def band_cells(band: Band) -> list[str]:
    from shipcast.answers.failure_quality import said, verdict

    return [said(band), share(band.forecast), *outcome_cells(band), verdict(band)]


def level_cells(found: LevelOutcome) -> list[str]:
    return [f"{LEVEL_MARKS[found.level]} {found.level}", *outcome_cells(found)]


def outcome_cells(found: Band | LevelOutcome) -> list[str]:
    interval = f"{share(found.observed_low)} to {share(found.observed_high)}"
    return [f"{found.n:,}", f"{found.failures:,}", share(found.observed), interval]

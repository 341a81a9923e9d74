"""Forecast quality: whether what was said came true, in plain words first, then in the statistician's."""

from __future__ import annotations

from shipcast.answers.decision_quality import DecisionQuality
from shipcast.answers.failure_quality import (
    Band,
    FailureQuality,
    LevelOutcome,
    band_told,
    levels_said,
    on_the_whole,
    ranking,
    said,
    verdict,
)
from shipcast.answers.gate_record import GateRecord, Shipped
from shipcast.answers.hour_quality import HourQuality, risk_said, untold
from shipcast.answers.load_quality import load_said
from shipcast.answers.model_record import skill_over_time, skill_said
from shipcast.answers.outcomes import Gain, Outcome
from shipcast.answers.quality import QualityAnswer, quality, serving_said
from shipcast.answers.restore_quality import restore_said
from shipcast.answers.words import plural, share
from shipcast.dashboards import cards
from shipcast.dashboards.charts import quality as charts
from shipcast.dashboards.links import link
from shipcast.dashboards.view import View

TITLE, PATH = "Forecast quality", "quality"
AT_ONCE = ("failure", "drift", "hours", "restore", "decisions")
TRAIN = "`shipcast train` trains a model of what is known; the first one serves at once."


def draw(view: View) -> None:
    found = view.ask(quality, parts=AT_ONCE)
    cards.headline(found.sentence)
    if found.model is not None:
        cards.text(serving_said(found.model))
        link("models", "The models, and how to train them again")
    cards.note("All services in production, as known at the time of the question: the filters do not narrow this page.")
    with cards.card("What was said, and what came"):
        what_came(found)
    if found.model is not None:
        with cards.card("Better than the base rate?"):
            against_the_base(view, found)
        with cards.card("Did calmer times fail less?"):
            by_level(found)
    with cards.card("Was the advice followed, and what was it worth?"):
        decisions(found)
    with cards.card("Time to restore"):
        if found.restore is None:
            cards.empty(found.missing["restore"])
        else:
            cards.text(restore_said(found.restore))
    with cards.card("Load"):
        load(view)
    if found.model is not None:
        with cards.card("The effect of the hour, checked a second way"):
            hours(found)
        with cards.card("For the statistician"):
            scores(found)
    cards.notes(found.warnings)


def missing(found: QualityAnswer, part: str) -> None:
    """Why there is nothing of a part, and what brings it."""
    cards.empty(f"{found.missing[part]} {TRAIN}" if found.model is None else found.missing[part])


def what_came(found: QualityAnswer) -> None:
    """Each kind of forecast in a sentence, then as a diagram."""
    if found.failure is None:
        missing(found, "failure")
        return
    cards.text(on_the_whole(found.failure))
    for band in found.failure.bands:
        cards.text(band_told(band))
    cards.chart(
        charts.reliability(found.failure.bands),
        "The chance that was said across, the share that failed up, with its 95 % interval; on the dashed line it came "
        f"as it was said. {judged(found.failure)}",
        ["when it said", "on average", "deployments", "failed", "that is", "95 % interval", "what was said is"],
        [band_row(band) for band in found.failure.bands],
        "reliability",
        numbers=("on average", "deployments", "failed", "that is"),
    )
    cards.note(found.failure.how)


def judged(found: FailureQuality) -> str:
    period = f"from {found.period_start:%-d %b %Y} to {found.period_end:%-d %b %Y}"
    waiting = f"; {found.unsettled:,} more have not settled" if found.unsettled else ""
    return f"{plural(found.summary.n, 'deployment')} {period}, of which {found.summary.failures:,} failed{waiting}."


def band_row(band: Band) -> list[object]:
    return [said(band), share(band.forecast), *outcome_cells(band), verdict(band) or "not clearly off"]


def outcome_cells(one: Band | LevelOutcome) -> list[object]:
    interval = f"{share(one.observed_low)} to {share(one.observed_high)}"
    return [f"{one.n:,}", f"{one.failures:,}", share(one.observed), interval]


def against_the_base(view: View, found: QualityAnswer) -> None:
    """The skill, four weeks by four weeks."""
    if found.failure is None:
        missing(found, "failure")
        return
    cards.text(found.failure.sentence)
    cards.note("The base rate gives every deployment the same chance: the share that failed before.")
    spans = view.ask(skill_over_time)
    if not any(span.skill is not None for span in spans):
        cards.empty("In no four weeks did enough deployments fail to say how good their forecasts were.")
        return
    cards.chart(
        charts.over_time(spans),
        f"By how much the error was less than the base rate's, {len(spans)} times four weeks. Above "
        "the dashed line is better; where an interval reaches across, it may be luck.",
        ["four weeks from", "deployments", "failed", "better by (95 % interval)"],
        [
            [
                f"{span.start:%-d %b %Y}",
                f"{span.n:,}",
                f"{span.failures:,}",
                skill_said(span.skill, span.skill_low, span.skill_high) or "too few failed",
            ]
            for span in spans
        ],
        "skill-over-time",
        numbers=("deployments", "failed"),
    )


def by_level(found: QualityAnswer) -> None:
    if found.failure is None:
        missing(found, "failure")
        return
    levels = found.failure.levels
    cards.text(levels_said(levels) or "Deployments went out at one level only: there is nothing to compare.")
    cards.chart(
        charts.by_level(levels),
        "What became of deployments by the level they went out in, by their chance of failure alone.",
        ["level", "deployments", "failed", "that is", "95 % interval"],
        [[cards.Html(cards.level(one.level)), *outcome_cells(one)] for one in levels],
        "by-level",
        numbers=("deployments", "failed", "that is"),
    )


def decisions(found: QualityAnswer) -> None:
    """The decision record: how often advice was followed, and how it ended either way."""
    record = found.decisions
    if record is None:
        cards.empty(found.missing["decisions"])
        return
    cards.text(record.sentence)
    if record.n:
        decision_table(record)
    cards.note(others_said(record))
    if record.gate is not None:
        gate_record(record.gate)


def decision_table(record: DecisionQuality) -> None:
    since = f"{record.period_start:%-d %b %Y}"
    cards.table(
        ["after advice", "settled", "failed", "that is", "95 % interval", "cost against the usual"],
        [
            ["followed", *ended(record.after_following), worth(record.saved, "less")],
            ["not followed", *ended(record.after_not_following), worth(record.missed, "more than the best advised")],
        ],
        f"Deployments after {plural(record.advice, 'piece')} of advice since {since}",
        numbers=("settled", "failed", "that is"),
        download="decision-record",
    )


def others_said(record: DecisionQuality) -> str:
    told = f"{plural(record.unadvised, 'deployment')} went out without advice"
    same = f"{record.indifferent:,} were told that the time makes no clear difference" if record.indifferent else ""
    torn = f"{plural(record.unreadable, 'kept line')} cannot be read" if record.unreadable else ""
    return f"{'; '.join(part for part in (told, same, torn) if part)}. Who follows advice may differ otherwise too."


def gate_record(record: GateRecord) -> None:
    """How it ended where the gate let go, and where somebody went against it."""
    cards.text(record.sentence)
    groups = [("a go", record.after_go), ("a hold or unknown", record.against)]
    if not any(one.deployments for _, one in groups):
        return
    cards.table(
        ["within 30 minutes of", "settled", "failed", "that is", "95 % interval", "expected to fail"],
        [[name, *ended(one.ended), expected(one)] for name, one in groups],
        f"Deployments after verdicts of the gate since {record.period_start:%-d %b %Y}",
        numbers=("settled", "failed", "that is", "expected to fail"),
        download="gate-record",
    )


def expected(one: Shipped) -> str:
    if not one.n_expected:
        return "not known"
    of = "" if one.n_expected == one.ended.n else f" of {one.n_expected:,}"
    return f"{one.expected_failures:.1f}{of}"


def ended(one: Outcome) -> list[object]:
    interval = "" if one.low is None or one.high is None else f"{share(one.low)} to {share(one.high)}"
    return [f"{one.n:,}", f"{one.failures:,}", share(one.rate), interval]


def worth(gain: Gain | None, word: str) -> str:
    if gain is None:
        return "not enough data"
    return f"{gain.mean * 100:.0f} % {word} ({gain.low * 100:.0f} to {gain.high * 100:.0f}), n = {gain.n:,}"


def load(view: View) -> None:
    """The forecasts of the load, which are made anew to be judged."""
    answer = view.ask(quality, parts=("load",))
    if answer.load is None:
        cards.empty(answer.missing["load"])
        return
    cards.text(load_said(answer.load))
    cards.table(
        ["service", "hours", "50 % intervals held", "90 % intervals held", "MASE", "OWA"],
        [
            [
                one.service,
                f"{one.n:,}",
                share(one.coverage_50),
                share(one.coverage_90),
                "not known" if one.mase is None else f"{one.mase:.2f}",
                "not known" if one.owa is None else f"{one.owa:.2f}",
            ]
            for one in answer.load.services
        ],
        "The busiest services; below 1, MASE and OWA beat the value a week before, and Naive2",
        numbers=("hours", "50 % intervals held", "90 % intervals held", "MASE", "OWA"),
        download="load-quality",
    )


def hours(found: QualityAnswer) -> None:
    if found.hours is None:
        missing(found, "hours")
        return
    cards.text(found.hours.sentence)
    parts_of_week(found.hours)
    for line in (*untold(found.hours.parts), found.hours.how):
        cards.note(line)


def parts_of_week(found: HourQuality) -> None:
    cards.table(
        ["the hour", "n", "failed", "that is", "usual", "by the model", "second estimate", "the two"],
        [
            [
                part.part,
                f"{part.n:,}",
                f"{part.failures:,}",
                share(part.observed),
                share(part.usual),
                risk_said(part.model, part.model_low, part.model_high) or "not known",
                risk_said(part.second, part.second_low, part.second_high) or "not known",
                "disagree" if part.disagrees else "" if part.disagrees is None else "no clear difference",
            ]
            for part in found.parts
        ],
        "What each part of the week risks, by the model and by a second estimate",
        numbers=("n", "failed", "that is", "usual"),
        download="hours-twice",
    )


def scores(found: QualityAnswer) -> None:
    """The scores by name, with their intervals."""
    if found.failure is None:
        missing(found, "failure")
        return
    if (line := ranking(found.failure)) is not None:
        cards.text(line)
    cards.table(
        ["score", "value", "95 % interval", "what it says"],
        score_rows(found.failure),
        judged(found.failure),
        numbers=("value",),
        download="scores",
    )


def score_rows(found: FailureQuality) -> list[list[object]]:
    one = found.summary
    return [
        ["log loss", number(one.log_loss, 4), "", "less is better"],
        ["log loss of the base rate", number(one.log_loss_base, 4), "", "what there is to beat"],
        ["skill", number(one.skill, 3), between(one.skill_low, one.skill_high, 3), "above 0 beats the base rate"],
        ["Brier score", number(one.brier, 4), "", "less is better"],
        ["Brier skill", number(one.brier_skill, 3), "", "above 0 beats the base rate"],
        ["AUC", number(one.auc, 2), "", "0.5 is luck, 1 tells all failures apart"],
        [
            "calibration slope",
            number(one.calibration_slope, 2),
            between(one.calibration_slope_low, one.calibration_slope_high, 2),
            "1 is right; below, forecasts lie too far apart",
        ],
        ["calibration intercept", number(one.calibration_intercept, 2), "", "0 is right"],
        ["bias", number(found.bias, 4), between(found.bias_low, found.bias_high, 4), "mean chance less share failed"],
        ["failures in the riskiest tenth", number(one.top_tenth, 2), "", "0.1 is luck"],
    ]


def number(value: float | None, digits: int) -> str:
    return "not enough data" if value is None else f"{value:.{digits}f}"


def between(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"

"""The effect of the hour, checked a second way: what each part of the week risks by the model, and doubly robust."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shipcast.answers.answer import Count, Number, Part, Share
from shipcast.answers.failure_quality import interval_said
from shipcast.answers.kept import kept
from shipcast.answers.statistics import wilson
from shipcast.answers.words import plural, share, times
from shipcast.models.doubly_robust import HOURS, PARTS
from shipcast.models.registry import Champion

FILE = "hours.json"
HOW = (
    "Each row is about changes that might well have shipped then, and is to be read across: how many of them failed as "
    "they shipped (usual), and how many would have, had all shipped then. Hours are local: nights from 22 to 6, "
    "mornings to 10, middays to 14, afternoons to 18, evenings to 22; weekend days from 6 to 18, weekend nights to 6."
)


class PartOfWeek(Part):
    """What one part of the week risks, all services together; null: cannot be told, for `reason`.

    Parameters
    ----------
    hours
        Of the local day: from, to.
    n, failures
        The deployments that shipped then, and those of them that failed.
    observed, observed_low, observed_high
        The share that failed, with its Wilson 95 % interval: the hour and what ships then are not told apart in it.
    compared
        How many changes the estimates are about: those that might well have shipped then.
    usual
        The share of these that failed, as they shipped.
    model, second
        Their risk, had all shipped then, by the model and by the doubly robust estimate, with 95 % intervals.
    ratio
        The second estimate over the usual.
    apart
        The second estimate over the model's.
    p_value
        The chance to see them so far apart where they are not, by Holm's rule over all parts.
    disagrees
        Whether that is under 5 %.
    """

    part: str
    hours: str
    n: Count
    failures: Count
    observed: Share | None
    observed_low: Share | None
    observed_high: Share | None
    compared: Count | None
    usual: Share | None
    model: Share | None
    model_low: Share | None
    model_high: Share | None
    second: Share | None
    second_low: Share | None
    second_high: Share | None
    ratio: Number | None
    ratio_low: Number | None
    ratio_high: Number | None
    apart: Number | None
    apart_low: Number | None
    apart_high: Number | None
    p_value: Share | None
    disagrees: bool | None
    reason: str | None


class HourQuality(Part):
    """Whether a second, doubly robust estimate of the effect of the hour bears out the model's.

    Parameters
    ----------
    told, disagreeing
        In how many parts of the week there are both estimates, and in how many of these they disagree.
    how
        What the risks are of, and which hours.
    """

    parts: tuple[PartOfWeek, ...]
    told: Count
    disagreeing: Count
    how: str
    sentence: str


def hour_quality(home: Path, entry: Champion) -> HourQuality | str:
    """The two estimates that were made when the champion was trained, or why there are none."""
    parts = estimates(home, entry)
    if isinstance(parts, str):
        return parts
    apart = [one for one in parts if one.disagrees]
    told = sum(one.disagrees is not None for one in parts)
    return HourQuality(parts=parts, told=told, disagreeing=len(apart), how=HOW, sentence=sentence(parts))


def estimates(home: Path, entry: Champion) -> tuple[PartOfWeek, ...] | str:
    """What was estimated of each part of the week when the champion was trained, or why that is unknown."""
    return kept(home, entry, FILE, stored)


def stored(path: Path) -> tuple[PartOfWeek, ...] | str:
    """What was kept with a model, or why there is nothing."""
    try:
        found = json.loads(path.read_bytes())
        parts = tuple(PartOfWeek(**one, **derived(one["part"], one["n"], one["failures"])) for one in found)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return f"{path} does not hold second estimates of the hour."
    if tuple(one.part for one in parts) != PARTS:
        return f"{path} does not hold one estimate for each part of the week."
    return parts


def derived(part: str, n: int, failures: int) -> dict[str, Any]:
    """What is not kept, since it follows."""
    low, high = wilson(failures, n) or (None, None)
    rate = failures / n if n else None
    return {"hours": HOURS[part], "observed": rate, "observed_low": low, "observed_high": high}


def sentence(parts: Sequence[PartOfWeek]) -> str:
    """In which parts of the week the two estimates disagree."""
    told = [one for one in parts if one.disagrees is not None]
    apart = [one for one in told if one.disagrees]
    if not told:
        return "The effect of the hour can be estimated a second way in no part of the week: too little failed there."
    which = "; ".join(apart_said(one) for one in apart)
    known = f"in {len(apart) or 'none'} of {plural(len(told), 'part')} of the week"
    return f"The second estimate disagrees with the model {known}{f': {which}' if which else ''}."


def apart_said(part: PartOfWeek) -> str:
    model = risk_said(part.model, part.model_low, part.model_high)
    return f"{part.part}, model {model}, second {risk_said(part.second, part.second_low, part.second_high)}"


def untold(parts: Sequence[PartOfWeek]) -> list[str]:
    """Of which parts there is no second estimate and why, in a sentence; empty: there is of all."""
    which = [f"{one.part} ({one.reason})" for one in parts if one.disagrees is None]
    return [f"It cannot be made of {', '.join(which)}."] if which else []


def risk_said(value: float | None, low: float | None, high: float | None) -> str:
    """A risk with its interval; empty: there is none.

    >>> risk_said(0.091, 0.08, 0.1), risk_said(None, None, None)
    ('9.1 % (8 to 10)', '')
    """
    if value is None or low is None or high is None:
        return ""
    return f"{share(value)} ({interval_said(low, high)})"


def start_said(part: PartOfWeek | None) -> list[str]:
    """What the second estimate says of the part of the week in which a start lies, beside the model, in a sentence."""
    if part is None:
        return []
    if part.ratio is None or part.ratio_low is None or part.ratio_high is None or not part.usual or part.model is None:
        return [f"A second estimate cannot be made of {part.part}: {part.reason}."]
    second = f"{times(part.ratio)} times what such changes usually do ({times(part.ratio_low)} to "
    word = "they disagree" if part.disagrees else "no clear disagreement"
    return [
        f"By a second, doubly robust estimate changes of all services on {part.part} fail {second}"
        f"{times(part.ratio_high)}), by the model {times(part.model / part.usual)} times: {word}."
    ]

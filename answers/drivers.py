"""What the hour has to do with failures once it is allowed for what ships then: raw rates beside adjusted ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shipcast.answers.answer import utc
from shipcast.answers.hour_quality import PartOfWeek, estimates, untold
from shipcast.answers.reading import Reader
from shipcast.answers.words import listing, plural, share, times
from shipcast.models.registry import champion

NOT_TRAINED = "No model was trained on what was known by then: run `shipcast train --promote`."
MUCH = 1.25  # times that the mix of changes moves a rate, from which it is said
Than = Literal["higher", "lower", "no clear difference", "not enough data"]


@dataclass(frozen=True)
class Times:
    """How many times the usual, with the 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Driver:
    """One part of the week: how often what shipped then failed, and how often all changes would, had they shipped then.

    Parameters
    ----------
    estimate
        With the raw rate (`observed`), the usual rate of the changes compared, and the adjusted ones: by the model and
        by the doubly robust second estimate (`second`).
    raw_times, second_times, model_times
        The raw rate over that of the whole week, and the adjusted ones over the usual of the changes that they are
        about; null: cannot be told.
    raw, adjusted
        What the intervals of the raw rate and of the second estimate say of this.
    said
        The two side by side, in a sentence.
    """

    estimate: PartOfWeek
    raw_times: Times | None
    second_times: Times | None
    model_times: Times | None
    raw: Than
    adjusted: Than
    said: str


@dataclass(frozen=True)
class Drivers:
    """The parts of the week, all services together, as known at the model's cut-off.

    Parameters
    ----------
    rate
        The share of all of its deployments that failed.
    """

    parts: tuple[Driver, ...]
    n: int
    rate: float
    cut_off: datetime
    sentence: str
    warnings: tuple[str, ...]


def drivers(reader: Reader) -> Drivers | str:
    """The effect of the hour, raw and adjusted, by the champion as of the reader's `as_of`; or why there is none.

    Raises
    ------
    ModelError
        The list of champions is lost, damaged, or of a later version.
    """
    entry = champion(reader.settings.home, reader.at)
    if entry is None:
        return NOT_TRAINED
    parts = estimates(reader.settings.home, entry)
    if isinstance(parts, str):
        return parts
    n = sum(part.n for part in parts)
    if not n:
        return "Nothing that the model learned from had settled."
    rate = sum(part.failures for part in parts) / n
    found = tuple(driver(part, rate) for part in parts)
    return Drivers(found, n, rate, utc(entry.cut_off), sentence(found), tuple(untold(parts)))


def driver(part: PartOfWeek, rate: float) -> Driver:
    raw_times = over(part.observed, part.observed_low, part.observed_high, rate)
    second_times = over(part.ratio, part.ratio_low, part.ratio_high, 1.0)
    model_times = over(part.model, part.model_low, part.model_high, part.usual)
    raw, adjusted = against(raw_times), against(second_times)
    return Driver(part, raw_times, second_times, model_times, raw, adjusted, said(part, raw, adjusted, rate))


def over(value: float | None, low: float | None, high: float | None, usual: float | None) -> Times | None:
    """A rate against a usual one; null: either is not known, or the usual is 0."""
    if value is None or low is None or high is None or not usual:
        return None
    return Times(value / usual, low / usual, high / usual)


def against(found: Times | None) -> Than:
    """
    >>> against(Times(0.6, 0.4, 0.8)), against(Times(0.8, 0.4, 1.2)), against(None)
    ('lower', 'no clear difference', 'not enough data')
    """
    if found is None:
        return "not enough data"
    return "higher" if found.low > 1 else "lower" if found.high < 1 else "no clear difference"


def said(part: PartOfWeek, raw: Than, adjusted: Than, rate: float) -> str:
    """The raw rate and the adjusted one, and what lies between them."""
    shipped = f"{part.failures:,} of {part.n:,} failed ({share(part.observed)}; {word(raw, 'the whole week')})"
    if part.ratio is None or part.ratio_low is None or part.ratio_high is None or part.second is None:
        return f"As shipped {shipped}; adjusted, it cannot be told: {part.reason}."
    like = (
        f"had all changes that might have shipped then done so, {share(part.second)} would have failed, "
        f"{times(part.ratio)} times the usual ({times(part.ratio_low)} to {times(part.ratio_high)}; "
        f"{word(adjusted, 'usual')})"
    )
    return f"As shipped {shipped}; {like}.{between(part, rate)}"


def word(than: Than, what: str) -> str:
    return f"{than} than {what}" if than in ("higher", "lower") else than


def between(part: PartOfWeek, rate: float) -> str:
    """What the mix of changes does to the raw rate, where it does much."""
    if part.observed is None or not part.ratio or not rate:
        return ""
    mix = part.observed / rate / part.ratio
    if mix < 1 / MUCH:
        return " What ships then fails less than other changes would, which flatters the raw rate."
    return " What ships then fails more than other changes would, which darkens the raw rate." if mix > MUCH else ""


def sentence(found: tuple[Driver, ...]) -> str:
    """Whether the raw rates can be believed."""
    told = [one for one in found if one.adjusted != "not enough data"]
    if not told:
        return "What ships when cannot be told from the hour itself in any part of the week: too little failed."
    moved = [one for one in told if one.raw != one.adjusted]
    clear = [f"{one.estimate.part} {one.adjusted}" for one in told if one.adjusted in ("higher", "lower")]
    stands = f"clearly apart from the usual: {listing(clear)}" if clear else "no part of the week is clearly apart"
    return (
        f"Adjusted for what ships when, {stands}; the raw rates say otherwise of "
        f"{len(moved) or 'none'} of {plural(len(told), 'part')} of the week."
    )

"""What a start of a change would cost: the question with all its defaults, and the three forecasts that answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from shipcast.answers.answer import in_utc, rfc3339
from shipcast.answers.errors import UnknownName
from shipcast.answers.ground import Ground
from shipcast.answers.reading import Reader
from shipcast.answers.words import plural
from shipcast.features.change import Change
from shipcast.features.clock import Instants
from shipcast.features.feature import chosen, with_features
from shipcast.features.history import History
from shipcast.features.matrix import past, request_rows
from shipcast.features.own import enter_files
from shipcast.features.past import NOTHING
from shipcast.models.candidates import Candidate, Regression
from shipcast.models.load import LoadModel
from shipcast.models.posterior import Floats
from shipcast.models.registry import Champion
from shipcast.models.restore import RestoreModel
from shipcast.models.serving import served
from shipcast.scheduling.recommend import Usual
from shipcast.scheduling.risk import OUTAGE_QUARTERS, Forecast, Risk, met_while_down, risk
from shipcast.scheduling.windows import SLOT, SLOT_STEP, WEEK, first_slot
from shipcast.settings import Settings
from shipcast.settings.errors import UsageError

FARTHEST = timedelta(days=35)
ASSUMED_DURATION, LONGEST_DURATION = 30, 31 * 24 * 60  # minutes
TAIL = 0.025
SIZES = ("lines", "files")  # all that is looked at where no model was trained


@dataclass(frozen=True)
class Question:
    """What is asked, with every default filled in; instants are naive and in UTC."""

    change: Change
    environment: str
    duration: timedelta
    earliest: datetime
    latest: datetime
    top: int


@dataclass(frozen=True)
class Models:
    """The three forecasts, fitted to what was known, and what the first rests on.

    Parameters
    ----------
    served
        The trained model that gives the chance of failure; null: none was trained on what was known by then, so that
        `failure` was fitted to hours, sizes and services when it was asked.
    rows
        One row per start of a change, with all features that the model of failure looks at.
    recreated
        How many of the service's last deployments took it down to start it anew, and of how many that is known.
    """

    ground: Ground
    failure: Candidate
    served: Champion | None
    rows: Callable[[Change, Instants], pl.DataFrame]
    restore: RestoreModel
    load: LoadModel
    recreated: tuple[int, int]

    @property
    def down_share(self) -> float:
        """The share of the time a deployment takes in which it is expected to keep the service down."""
        recreated, known = self.recreated
        return recreated / known if known else 0.0


@dataclass(frozen=True)
class Prices:
    """What quarter-hour starts from `as_of` on would cost, what that was made from, and what is usual.

    Parameters
    ----------
    starts
        At least those of the 7 days from `as_of`, a quarter of an hour apart.
    week
        Which of them lie in the 7 days over which the usual is the mean.
    """

    starts: Instants
    forecast: Forecast
    risk: Risk
    week: NDArray[np.bool_]
    usual: Usual

    def place(self, start: np.datetime64) -> int:
        """Where that start stands among them."""
        return int(np.searchsorted(self.starts, start))


def asked(
    reader: Reader,
    change: Change,
    environment: str,
    duration: timedelta,
    earliest: datetime | None,
    latest: datetime | None,
    top: int,
) -> Question:
    """The question with its defaults; nothing starts before it is asked."""
    if duration <= timedelta(0):
        raise UsageError(
            f"A deployment takes some time; got a duration of {duration}.", next_step="Ask with --duration 30m."
        )
    if top < 1:
        raise UsageError(f"At least one window must be asked for; got {top}.", next_step="Ask with --top 3.")
    begins = max(in_utc(earliest).replace(tzinfo=None), reader.at) if earliest else reader.at
    ends = in_utc(latest).replace(tzinfo=None) if latest else reader.at + WEEK
    check_reach(reader, ends, "--latest")
    return Question(change, environment, duration, begins, ends, top)


def check_reach(reader: Reader, ends: datetime, flag: str) -> None:
    """Refuse what ends later (naive, UTC) than forecasts reach; the flag is the one to mend."""
    if ends > reader.at + FARTHEST:
        raise UsageError(
            f"Forecasts reach {FARTHEST.days} days ahead, to {rfc3339(utc(reader.at + FARTHEST))}.",
            next_step=f"Ask with an earlier {flag}.",
        )


def known_duration(history: History, service: str, given: timedelta | None) -> tuple[timedelta, list[str]]:
    """How long the deployment takes: as said, else as the service's usually took; and a warning where not said."""
    if given is not None:
        return given, []
    median, count = history.median_minutes(service)
    if median is None:
        assumed = f"No deployment of {service} had ended: a duration of {ASSUMED_DURATION} minutes is assumed."
        return timedelta(minutes=ASSUMED_DURATION), [assumed]
    minutes = min(max(round(median), 1), LONGEST_DURATION)
    of = plural(count, "deployment")
    return timedelta(minutes=minutes), [
        f"Taken as typical of {service}: a duration of {plural(minutes, 'minute')}, the median of {of}."
    ]


def known_change(
    history: History, service: str, lines: int | None, files: int | None, change_type: str | None
) -> Change:
    """The change with what is known of its service; where no service is known at all, any may be asked about."""
    if min(lines or 0, files or 0) < 0:
        raise UsageError(f"A change has no negative size; got {lines} lines, {files} files.")
    services = history.services().rows_by_key("service", named=True)
    if not services:
        return Change(service, None, history.default_zone, lines, files, change_type)
    if service not in services:
        raise UnknownName("service", service, services)
    row = services[service][0]
    return Change(service, row["team"], row["zone"], lines, files, change_type)


def fitted(history: History, change: Change, settings: Settings) -> Models:
    """The three models, each as far as was known; the champion of the home gives the chance of failure in production.

    Raises
    ------
    ModelError
        There is a champion, but its file is missing or damaged, or a feature that it looks at is not defined.
    FeatureFileFailed
        A file of the user's own features broke off.
    """
    outcomes = history.outcomes(change.service)
    champion = served(settings.home, history.at) if history.environment == "production" else None
    model = Regression(chosen(*SIZES)).fit(outcomes) if champion is None else champion.model
    if champion is not None:
        enter_files(settings.features)
    features = chosen(*model.feature_names())
    known = past(history, change.service) if champion is not None else NOTHING

    def rows(change: Change, starts: Instants) -> pl.DataFrame:
        return with_features(request_rows(change, starts), known, features)

    return Models(
        Ground.of(outcomes, change.service),
        model,
        None if champion is None else champion.entry,
        rows,
        RestoreModel().fit(history.restores(change.service)),
        LoadModel(change.zone).fit(history.hourly_load(change.service, change.zone)),
        history.recreated(change.service),
    )


def evaluated_starts(at: datetime, starts: Instants) -> Instants:
    """All quarter hours from `as_of` to the last candidate, and at least for 7 days: the usual cost is a week's."""
    begins = np.datetime64(first_slot(at), "us")
    ends = max(starts[-1] + SLOT_STEP, begins + np.timedelta64(WEEK, "us"))
    return np.arange(begins, ends, SLOT_STEP)


def forecasts(models: Models, question: Question, starts: Instants) -> Forecast:
    """The three forecasts for every start; an outage begins when the deployment ends, a planned downtime with it."""
    change = question.change
    outages = starts + np.timedelta64(question.duration, "us")
    failure = expit(models.failure.draws(models.rows(change, starts), is_request=True))
    restore = models.restore.draws(change, outages)
    down = downtime(models, question.duration, starts)
    if not models.load.is_known:
        return Forecast(failure, restore, models.restore.spread_, downtime=down)
    load = models.load.predict(quarters(outages[0], len(outages) + OUTAGE_QUARTERS))
    return Forecast(failure, restore, models.restore.spread_, load, models.load.draws(outages), down)


def downtime(models: Models, duration: timedelta, starts: Instants) -> Floats | None:
    """What a deployment itself is expected to turn away, for every start; null: it takes nothing down."""
    if not models.down_share:
        return None
    load = None
    if models.load.is_known:
        load = models.load.predict(quarters(starts[0], len(starts) + duration // SLOT + 1))
    return models.down_share * met_while_down(load, duration / timedelta(minutes=1), len(starts))


def quarters(first: np.datetime64, count: int) -> Instants:
    """So many quarter hours from an instant on."""
    return np.asarray(first + np.arange(count) * SLOT_STEP)


def priced(at: datetime, models: Models, question: Question, starts: Instants) -> Prices:
    """The price of every start from `as_of` (naive, UTC) to the last of `starts`, and at least of 7 days."""
    grid = evaluated_starts(at, starts)
    forecast = forecasts(models, question, grid)
    costs, week = risk(forecast), grid < np.datetime64(at, "us") + np.timedelta64(WEEK, "us")
    return Prices(grid, forecast, costs, week, Usual(costs, week))


def spread(draws: Floats) -> tuple[float, float, float]:
    """The mean of draws and the interval that holds 95 % of them, widened where a long tail puts the mean outside."""
    mean = float(draws.mean())
    return mean, *interval(draws, mean)


def interval(drawn: Floats, value: float) -> tuple[float, float]:
    """What holds 95 % of draws, widened where what they are draws of lies outside."""
    low, high = np.quantile(drawn, (TAIL, 1 - TAIL))
    return min(float(low), float(value)), max(float(high), float(value))


def utc(moment: datetime) -> datetime:
    """A naive UTC instant, aware."""
    return moment.replace(tzinfo=UTC)

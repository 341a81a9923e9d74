"""What a start of a change would cost: the question with all its defaults, and the three forecasts that answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.answers.answer import naive, rfc3339, utc
from shipcast.answers.errors import UnknownName
from shipcast.answers.ground import Ground
from shipcast.answers.reading import Reader
from shipcast.answers.words import plural
from shipcast.features.change import Change
from shipcast.features.clock import Instants, hours_of_week
from shipcast.features.feature import Feature, chosen, looks_at_the_change
from shipcast.features.history import History
from shipcast.features.matrix import past, request_features, request_rows, said_of
from shipcast.features.own import enter_files
from shipcast.features.past import NOTHING
from shipcast.models.candidates import Candidate, Regression
from shipcast.models.load import LoadModel
from shipcast.models.odds import expit
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
NO_STARTS: Instants = np.array([], dtype="datetime64[us]")
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
        One row per change and start, with all features that the model of failure looks at.
    recreated
        How many of the service's last deployments took it down to start it anew, and of how many that is known.
    """

    ground: Ground
    failure: Candidate
    served: Champion | None
    rows: Callable[[Sequence[Change], Instants], pl.DataFrame]
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
        At least those of the two weeks from `as_of`, a quarter of an hour apart.
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

    @cached_property
    def relative_week(self) -> Floats:
        """What the starts of the week are expected to cost, against the usual."""
        return np.asarray(self.risk.costs.mean(axis=0)[self.week] / self.usual.cost)


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
    check_length(duration)
    if top < 1:
        raise UsageError(f"At least one window must be asked for; got {top}.", next_step="Ask with --top 3.")
    begins = max(naive(earliest), reader.at) if earliest else reader.at
    ends = naive(latest) if latest else reader.at + WEEK
    check_order(begins, ends, earliest, latest)
    check_reach(reader, ends, "--latest")
    return Question(change, environment, duration, begins, ends, top)


def check_order(begins: datetime, ends: datetime, earliest: datetime | None, latest: datetime | None) -> None:
    """Nothing, if the period that was asked for (naive, UTC) begins before it ends."""
    if begins < ends:
        return
    first, last = rfc3339(utc(begins)), rfc3339(utc(ends))
    begin = (
        f"--earliest {first}" if earliest is not None and naive(earliest) == begins else f"the time asked at, {first}"
    )
    end = f"--latest {last}" if latest is not None else f"--latest, which is {last} where it is not given"
    raise UsageError(f"{end} does not come after {begin}.", next_step="Ask with a later --latest.")


def check_length(duration: timedelta) -> None:
    if duration <= timedelta(0):
        raise UsageError(
            f"A deployment takes some time; got a duration of {duration}.", next_step="Ask with --duration 30m."
        )


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
        assumed = f"No deployment of {service} says when it ended: a duration of {ASSUMED_DURATION} minutes is assumed."
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


def forecaster(reader: Reader, environment: str) -> Forecaster:
    """The models of one environment that all questions about the reader's snapshot and instant share.

    They read through a cursor of their own, since who asked first may be done while others ask on.
    """

    def made() -> Forecaster:
        return Forecaster(reader.history(environment, reader.connection.cursor()), reader.settings)

    return reader.once(("forecaster", reader.history(environment).environment), made)


class Forecaster:
    """The models of one environment, each fitted to what was known and kept for further questions, one at a time.

    The champion of the home gives the chance of failure in production; where there is none, a regression on hours,
    sizes and services, fitted when it is asked.

    Raises
    ------
    ModelError
        There is a champion, but its file is missing or damaged, or a feature that it looks at is not defined.
    FeatureFileFailed
        A file of the user's own features broke off.
    """

    def __init__(self, history: History, settings: Settings) -> None:
        self.history = history
        self.champion = served(settings.home, history.at) if history.environment == "production" else None
        if self.champion is not None:
            enter_files(settings.features)
        self.samples = any(history.share_of_others(table) > 1 for table in ("fct_deployments", "fct_incidents"))
        self.kept: dict[tuple[str, str | None], Any] = {}
        self.alike: dict[str, tuple[Instants, pl.DataFrame]] = {}  # by service, of one grid of starts
        self.lock = RLock()

    def models(self, change: Change) -> Models:
        """Those that answer for the service of a change."""
        found: Models = self.once(("models", change.service), lambda: self.made(change))
        return found

    def made(self, change: Change) -> Models:
        return Models(
            Ground(self.history.outcomes(change.service, alone=True), *self.settled(change.service)),
            self.failure(change.service),
            None if self.champion is None else self.champion.entry,
            self.rows,
            self.shared("restore", change.service, lambda: RestoreModel.of(self.history, change.service)),
            self.load(change),
            self.history.recreated(change.service),
        )

    def load(self, change: Change) -> LoadModel:
        found: LoadModel = self.once(
            ("load", change.service), lambda: LoadModel.of(self.history, change.service, change.zone)
        )
        return found

    def failure(self, service: str) -> Candidate:
        if self.champion is not None:
            return self.champion.model
        found: Candidate = self.shared(
            "failure", service, lambda: Regression(chosen(*SIZES)).fit(self.history.outcomes(service))
        )
        return found

    def settled(self, service: str) -> tuple[int, int]:
        found: tuple[int, int] = self.shared("settled", service, lambda: self.history.settled(service))
        return found

    def rows(self, changes: Sequence[Change], starts: Instants) -> pl.DataFrame:
        """One row per change and start, the starts of a change together, with all that the model of failure sees."""
        if self.champion is None:
            return request_features(request_rows(changes, starts), NOTHING, chosen(*SIZES))
        features = chosen(*self.champion.model.feature_names())
        if len(changes) == 1:
            return self.rows_of(changes[0], starts, features)
        services = {change.service for change in changes}
        service = changes[0].service if len(services) == 1 else None
        known = self.once(("past", service), lambda: past(self.history, service))
        return request_features(request_rows(changes, starts), known, features)

    def rows_of(self, change: Change, starts: Instants, features: Sequence[Feature]) -> pl.DataFrame:
        """The same of one change: what does not look at it is worked out once for all changes of its service."""
        service = change.service
        known = self.once(("past", service), lambda: past(self.history, service))
        its = [one for one in features if looks_at_the_change(one)]
        others = [one for one in features if one not in its]
        asked, rows = self.alike.get(service, (NO_STARTS, pl.DataFrame()))
        if not np.array_equal(asked[: len(starts)], starts):
            unsaid = request_rows([Change(service, change.team, change.zone)], starts)
            rows = request_features(unsaid, known, others)
            self.alike[service] = starts, rows
        return request_features(said_of(rows.head(len(starts)), change), known, its)

    def shared(self, name: str, service: str, make: Callable[[], Any]) -> Any:
        """What is the same for every service, but where only a share of the others is learned from."""
        return self.once((name, service if self.samples else None), make)

    def once(self, key: tuple[str, str | None], make: Callable[[], Any]) -> Any:
        if key not in self.kept:
            with self.lock:  # one history cannot be asked by two threads
                if key not in self.kept:
                    self.kept[key] = make()
        return self.kept[key]


def evaluated_starts(at: datetime, starts: Instants) -> Instants:
    """All quarter hours from `as_of` to the last candidate, and at least for two weeks.

    The usual cost is the first week's; in two every local hour comes. So all who ask about the next days ask for the
    same prices, and get them to the last digit.
    """
    begins = np.datetime64(first_slot(at), "us")
    ends = max(starts[-1] + SLOT_STEP, begins + np.timedelta64(2 * WEEK, "us"))
    return np.arange(begins, ends, SLOT_STEP)


def forecasts(models: Models, question: Question, starts: Instants) -> Forecast:
    """The three forecasts for every start; an outage begins when the deployment ends, a planned downtime with it."""
    change = question.change
    outages = starts + np.timedelta64(question.duration, "us")
    first, hour = hours_begun(starts, change.zone)
    failure = expit(models.failure.draws(models.rows([change], starts[first]), is_request=True))[:, hour]
    restore, week = models.restore.week_draws(change), hours_of_week(outages, change.zone)
    down = downtime(models, question.duration, starts)
    if not models.load.is_known:
        return Forecast(failure, restore, models.restore.spread_, week, downtime=down)
    load = models.load.predict(quarters(outages[0], len(outages) + OUTAGE_QUARTERS))
    return Forecast(failure, restore, models.restore.spread_, week, load, models.load.draws(outages), down)


def hours_begun(starts: Instants, zone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of consecutive starts the first of each local hour, by place; and for each start which of these hours it is in.

    The chance of failure is that of the hour: nothing it rests on tells one quarter of an hour from the next.
    """
    begins = np.diff(hours_of_week(starts, zone), prepend=-1) != 0
    return np.flatnonzero(begins), np.cumsum(begins) - 1


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
    """The price of every start from `as_of` (naive, UTC) to the last of `starts`, and at least of two weeks."""
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

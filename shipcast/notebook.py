"""Shipcast in Python: the answers of the command line as objects, and the tables, features and models behind them.

import shipcast

with shipcast.open(as_of="2025-12-01") as sc:
    print(sc.windows("checkout", duration="45m", lines=300).sentence)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, Unpack

import polars as pl

from shipcast import pipeline
from shipcast.answers import tables
from shipcast.answers.answer import rfc3339
from shipcast.answers.backtest import BacktestAnswer, backtest
from shipcast.answers.cab import CabAnswer, cab
from shipcast.answers.explain import ExplainAnswer, explain
from shipcast.answers.forecast import ForecastAnswer, forecast
from shipcast.answers.gate import GateAnswer, OnUnknown, Terms, gate_in
from shipcast.answers.gate_checks import Level
from shipcast.answers.inquiry import Details
from shipcast.answers.metrics import MetricsAnswer, metrics
from shipcast.answers.now import NowAnswer, now
from shipcast.answers.outlook import OutlookAnswer, outlook
from shipcast.answers.quality import QualityAnswer, quality
from shipcast.answers.reading import Reader, open_reader
from shipcast.answers.training import RollbackAnswer, TrainAnswer, rollback_answer
from shipcast.answers.windows import WindowsAnswer, windows
from shipcast.ask import Ask
from shipcast.features.feature import catalogue, feature
from shipcast.features.matrix import matrix
from shipcast.features.own import enter_files
from shipcast.settings import Settings
from shipcast.settings.durations import parse_duration
from shipcast.settings.errors import UsageError
from shipcast.warehouse.snapshot import reading

__all__ = ["Notebook", "feature", "open"]

Time = str | date  # a datetime is a date too
Duration = str | timedelta
Found = TypeVar("Found")
LONGEST_EVERY = 366


def open(home: str | Path | None = None, as_of: Time | None = None, tz: str | None = None) -> Notebook:
    """The published data of a home, as known at `as_of`; close it, or use it in a `with` block.

    Parameters
    ----------
    home, tz
        As the flags of the command line; None: as the environment or `shipcast.toml` says.
    as_of
        When the questions are asked: nothing known later is used. Text, a datetime or a date; without an offset in
        the reporting zone. None: the moment of opening.

    Raises
    ------
    NothingPublished
        Nothing was built in this home yet.
    ConfigurationError, UsageError
        The settings, or the time, cannot be used.
    """
    return Notebook(Ask(None if home is None else str(home), None if as_of is None else as_text(as_of), tz))


def as_text(moment: Time) -> str:
    return moment if isinstance(moment, str) else moment.isoformat()


def as_duration(length: Duration, name: str = "duration", longest_days: int = 31) -> timedelta:
    return parse_duration(length, name, longest_days) if isinstance(length, str) else length


def silent(message: str) -> None:
    """Tell nobody."""


class Notebook:
    """What `open` gives. All its answers rest on the snapshot that was published when it was opened.

    Times and durations may be text, as on the command line, or datetimes and timedeltas. Answers are the objects that
    the command line prints: attributes in Python, `as_dict()` and `as_json()` for anything else.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.opened = ExitStack()
        self.reader: Reader | None = self.opened.enter_context(open_reader(ask.settings, ask.as_of))

    def __enter__(self) -> Notebook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self.reader is None else ""
        return f"<shipcast {self.settings.home} as of {rfc3339(self.as_of)}{closed}>"

    def close(self) -> None:
        """Let go of the snapshot; nothing can be asked any more."""
        self.reader = None
        self.opened.close()

    @property
    def settings(self) -> Settings:
        return self.ask.settings

    @property
    def as_of(self) -> datetime:
        """When the questions are asked, in UTC."""
        return self.ask.as_of

    def asked(self, question: Callable[..., Found], *given: Any, **named: Any) -> Found:
        """What a function of a reader answers; what is wrong with the snapshot is raised in words."""
        if self.reader is None:
            raise UsageError("It is closed.", next_step="Open it again: shipcast.open()")
        with reading(self.settings.home):
            return question(self.reader, *given, **named)

    def instant(self, moment: Time | None, name: str) -> datetime | None:
        return None if moment is None else self.ask.instant(as_text(moment), name)

    def tables(self) -> tuple[str, ...]:
        """The names of the published tables; docs/data-science.md says what they hold."""
        return self.asked(tables.tables)

    def table(self, name: str) -> pl.DataFrame:
        """A published table as known at `as_of`; instants are naive and in UTC.

        Of deployments, incidents, changes, rollbacks, approvals, holds, load and the use of environments, rows that
        came to be later are left out, and outcomes that were only known later are null (a deployment under way then
        is `running`). Other columns are as newest known, and other tables are whole.
        """
        return self.asked(tables.table, name)

    def features(self, environment: str = "production") -> pl.DataFrame:
        """One row per deployment that had started and has ended, by start, with every feature as known at that start.

        `failed_at` is null where it was not known to have failed at `as_of`; `settled_at` is when its outcome counts.
        """
        return self.asked(feature_rows, environment)

    def feature_docs(self) -> pl.DataFrame:
        """One row per feature: name, family, says, unit, known, assumed.

        `assumed`: no request can know it, so that a question takes it as usual for the service.
        """
        enter_files(self.settings.features)
        rows = [(one.name, one.family, one.says, one.unit, one.known, one.is_assumed) for one in catalogue()]
        return pl.DataFrame(rows, schema=["name", "family", "says", "unit", "known", "assumed"], orient="row")

    def metrics(
        self,
        *,
        metric: str | None = None,
        environment: str | None = None,
        service: str | None = None,
        team: str | None = None,
        by: str | None = None,
        period_from: Time | None = None,
        period_to: Time | None = None,
    ) -> MetricsAnswer:
        """The delivery metrics: `shipcast metrics`."""
        return self.asked(
            metrics,
            metric=metric,
            environment=environment,
            service=service,
            team=team,
            by=by,
            period_from=self.instant(period_from, "period_from"),
            period_to=self.instant(period_to, "period_to"),
        )

    def outlook(
        self, *, service: str | None = None, team: str | None = None, environment: str = "production"
    ) -> OutlookAnswer:
        """The coming week of every service, hour by hour: `shipcast outlook`."""
        return self.asked(outlook, service=service, team=team, environment=environment)

    def windows(
        self,
        service: str,
        duration: Duration = "30m",
        *,
        earliest: Time | None = None,
        latest: Time | None = None,
        top: int = 3,
        what_if: bool = False,
        **details: Unpack[Details],
    ) -> WindowsAnswer:
        """The lowest-risk windows for a change: `shipcast windows`.

        Parameters
        ----------
        details
            environment, lines, files, change_type, calendar_file: what may be said of the change.
        """
        return self.asked(
            windows,
            service,
            duration=as_duration(duration),
            earliest=self.instant(earliest, "earliest"),
            latest=self.instant(latest, "latest"),
            top=top,
            what_if=what_if,
            **details,
        )

    def now(
        self,
        service: str,
        duration: Duration | None = None,
        *,
        latest: Time | None = None,
        **details: Unpack[Details],
    ) -> NowAnswer:
        """Whether to ship now, or until when to wait: `shipcast now`; details as of `windows`."""
        return self.asked(
            now,
            service,
            duration=None if duration is None else as_duration(duration),
            latest=self.instant(latest, "latest"),
            **details,
        )

    def gate(
        self,
        service: str,
        at: Time | None = None,
        duration: Duration | None = None,
        *,
        max_level: Level = "fair",
        on_unknown: OnUnknown | None = None,
        **details: Unpack[Details],
    ) -> GateAnswer:
        """Whether a change may ship: `shipcast gate`; details as of `windows`."""
        return self.asked(
            gate_in,
            service,
            Terms(self.instant(at, "at"), None if duration is None else as_duration(duration), max_level, on_unknown),
            **details,
        )

    def explain(
        self, service: str, at: Time, duration: Duration | None = None, **details: Unpack[Details]
    ) -> ExplainAnswer:
        """Why a time is good or bad for a change: `shipcast explain`; details as of `windows`."""
        return self.asked(
            explain,
            service,
            at=self.instant(at, "at"),
            duration=None if duration is None else as_duration(duration),
            **details,
        )

    def forecast(
        self, service: str | None = None, *, hours: int = 168, environment: str = "production"
    ) -> ForecastAnswer:
        """The load of the coming hours: `shipcast forecast`, but that nothing is stored."""
        return self.asked(forecast, service, hours=hours, environment=environment)

    def cab(
        self,
        *,
        service: str | None = None,
        team: str | None = None,
        period_from: Time | None = None,
        period_to: Time | None = None,
        before: Time | None = None,
        safe_below: float | None = None,
        calendar: str | Path | None = None,
    ) -> CabAnswer:
        """How long approvals take, what waits for which meeting, what could be pre-approved: `shipcast cab`."""
        return self.asked(
            cab,
            service=service,
            team=team,
            period_from=self.instant(period_from, "period_from"),
            period_to=self.instant(period_to, "period_to"),
            before=self.instant(before, "before"),
            safe_below=safe_below,
            calendar_file=None if calendar is None else Path(calendar),
        )

    def backtest(
        self,
        model: str | Any = "regression",
        *,
        environment: str = "production",
        period_from: Time | None = None,
        period_to: Time | None = None,
        every: Duration = "28d",
        progress: Callable[[str], None] = silent,
    ) -> BacktestAnswer:
        """What every deployment would have been told, and how good that was: `shipcast backtest`.

        Parameters
        ----------
        model
            regression, boosting, blend or rate; an estimator with scikit-learn's `fit` and `predict_proba`, which is
            copied; or a candidate, see `shipcast.models.candidates`.
        progress
            Is told what is being done, such as `print`.
        """
        return self.asked(
            backtest,
            model=model,
            environment=environment,
            period_from=self.instant(period_from, "period_from"),
            period_to=self.instant(period_to, "period_to"),
            every=as_duration(every, "every", LONGEST_EVERY),
            progress=progress,
        )

    def quality(self, *, progress: Callable[[str], None] = silent) -> QualityAnswer:
        """How good the three forecasts were, and what calm and stormy times really did: `shipcast quality`."""
        return self.asked(quality, progress)

    def train(
        self,
        model: str | Any | None = None,
        *,
        promote: bool = False,
        progress: Callable[[str], None] = silent,
    ) -> TrainAnswer:
        """Train on all that had settled, judge the model and keep it as a new version: `shipcast train`.

        Parameters
        ----------
        model
            As of `backtest`; None: the best of the rate, the regression and the blend.
        promote
            Make it the champion, which answers from then on, if it passes the gate: `refused` says why it did not.
        """
        return self.asked(pipeline.trained, model, promote=promote, progress=progress)

    def roll_back(self) -> RollbackAnswer:
        """Let the champion before the present one answer again: `shipcast train --rollback`."""
        return self.asked(rolled_back)


def rolled_back(reader: Reader) -> RollbackAnswer:
    return rollback_answer(reader.envelope(), pipeline.roll_back(reader.settings))


def feature_rows(reader: Reader, environment: str) -> pl.DataFrame:
    reader.check_environment(environment)
    enter_files(reader.settings.features)
    return matrix(reader.history(environment)).sort("started_at", "deployment_id")

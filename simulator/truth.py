"""The truth about a simulated company: what a forecast should have said, saved beside the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import expit, ndtr, ndtri

from shipcast.simulator.clock import HOUR, HOURS_OF_WEEK, Floats, Instants, aware, hour_of_week
from shipcast.simulator.company import Service

FOLDER = "truth"
YEAR_HOURS = 365 * 24
OUTAGE_HOURS = 14 * 24


@dataclass(frozen=True)
class Week:
    """One service's truth. Arrays hold one value per hour of the week on the clock of `zone`.

    `failure_logit` is that of a change of `lines` lines; `load` is in requests per hour at the first instant
    of the history, from which it grows by `growth` a year. Outages are log-normal with `restore_sigma`.
    `is_recreated`: a deployment keeps the service down for as long as it takes.
    """

    zone: str
    lines: float
    size_slope: float
    restore_sigma: float
    growth: float
    is_recreated: bool
    failure_logit: Floats
    restore_median_minutes: Floats
    load: Floats


@dataclass(frozen=True)
class Truth:
    """Chance of failure, time to restore and load as they truly are, for any instant and service.

    All of it is about a change in quiet surroundings: it passed every lower environment, the deployment before
    it did not fail, it is no emergency, and no other service deployed within the hour before. What a deployment
    that really happened risked, its surroundings included, is in `deployments`.

    `starts` are UTC instants (`datetime64[us]`), of which every answer holds one value each, in their order.
    `lines` is one number or one per start; None is the service's typical change.
    """

    begins_at: np.datetime64
    weeks: dict[str, Week]
    deployments: pl.DataFrame

    @classmethod
    def of(cls, services: Iterable[Service], begins_at: np.datetime64, deployments: pl.DataFrame) -> Truth:
        """The truth of a company, with the deployments it made."""
        weeks = {
            service.name: Week(
                service.zone,
                service.profile.lines,
                service.size_slope,
                service.restore_sigma,
                service.growth,
                service.profile.strategy == "recreate",
                service.failure_logit,
                service.restore_median_minutes,
                service.load,
            )
            for service in services
        }
        return cls(begins_at, weeks, deployments)

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(self.weeks)

    def failure_probability(self, service: str, starts: Instants, lines: Floats | float | None = None) -> Floats:
        """The chance that a change started then fails."""
        week = self.weeks[service]
        relative = np.maximum(week.lines if lines is None else lines, 1) / week.lines
        logit = week.failure_logit[hour_of_week(starts, week.zone)] + week.size_slope * np.log(relative)
        return np.asarray(expit(logit))

    def restore_minutes(self, service: str, starts: Instants, quantile: float = 0.5) -> Floats:
        """Minutes to restore an outage that begins then, at a quantile; the median unless told otherwise."""
        week = self.weeks[service]
        median = week.restore_median_minutes[hour_of_week(starts, week.zone)]
        return np.asarray(median * np.exp(week.restore_sigma * ndtri(quantile)))

    def restore_mean_minutes(self, service: str, starts: Instants) -> Floats:
        """Mean minutes to restore an outage that begins then."""
        return np.asarray(self.restore_minutes(service, starts) * np.exp(self.weeks[service].restore_sigma ** 2 / 2))

    def load(self, service: str, starts: Instants) -> Floats:
        """Expected requests per hour in the UTC hour in which each start lies.

        A service without a load series has 60 an hour at all times: one a minute.
        """
        week = self.weeks[service]
        hours = np.atleast_1d(starts).astype("datetime64[h]").astype("datetime64[us]")
        years = (hours - self.begins_at) / HOUR / YEAR_HOURS
        return np.asarray(week.load[hour_of_week(hours, week.zone)] * (1 + week.growth) ** years)

    def expected_cost(
        self,
        service: str,
        starts: Instants,
        duration_minutes: float = 0,
        lines: Floats | float | None = None,
    ) -> Floats:
        """Requests expected to be affected if a change is started then.

        P(fail) x E[load over the outage], and the load during the deployment where that keeps the service down.
        The outage begins when the deployment ends, `duration_minutes` after its start. Load is constant within
        an hour, so the expectation is exact: each hour's load times the time the outage is expected to spend
        in it. Past 14 days an outage no longer counts.
        """
        begins: Instants = np.atleast_1d(starts).astype("datetime64[us]")
        ends: Instants = np.add(begins, np.timedelta64(round(duration_minutes * 60e6), "us"))
        failing = self.failure_probability(service, starts, lines) * self.requests_in_outage(service, ends)
        return np.asarray(failing + self.requests_while_down(service, begins, ends))

    def requests_while_down(self, service: str, begins: Instants, ends: Instants) -> Floats:
        """Requests that deployments turn away which keep the service down; 0 where they don't."""
        if not self.weeks[service].is_recreated or not len(begins):
            return np.zeros(len(begins))
        first = begins.min().astype("datetime64[h]").astype("datetime64[us]")
        hours = np.arange(first, ends.max() + HOUR, HOUR)
        so_far = np.append(0, np.cumsum(self.load(service, hours)))
        upto = [np.interp((edge - first) / HOUR, np.arange(len(so_far)), so_far) for edge in (begins, ends)]
        return np.asarray(upto[1] - upto[0])

    def requests_in_outage(self, service: str, outages: Instants) -> Floats:
        """Requests expected to meet an outage that begins then."""
        if not len(outages):
            return np.zeros(0)
        median = self.restore_minutes(service, outages) / 60
        first = outages.astype("datetime64[h]").astype("datetime64[us]")
        passed = (outages - first) / HOUR
        edges = np.maximum(np.arange(OUTAGE_HOURS + 1) - passed[:, None], 0)
        within = np.diff(limited_mean(edges, median[:, None], self.weeks[service].restore_sigma), axis=1)

        hours = np.arange(first.min(), first.max() + OUTAGE_HOURS * HOUR, HOUR)
        load = np.lib.stride_tricks.sliding_window_view(self.load(service, hours), OUTAGE_HOURS)
        offset = ((first - first.min()) / HOUR).astype(np.int64)
        return np.asarray(np.einsum("ij,ij->i", within, load[offset]))

    def week(self) -> pl.DataFrame:
        """One row per service and local hour of the week: the truth as a table to look at."""
        return pl.concat(
            [
                pl.DataFrame(
                    {
                        "service": [name] * HOURS_OF_WEEK,
                        "hour_of_week": np.arange(HOURS_OF_WEEK),
                        "failure_logit": week.failure_logit,
                        "failure_probability": expit(week.failure_logit),
                        "restore_median_minutes": week.restore_median_minutes,
                        "load": week.load,
                    }
                )
                for name, week in self.weeks.items()
            ]
        )

    def write(self, directory: Path) -> None:
        """Saves the truth in the folder `truth` below the directory."""
        folder = directory / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        facts = {
            name: {
                "zone": week.zone,
                "lines": week.lines,
                "size_slope": week.size_slope,
                "restore_sigma": week.restore_sigma,
                "growth": week.growth,
                "is_recreated": week.is_recreated,
            }
            for name, week in self.weeks.items()
        }
        content = {"begins_at": aware(self.begins_at).isoformat(), "services": facts}
        (folder / "services.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        self.week().write_parquet(folder / "week.parquet")
        self.deployments.write_parquet(folder / "deployments.parquet")

    @classmethod
    def read(cls, directory: Path | str) -> Truth:
        """The truth saved by `simulate` in that directory."""
        folder = Path(directory) / FOLDER
        content = json.loads((folder / "services.json").read_text(encoding="utf-8"))
        table = pl.read_parquet(folder / "week.parquet").partition_by("service", as_dict=True)
        weeks = {
            name: Week(
                **facts,
                failure_logit=table[(name,)]["failure_logit"].to_numpy(),
                restore_median_minutes=table[(name,)]["restore_median_minutes"].to_numpy(),
                load=table[(name,)]["load"].to_numpy(),
            )
            for name, facts in content["services"].items()
        }
        begins_at = np.datetime64(datetime.fromisoformat(content["begins_at"]).replace(tzinfo=None), "us")
        return cls(begins_at, weeks, pl.read_parquet(folder / "deployments.parquet"))


def limited_mean(limit: Floats, median: Floats, sigma: float) -> Floats:
    """The mean of min(outage, limit) for a log-normal outage, in the unit of both.

    Examples
    --------
    >>> limited_mean(np.array([0.0, 1.0, 1e6]), np.array([1.0]), 0.5).round(3)
    array([0.   , 0.85 , 1.133])
    """
    with np.errstate(divide="ignore"):
        distance = np.log(limit / median) / sigma
    below = median * np.exp(sigma**2 / 2) * ndtr(distance - sigma)
    return np.asarray(below + np.where(limit > 0, limit * ndtr(-distance), 0))

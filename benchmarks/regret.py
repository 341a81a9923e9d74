"""How good the advice is: windows for simulated companies, held against their truth and against rules of thumb.

    python benchmarks/regret.py --seeds 20 21 22 23 24

Regret: 0 is the best start of the week, 1 as good as one drawn by lot. The rules of thumb choose by lot among what they
allow, so that theirs is a mean. In a null company, where no hour differs from another, only the share of answers that
say so is told. With `--train` a model is trained first, as `shipcast train` does.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
from scipy.special import expit, logit

from shipcast.answers.pricing import Forecaster, Question, evaluated_starts, forecasts, known_change
from shipcast.answers.reading import Reader, open_reader
from shipcast.answers.windows import windows
from shipcast.demo import regret, true_costs
from shipcast.features.clock import hours_of_week
from shipcast.features.history import History
from shipcast.ingest.files import ingest_files
from shipcast.pipeline import train
from shipcast.scheduling.windows import week_starts
from shipcast.settings import Settings
from shipcast.simulator import UNTIL, Kind, Truth, simulate
from shipcast.warehouse.snapshot import publish
from shipcast.warehouse.transform import build

DURATION = timedelta(minutes=30)
AS_OF = datetime.combine(UNTIL, time(), UTC)
RULES = ("by lot", "lowest load", "lowest raw failure rate", "Tuesday to Thursday, 10 to 16")
SPARSE = 50  # deployments, below which a service should be no worse off than with the rate of all
LEAST_RAW = 5  # deployments in an hour of the week, from which its raw failure rate is looked at
HEADINGS = (
    "| kind | questions | no clear difference | regret: mean | by seed | worst | "
    + " | ".join(RULES)
    + " | better than all rules | error of P(fail) | 90 % cover | error, sparse services | of the rate of all |\n"
    + "| --- " * (11 + len(RULES))
    + "|"
)


@dataclass(frozen=True)
class Found:
    """One service: the verdict, the regret of the first window and of each rule, and how right P(fail) was.

    `pooled_error` is that of the rate of all services; `is_sparse`: fewer than 50 deployments of its own have settled.
    """

    seed: int
    verdict: str
    regret: float
    rules: tuple[float, ...]
    error: float
    covered: float
    pooled_error: float
    is_sparse: bool


def found(write: Callable[[Path], Truth], seed: int, *, trained: bool = False) -> Iterator[Found]:
    """What was found for every service of the company that `write` makes in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        settings.home.mkdir()
        truth = write(Path(folder) / "company")
        ingest_files(settings, [Path(folder) / "company"])
        build(settings)
        publish(settings.home, 1)
        if trained:
            train(settings, AS_OF, None, promote=True, progress=lambda step: None)
        usual = surroundings(truth)
        with open_reader(settings, AS_OF) as reader:
            for service in truth.services:
                answer = windows(reader, service, duration=DURATION)
                week = week_starts(AS_OF.replace(tzinfo=None))
                costs = truth.expected_cost(service, week, duration_minutes=DURATION / timedelta(minutes=1))
                draws = chances(reader, service)[:, : len(week)]
                true = expit(logit(truth.failure_probability(service, week)) + usual[service])
                low, high = np.quantile(draws, (0.05, 0.95), axis=0)
                yield Found(
                    seed,
                    answer.verdict,
                    regret(*true_costs(answer, truth, lines=None)),
                    tuple(
                        regret(float(cost), float(costs.min() / costs.mean()))
                        for cost in ruled(reader, truth, service, costs)
                    ),
                    float(np.abs(draws.mean(axis=0) - true).mean()),
                    float(((low <= true) & (true <= high)).mean()),
                    float(np.abs(pooled_rate(reader, service) - true).mean()),
                    answer.n < SPARSE,
                )


def pooled_rate(reader: Reader, service: str) -> float:
    """The share of all settled deployments that failed."""
    history = History(reader.connection, reader.at, "production", reader.settings.tz)
    return float(history.outcomes(service)["is_failed"].mean())


def surroundings(truth: Truth) -> dict[str, float]:
    """How much likelier than in quiet surroundings each service's deployments really were to fail, in log odds.

    The truth for any start is that of quiet surroundings; a forecast is of usual ones (others deploy, tests failed).
    """
    made = truth.deployments.filter(~pl.col("is_rollback"), pl.col("is_failed").is_not_null())
    shifts = dict.fromkeys(truth.services, 0.0)
    for (service,), its in made.partition_by("service", as_dict=True).items():
        starts = its["started_at"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
        quiet = truth.failure_probability(str(service), starts, its["lines_changed"].cast(pl.Float64).to_numpy())
        shifts[str(service)] = float(np.mean(logit(its["failure_probability"].to_numpy()) - logit(quiet)))
    return shifts


def chances(reader: Reader, service: str) -> np.ndarray:
    """Draws of the chance of failure in every quarter hour of the coming week."""
    history = History(reader.connection, reader.at, "production", reader.settings.tz)
    change = known_change(history, service, None, None, None)
    models = Forecaster(history, reader.settings).models(change)
    question = Question(change, "production", DURATION, reader.at, reader.at + timedelta(days=7), 3)
    return forecasts(models, question, evaluated_starts(reader.at, week_starts(reader.at))).failure


def ruled(reader: Reader, truth: Truth, service: str, costs: np.ndarray) -> list[float]:
    """The mean true cost, over that of the week's mean start, of what each rule of thumb allows."""
    week = week_starts(reader.at)
    hours = hours_of_week(week, truth.weeks[service].zone)
    allowed = [
        np.ones(len(week), dtype=bool),
        lowest_load(reader, service, hours),
        lowest_raw_rate(reader, service, hours),
    ]
    day, hour = hours // 24, hours % 24
    allowed.append((day >= 1) & (day <= 3) & (hour >= 10) & (hour < 16))
    return [float(costs[its].mean() / costs.mean()) for its in allowed]


def lowest_load(reader: Reader, service: str, hours: np.ndarray) -> np.ndarray:
    """The hour of the week that saw the least load; all where none is known."""
    zone = dict(reader.rows("select service, business_zone from dim_services"))[service]
    rows = reader.rows(
        "select hour_at, requests from fct_load_hourly where service = $service and known_at <= $at",
        service=service, at=reader.at,
    )  # fmt: skip
    if not rows:
        return np.ones(len(hours), dtype=bool)
    frame = pl.DataFrame(rows, schema=["hour_at", "requests"], orient="row")
    of_week = hours_of_week(frame["hour_at"].to_numpy(), zone or "UTC")
    means = np.bincount(of_week, frame["requests"].to_numpy(), 168) / np.maximum(np.bincount(of_week, minlength=168), 1)
    return means[hours] == means[hours].min()


def lowest_raw_rate(reader: Reader, service: str, hours: np.ndarray) -> np.ndarray:
    """The hours of the week with the lowest raw failure rate, of those with five deployments; all if there is none."""
    history = History(reader.connection, reader.at, "production", reader.settings.tz)
    own = history.outcomes(service).filter(pl.col("service") == service)
    of_week = own["hour_of_week"].cast(pl.Int64).to_numpy()
    trials = np.bincount(of_week, minlength=168)
    rates = np.where(
        trials >= LEAST_RAW, np.bincount(of_week, own["is_failed"].to_numpy(), 168) / np.maximum(trials, 1), np.inf
    )
    return rates[hours] == rates[hours].min()


def cells(kind: str, answers: list[Found]) -> str:
    """The row of the table about a kind of company; in a null one there is nothing to regret."""
    seeds = list(dict.fromkeys(one.seed for one in answers))
    values, rules = np.array([one.regret for one in answers]), np.array([one.rules for one in answers])
    of_seeds = [np.array([one.seed == seed for one in answers]) for seed in seeds]
    means = [values[its].mean() for its in of_seeds]
    better = sum(mean < rules[its].mean(axis=0).min() for mean, its in zip(means, of_seeds, strict=True))
    regrets = [f"{values.mean():.3f}", " ".join(f"{mean:.2f}" for mean in means), f"{values.max():.2f}"]
    regrets += [f"{value:.2f}" for value in rules.mean(axis=0)] + [f"on {better} of {len(seeds)} seeds"]
    few = [one for one in answers if one.is_sparse]
    found = [
        kind,
        len(answers),
        f"{np.mean([one.verdict == 'no_clear_difference' for one in answers]):.0%}",
        *([""] * len(regrets) if kind == "null" else regrets),
        f"{np.mean([one.error for one in answers]):.3f}",
        f"{np.mean([one.covered for one in answers]):.0%}",
        *(
            [f"{np.mean([one.error for one in few]):.3f}", f"{np.mean([one.pooled_error for one in few]):.3f}"]
            if few
            else ["", ""]
        ),
    ]
    return "| " + " | ".join(map(str, found)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22, 23, 24])
    parser.add_argument("--train", action="store_true", help="train a model first")
    arguments = parser.parse_args()
    print(HEADINGS)
    for kind in get_args(Kind):
        answers: list[Found] = []
        for seed in arguments.seeds:
            answers += found(partial(simulate, seed=seed, kind=kind), seed, trained=arguments.train)
        print(cells(kind, answers), flush=True)


if __name__ == "__main__":
    main()

"""How good the second estimate of the hour is, and the model beside it: simulated companies, whose truth is known.

    python benchmarks/second_estimate.py --seeds 40 41 42 43 44

Of every part of the week the true risk is known: that of the changes compared, had they shipped at the hours at which
their service ships then. Errors are of logarithms: 0.1 is 10 % too high. `--blind` fits the model to services and
hours alone, so that the big changes of quiet hours count as an effect of the hour: a fault that should be found.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
from scipy.special import expit, logit

from shipcast.answers.reading import open_reader
from shipcast.features.clock import HOURS_OF_WEEK
from shipcast.features.history import History
from shipcast.features.matrix import matrix
from shipcast.ingest.files import ingest_files
from shipcast.models.backtest import settled
from shipcast.models.candidates import Regression
from shipcast.models.doubly_robust import PARTS, PartRisk, parts_of, second_estimates, standardised
from shipcast.settings import Settings
from shipcast.simulator import UNTIL, Kind, Truth, simulate
from shipcast.warehouse.snapshot import publish
from shipcast.warehouse.transform import build

AS_OF = datetime.combine(UNTIL, time(), UTC)
HEAD = (
    "kind", "parts", "told", "changes compared", "bias: raw", "model", "second", "error: raw", "model ", "second ",
    "95 % held: model", "second  ", "parts that disagree", "companies with one",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """One part of a company's week, and its true risk: of the changes compared, and of all."""

    seed: int
    part: PartRisk
    true: float
    true_of_all: float
    kept: float


def found(kind: Kind, seed: int, days: int, *, is_blind: bool) -> Iterator[Found]:
    """What was found for every part of the week of a company."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        settings.home.mkdir()
        truth = simulate(Path(folder) / "company", seed=seed, kind=kind, days=days)
        ingest_files(settings, [Path(folder) / "company"])
        build(settings)
        publish(settings.home, 1)
        with open_reader(settings, AS_OF) as reader:
            rows = matrix(History(reader.connection, reader.at, "production", settings.tz))
    rows = settled(rows.filter(~pl.col("is_rollback")), AS_OF.replace(tzinfo=None))
    rows = rows.sort("service", "started_at", "deployment_id")
    model = Regression(() if is_blind else None).fit(rows.with_columns(change_type=None) if is_blind else rows)
    risks = true_risks(truth, rows)
    compared = standardised(rows, parts_of(rows), rows["is_failed"].cast(pl.Float64).to_numpy())
    for at, part in enumerate(second_estimates(rows, model)):
        kept = compared[at].kept if at in compared else np.ones(len(rows), dtype=bool)
        yield Found(seed, part, float(risks[kept, at].mean()), float(risks[:, at].mean()), float(kept.mean()))


def true_risks(truth: Truth, rows: pl.DataFrame) -> np.ndarray:
    """Of every change, one column a part of the week: its true risk, at the hours at which its service ships then."""
    known = truth.deployments.select("deployment_id", "failure_probability")
    as_it_was = logit(rows.join(known, on="deployment_id", how="left", maintain_order="left")["failure_probability"])
    hours, parts = rows["hour_of_week"].cast(pl.Int64).to_numpy(), parts_of(rows)
    services, risks = rows["service"].to_numpy(), np.zeros((len(rows), len(PARTS)))
    for service in np.unique(services):
        its, week = services == service, truth.weeks[service].failure_logit
        without_hour = as_it_was.to_numpy()[its] - week[hours[its]]
        for at in range(len(PARTS)):
            there = hours[its & (parts == at)]
            there = there if len(there) else hours[parts == at]
            mix = np.bincount(there, minlength=HOURS_OF_WEEK) / max(len(there), 1)
            risks[its, at] = expit(without_hour[:, None] + week[mix > 0]) @ mix[mix > 0]
    return risks


def row(kind: str, all_found: list[Found]) -> list[object]:
    """The cells of one kind of company."""
    told = [one for one in all_found if one.part.disagrees is not None]
    raw = np.log([one.part.failures / one.part.n / one.true_of_all for one in told])
    model, second = (np.log([getattr(one.part, name) / one.true for one in told]) for name in ("model", "second"))
    held = [
        np.mean([getattr(one.part, f"{name}_low") <= one.true <= getattr(one.part, f"{name}_high") for one in told])
        for name in ("model", "second")
    ]
    apart = [one for one in told if one.part.disagrees]
    return [
        kind,
        len(all_found),
        len(told),
        f"{np.mean([one.kept for one in told]):.0%}",
        *(f"{errors.mean():+.2f}" for errors in (raw, model, second)),
        *(f"{np.sqrt(np.mean(errors**2)):.2f}" for errors in (raw, model, second)),
        *(f"{share:.0%}" for share in held),
        f"{len(apart)} of {len(told)}",
        f"{len({one.seed for one in apart})} of {len({one.seed for one in all_found})}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[40, 41, 42, 43, 44])
    parser.add_argument("--kinds", nargs="+", default=get_args(Kind), choices=get_args(Kind))
    parser.add_argument("--days", type=int, default=365, help="length of the history")
    parser.add_argument("--blind", action="store_true", help="let the model know services and hours alone")
    arguments = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n{'| --- ' * len(HEAD)}|", flush=True)
    for kind in arguments.kinds:
        parts = [one for seed in arguments.seeds for one in found(kind, seed, arguments.days, is_blind=arguments.blind)]
        print("| " + " | ".join(map(str, row(kind, parts))) + " |", flush=True)


if __name__ == "__main__":
    main()

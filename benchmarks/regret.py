"""How good the advice is: windows for simulated companies, held against their truth.

    python benchmarks/regret.py --seeds 10 11 12

Regret: 0 is the best start of the week, 1 as good as one drawn by lot. In a null company, where no hour differs from
another, only the share of answers that say so is told.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import get_args

import numpy as np

from shipcast.answers.reading import open_reader
from shipcast.answers.windows import windows
from shipcast.demo import regret, true_costs
from shipcast.ingest.files import ingest_files
from shipcast.settings import Settings
from shipcast.simulator import UNTIL, Kind, simulate
from shipcast.warehouse.snapshot import publish
from shipcast.warehouse.transform import build

DURATION = timedelta(minutes=30)
AS_OF = datetime.combine(UNTIL, time(), UTC)


def answered(kind: Kind, seed: int) -> list[tuple[str, float]]:
    """For every service of a company the verdict and the regret of the first window."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        settings.home.mkdir()
        truth = simulate(Path(folder) / "company", seed=seed, kind=kind)
        ingest_files(settings, [Path(folder) / "company"])
        build(settings)
        publish(settings.home, 1)
        with open_reader(settings, AS_OF) as reader:
            answers = [windows(reader, service, duration=DURATION) for service in truth.services]
        return [(one.verdict, regret(*true_costs(one, truth, lines=None))) for one in answers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    seeds = parser.parse_args().seeds
    print("| kind | questions | no clear difference | regret: mean | median | worst |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in get_args(Kind):
        found = [answer for seed in seeds for answer in answered(kind, seed)]
        undecided = np.mean([verdict == "no_clear_difference" for verdict, _ in found])
        values = np.array([value for _, value in found])
        regrets = "| | |" if kind == "null" else f"{values.mean():.2f} | {np.median(values):.2f} | {values.max():.2f} |"
        print(f"| {kind} | {len(found)} | {undecided:.0%} | {regrets}", flush=True)


if __name__ == "__main__":
    main()

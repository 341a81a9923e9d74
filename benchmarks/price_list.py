"""How long it takes to price 1,000 changes of a simulated company, 672 quarter hours each, all draws.

python benchmarks/price_list.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from shipcast.answers.price_list import price_list
from shipcast.answers.pricing import Forecaster, Question, known_change
from shipcast.answers.reading import open_reader
from shipcast.features.history import History
from shipcast.ingest.files import ingest_files
from shipcast.pipeline import train
from shipcast.scheduling.windows import week_starts
from shipcast.settings import Settings
from shipcast.simulator import UNTIL, simulate
from shipcast.warehouse.snapshot import publish
from shipcast.warehouse.transform import build

AS_OF = datetime.combine(UNTIL, datetime.min.time(), UTC)
MINUTES = (10, 15, 20, 30, 45, 60, 90)


def made(settings: Settings, folder: Path, services: int) -> None:
    """A home with a trained model."""
    settings.home.mkdir()
    simulate(folder, seed=1, services=services)
    ingest_files(settings, [folder])
    build(settings)
    publish(settings.home, 1)
    train(settings, AS_OF, None, promote=True, progress=lambda step: None)


def questions(history: History, count: int) -> list[Question]:
    """Changes of all services in turn, of different sizes and lengths."""
    rng = np.random.default_rng(1)
    names = history.services()["service"].to_list()
    return [
        Question(
            known_change(history, names[place % len(names)], int(rng.integers(1, 900)), None, None),
            "production",
            timedelta(minutes=int(rng.choice(MINUTES))),
            history.at,
            history.at + timedelta(days=7),
            1,
        )
        for place in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--services", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        made(settings, Path(folder) / "company", arguments.services)
        with open_reader(settings, AS_OF) as reader:
            history = History(reader.connection, reader.at, "production", settings.tz)
            asked = questions(history, arguments.changes)
            wall, cpu = time.perf_counter(), time.process_time()
            price_list(Forecaster(history, settings), asked, week_starts(reader.at))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{len(asked):,} changes of {arguments.services} services: {wall:.1f} s, of which {cpu:.1f} s computing")


if __name__ == "__main__":
    main()

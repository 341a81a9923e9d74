"""A simulated company taken through the whole pipeline, and what its leaders and schedulers would ask."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from shipcast.ask import Ask
from shipcast.console import progress
from shipcast.pipeline import built
from shipcast.settings import load_settings
from shipcast.settings.errors import InputRefused, UsageError
from shipcast.warehouse.lock import run_lock

if TYPE_CHECKING:
    from shipcast.answers.demo import DemoAnswer, Verification
    from shipcast.answers.operations import WrittenAnswer
    from shipcast.answers.windows import WindowsAnswer
    from shipcast.settings import Settings
    from shipcast.simulator import Truth

SERVICE = "checkout"
DURATION = timedelta(minutes=45)
LINES = 300
SIMULATED = "simulated data: this company does not exist"


def simulate_into(ask: Ask, directory: Path, *, seed: int, kind: str, until: date | None) -> WrittenAnswer:
    """Write a simulated company's tables and say what was written.

    Raises
    ------
    UsageError
        The kind is unknown.
    InputRefused
        The folder holds files, and they are not simulated: they are not overwritten.
    """
    from shipcast.answers.operations import written_answer
    from shipcast.simulator import UNTIL, Kind, simulate, simulated

    if kind not in get_args(Kind):
        raise UsageError(f"--kind must be one of {', '.join(get_args(Kind))}. Got {kind!r} instead.")
    if directory.exists() and not directory.is_dir():
        raise InputRefused(f"{directory} is not a folder.", next_step="Name a new or an empty one.")
    if directory.is_dir() and any(directory.iterdir()) and not simulated(directory):
        raise InputRefused(
            f"{directory} holds files that were not simulated; nothing was written.",
            next_step="Name a new or an empty folder.",
        )
    simulate(directory, seed=seed, kind=kind, until=until or UNTIL)  # type: ignore[arg-type]
    files = {path: None for path in sorted(directory.iterdir()) if path.is_file()}
    sentence = (
        f"Wrote a simulated company ({kind}, seed {seed}) to {directory}; its truth lies in {directory / 'truth'}."
    )
    return written_answer(files, sentence, ask.as_of, [SIMULATED])


def demo(ask: Ask) -> DemoAnswer:
    """Simulate a company up to the question's day, load it into a home of its own, and ask it everything.

    The demo's home is `HOME/demo`, so that simulated and real data never meet; it is made anew each time.
    """
    from shipcast.answers.demo import DemoAnswer
    from shipcast.answers.metrics import metrics
    from shipcast.answers.operations import envelope
    from shipcast.answers.reading import open_reader
    from shipcast.answers.windows import windows
    from shipcast.ingest.files import ingest_files
    from shipcast.simulator import Truth, simulate

    tell = progress(ask)
    settings = load_settings({"home": ask.settings.home / "demo", "tz": ask.settings.tz})
    with run_lock(ask.settings.home, "demo"), run_lock(settings.home, "demo"):
        clear(settings)
        company = settings.home / "company"
        tell(f"simulating a company of 12 services over a year into {company}")
        simulate(company, until=ask.as_of.date())
        loaded = ingest_files(settings, [company], progress=tell)
        built(settings, tell)
    with open_reader(settings, ask.as_of) as reader:
        delivery = metrics(reader)
        idle = metrics(reader, metric="environment_idle", by="environment")
        window = windows(reader, SERVICE, duration=DURATION, lines=LINES)
    rows = sum(item.read for item in loaded.items)
    return DemoAnswer(
        **envelope(ask.as_of, delivery.data_as_of),
        items=delivery.items,
        home=str(settings.home),
        rows=rows,
        metrics=delivery,
        idle=idle,
        windows=window,
        verification=verified(window, Truth.read(company)),
        warnings=(SIMULATED,),
    )


def verified(answer: WindowsAnswer, truth: Truth) -> Verification:
    """The first window held against the truth, over the quarter hours of the week from the question on."""
    from shipcast.answers.demo import Verification
    from shipcast.scheduling.windows import week_starts

    best = answer.items[0]
    week = week_starts(answer.as_of.replace(tzinfo=None))
    at = np.array([best.start.replace(tzinfo=None)], dtype="datetime64[us]")
    minutes = answer.duration_minutes
    costs = truth.expected_cost(SERVICE, week, duration_minutes=minutes, lines=LINES)
    usual = float(costs.mean())
    true_cost = float(truth.expected_cost(SERVICE, at, duration_minutes=minutes, lines=LINES)[0]) / usual
    best_cost = float(costs.min()) / usual
    return Verification(
        said_cost=best.relative_cost or 1.0,
        true_cost=true_cost,
        best_cost=best_cost,
        regret=(true_cost - best_cost) / (1 - best_cost),
        said_probability=best.failure_probability or 0.0,
        true_probability=float(truth.failure_probability(SERVICE, at, lines=LINES)[0]),
    )


def clear(settings: Settings) -> None:
    """Remove what an earlier demo left; the lock's own files stay.

    Raises
    ------
    InputRefused
        The folder holds something else: it is not touched.
    """
    from shipcast.simulator import simulated

    found = [path for path in settings.home.iterdir() if not path.name.startswith("run.")]
    if found and not simulated(settings.home / "company"):
        raise InputRefused(
            f"{settings.home} holds files that no demo made; nothing was touched.",
            next_step="Choose another home: shipcast --home DIR demo.",
        )
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()

"""A simulated company taken through the whole pipeline, and what its leaders and schedulers would ask."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from shipcast.ask import Ask
from shipcast.console import progress
from shipcast.pipeline import built, train
from shipcast.settings import load_settings
from shipcast.settings.errors import InputRefused, UsageError
from shipcast.settings.files import write_whole
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
NO_ROOM = 1e-9  # where all starts cost the same, none is worth regretting
CALENDAR = """# The calendar of a company that does not exist; docs/calendar.md says what else may stand here.

[[reserve]]
id = "spare-hour"
environment = "production"
per_day_minutes = 60
between = ["06:00", "22:00"]
tz = "UTC"

[[capacity]]
id = "production"
scope = { environment = ["production"] }
concurrent = 4
"""
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
    from shipcast.scheduling.calendar.files import FILE_NAME
    from shipcast.simulator import Truth, simulate

    tell = progress(ask)
    settings = load_settings({"home": ask.settings.home / "demo", "tz": ask.settings.tz})
    with run_lock(ask.settings.home, "demo"), run_lock(settings.home, "demo"):
        clear(settings)
        company = settings.home / "company"
        tell(f"simulating a company of 12 services over a year into {company}")
        simulate(company, until=ask.as_of.date())
        write_whole(settings.home / FILE_NAME, [CALENDAR])  # so that the calendar of the folder here is not the demo's
        loaded = ingest_files(settings, [company], progress=tell)
        built(settings, tell)
    training = train(settings, ask.as_of, "regression", promote=True, progress=tell)
    with open_reader(settings, ask.as_of) as reader:
        delivery = metrics(reader)
        idle = metrics(reader, metric="environment_idle", by="environment")
        truth = Truth.read(company)
        by_service = {name: windows(reader, name, duration=DURATION, lines=LINES) for name in truth.services}
    rows = sum(item.read for item in loaded.items)
    return DemoAnswer(
        **envelope(ask.as_of, delivery.data_as_of),
        items=delivery.items,
        home=str(settings.home),
        rows=rows,
        metrics=delivery,
        idle=idle,
        training=training,
        windows=by_service[SERVICE],
        verification=verified(by_service[SERVICE], list(by_service.values()), truth),
        warnings=(SIMULATED,),
    )


def verified(answer: WindowsAnswer, others: Sequence[WindowsAnswer], truth: Truth) -> Verification:
    """The first window of an answer, and of the answers for the other services, held against the truth."""
    from shipcast.answers.demo import Verification

    window = answer.items[0]
    true_cost, best_cost = true_costs(answer, truth)
    regrets = {other.service: regret(*true_costs(other, truth)) for other in others}
    worst = max(regrets, key=lambda service: regrets[service])
    return Verification(
        said_cost=window.relative_cost or 1.0,
        true_cost=true_cost,
        best_cost=best_cost,
        regret=regret(true_cost, best_cost),
        said_probability=window.failure_probability or 0.0,
        true_probability=float(truth.failure_probability(SERVICE, start_of(answer), lines=LINES)[0]),
        services=len(regrets),
        median_regret=float(np.median(list(regrets.values()))),
        worst_regret=regrets[worst],
        worst_service=worst,
    )


def regret(true_cost: float, best_cost: float) -> float:
    """0: nothing was better; 1: as good as a start drawn by lot, whose relative cost is 1; above: worse than that."""
    room = 1 - best_cost
    return (true_cost - best_cost) / room if room > NO_ROOM else 0.0


def true_costs(answer: WindowsAnswer, truth: Truth, lines: int | None = LINES) -> tuple[float, float]:
    """What the first window truly costs, and the best of the week, over the mean of the week's quarter hours."""
    from shipcast.scheduling.windows import week_starts

    def cost(starts: NDArray[np.datetime64]) -> NDArray[np.float64]:
        return truth.expected_cost(answer.service, starts, duration_minutes=answer.duration_minutes, lines=lines)

    week = cost(week_starts(answer.as_of.replace(tzinfo=None)))
    return float(cost(start_of(answer))[0] / week.mean()), float(week.min() / week.mean())


def start_of(answer: WindowsAnswer) -> NDArray[np.datetime64]:
    return np.array([answer.items[0].start.replace(tzinfo=None)], dtype="datetime64[us]")


def clear(settings: Settings) -> None:
    """Remove what an earlier demo left; the lock's own files stay, and the parsed models, which are those of any home.

    Raises
    ------
    InputRefused
        The folder holds something else: it is not touched.
    """
    from shipcast.simulator import simulated

    found = [path for path in settings.home.iterdir() if path.name != "dbt" and not path.name.startswith("run.")]
    if found and not simulated(settings.home / "company"):
        raise InputRefused(
            f"{settings.home} holds files that no demo made; nothing was touched.",
            next_step="Choose another home: shipcast --home DIR demo.",
        )
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()

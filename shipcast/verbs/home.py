"""The verbs that set a home up and look after it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shipcast.ask import Ask, parse_day, verb
from shipcast.console import hint, progress, say, show, table

if TYPE_CHECKING:
    from shipcast.answers.demo import DemoAnswer, Verification
    from shipcast.answers.doctor import DoctorAnswer

COMPONENTS = ("shipcast", "duckdb", "dbt-core", "dbt-duckdb", "polars", "numpy", "scipy", "pydantic", "typer")
MARKS = {"good": "✓", "missing": "–", "stale": "!", "broken": "✗", "unsafe": "!"}


def add_verbs(app: typer.Typer) -> None:
    verb(app, "demo", "shipcast demo")(demo_verb)
    verb(app, "init", "shipcast init")(init_verb)
    verb(app, "doctor", "shipcast doctor")(doctor_verb)
    verb(app, "backup", "shipcast backup /mnt/backups")(backup_verb)
    verb(app, "restore", "shipcast restore /mnt/backups/shipcast.tar --home new")(restore_verb)
    verb(app, "simulate", "shipcast simulate company/ --seed 7")(simulate_verb)
    verb(app, "version", "shipcast version")(version_verb)


def demo_verb(ask: Ask) -> None:
    """A simulated company, the whole pipeline, and the answers it leads to."""
    from shipcast.demo import demo

    answer = demo(ask)
    show(ask, answer, lambda: show_demo(ask, answer))


def show_demo(ask: Ask, answer: DemoAnswer) -> None:
    from shipcast.verbs.questions import metrics_table, windows_table

    say(f"A simulated company: {answer.rows:,} rows loaded, built and published in {answer.home}.")
    typer.echo("\nHow do we deliver? (simulated; for leaders)")
    metrics_table(answer.metrics)
    typer.echo("Which environments stand idle? (simulated; for leaders)")
    metrics_table(answer.idle, by="environment")
    typer.echo("When should a change of 300 lines to checkout go? (simulated; for schedulers)")
    windows_table(answer.windows, ask.settings.tz)
    typer.echo("\nHow good is the forecast of failures? (simulated; for data scientists)")
    say(answer.training.sentence)
    typer.echo("\nWas that right? (simulated, so the truth is known)")
    say(verification_in_words(answer.verification))
    typer.echo()
    hint(ask, f"shipcast --home {answer.home} metrics --by service")
    hint(ask, f"shipcast --home {answer.home} dashboard")
    hint(ask, "with your own data: shipcast ingest files DIR")


def verification_in_words(found: Verification) -> str:
    return (
        f"The window advised truly costs {found.true_cost:.0%} of the usual (said: {found.said_cost:.0%}), the best "
        f"one {found.best_cost:.0%}; its true chance of failure is {found.true_probability:.1%} (said: "
        f"{found.said_probability:.1%}). Its regret is {found.regret:.2f}, where 0 is the best window and 1 one "
        f"drawn by lot; over all {found.services} services the median is {found.median_regret:.2f}, the worst "
        f"{found.worst_regret:.2f} ({found.worst_service})."
    ).replace("%", " %")


def init_verb(ask: Ask) -> None:
    """Write a commented shipcast.toml into the home; an existing one is never touched."""
    from shipcast.answers.operations import written_answer
    from shipcast.settings import FILE_NAME
    from shipcast.settings.template import write_template

    path = ask.settings.home / FILE_NAME
    written = write_template(path)
    sentence = f"Wrote {path}." if written else f"{path} is there already and was left as it is."
    answer = written_answer({path: None} if written else {}, sentence, ask.as_of)
    show(ask, answer, lambda: say(answer.sentence))
    if not ask.json:
        hint(ask, "shipcast ingest files DIR, or name your folders under [[sources]] and: shipcast run")


def doctor_verb(
    ask: Ask,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended without inventing data, then look.")
    ] = False,
) -> None:
    """What is missing, stale or broken, the command that mends it, and what can be said with this much data."""
    from shipcast.answers.doctor import doctor
    from shipcast.pipeline import mend

    repaired = mend(ask.settings, progress(ask)) if repair else ()
    answer = doctor(ask.settings, ask.as_of, repaired)
    show(ask, answer, lambda: show_doctor(ask, answer))
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def show_doctor(ask: Ask, answer: DoctorAnswer) -> None:
    for done in answer.repaired:
        say(f"repaired: {done}")
    say(answer.sentence)
    table(
        ["", "check", "state", "found", "mend it with"],
        [[MARKS[item.state], item.subject, item.state, item.finding, item.remedy] for item in answer.items],
    )
    if answer.can_be_said:
        say(f"What can be said: {answer.can_be_said}")
    remedy = next((item.remedy for item in answer.items if item.state != "good" and item.remedy), None)
    if remedy:
        hint(ask, remedy)


def backup_verb(
    ask: Ask,
    target: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="The file to write, or a folder to write one named by time into.")
    ],
) -> None:
    """Copy the home into one file: the loaded rows, what is published, the settings, and a digest of each."""
    from shipcast.answers.storage import backup_answer

    answer = backup_answer(ask.settings, ask.as_of, target)
    show(ask, answer, lambda: say(answer.sentence))


def restore_verb(
    ask: Ask,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Let it take the place of a home that is not empty, which is set aside.")
    ] = False,
) -> None:
    """Put a backup in the place of the home, once every file in it was found to be what was copied."""
    from shipcast.answers.storage import restore_answer

    answer = restore_answer(ask.settings, ask.as_of, source, force=force)
    show(ask, answer, lambda: say(answer.sentence))
    if not ask.json:
        hint(ask, "shipcast doctor")


def simulate_verb(
    ask: Ask,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the tables.")],
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same company.")] = 0,
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="confounded, plain, or null (time has no effect).")
    ] = "confounded",
    until: Annotated[str | None, typer.Option(metavar="DATE", help="The last day of its year.")] = None,
) -> None:
    """Write the input tables of a simulated company whose truth is known and saved beside them."""
    from shipcast.demo import simulate_into

    answer = simulate_into(
        ask, directory, seed=seed, kind=kind, until=None if until is None else parse_day(until, "--until")
    )
    show(ask, answer, lambda: say(answer.sentence))
    if not ask.json:
        hint(ask, f"shipcast ingest files {directory}")


def version_verb(ask: Ask) -> None:
    """The versions of Shipcast and of what it runs on."""
    from importlib.metadata import version

    from shipcast.answers.operations import Component, VersionAnswer, envelope

    components = [Component(component=name, version=version(name)) for name in COMPONENTS]
    python = Component(component="python", version=f"{platform.python_version()} on {sys.platform}")
    answer = VersionAnswer(**envelope(ask.as_of), items=(*components, python))
    show(
        ask, answer, lambda: table(["component", "version"], [[item.component, item.version] for item in answer.items])
    )

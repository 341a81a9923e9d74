"""The verb that pipelines ask: whether a change may ship, by exit code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shipcast.ask import Ask, verb
from shipcast.console import hint, nobody_reads, say, show, table
from shipcast.settings.errors import StorageError
from shipcast.verbs.advice import Duration, asked_change, optional_duration
from shipcast.verbs.questions import CalendarFile, ChangeType, Environment, Files, Lines, Service, argument, flags

if TYPE_CHECKING:
    from shipcast.answers.gate import GateAnswer


LONGEST_DETAIL = 400


def add_verbs(app: typer.Typer) -> None:
    verb(app, "gate", "shipcast gate checkout --type standard --junit gate.xml")(gate_verb)


def gate_verb(
    ask: Ask,
    service: Service,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it starts; default: now.")] = None,
    duration: Duration = None,
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: ChangeType = None,
    calendar: CalendarFile = None,
    max_level: Annotated[
        Literal["calm", "fair", "moderate", "rough", "storm"],
        typer.Option("--max-level", help="The worst level that may ship."),
    ] = "fair",
    on_unknown: Annotated[
        Literal["hold", "go"] | None,
        typer.Option("--on-unknown", help="What counts where nothing can be said; default: exit with 11."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the checks as JUnit XML.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", metavar="FILE", help="Append the checks as Markdown.")
    ] = None,
) -> None:
    """Whether a change may ship: exit code 0 go, 10 hold, 11 cannot say."""
    from shipcast.answers.advice import keep
    from shipcast.answers.gate import Terms, gate

    answer = gate(
        ask.settings,
        ask.as_of,
        service,
        Terms(ask.optional_start(at, "--at"), optional_duration(duration), max_level, on_unknown),
        environment=environment,
        lines=lines,
        files=files,
        change_type=change_type,
        calendar_file=calendar,
    )
    report(answer, junit, summary)
    answer = keep(ask.settings.home, answer)  # what was not given, since no file took it, is not kept
    try:
        show(ask, answer, lambda: show_gate(ask, answer, asked_change(lines, files, change_type, calendar)))
    except BrokenPipeError:
        nobody_reads()  # the verdict is the exit code, whoever reads the rest
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def report(answer: GateAnswer, junit: Path | None, summary: Path | None) -> None:
    """Write the files that were asked for.

    Raises
    ------
    StorageError
        One cannot be written: no verdict is given.
    """
    from shipcast.reports import append_summary, write_junit

    for path, write in ((junit, write_junit), (summary, append_summary)):
        if path is not None:
            try:
                write(path, answer)
            except OSError as error:
                said = f"{path} cannot be written: {error.strerror}. No verdict is given."
                raise StorageError(said, next_step="Name a file in a folder that is there.", file=str(path)) from error


def show_gate(ask: Ask, answer: GateAnswer, change: Mapping[str, object]) -> None:
    """The sentence, and what each check found."""
    say(answer.sentence)
    rows = [[one.check, one.verdict, one.detail] for one in answer.items]
    table(["check", "verdict", "found"], rows, longest=LONGEST_DETAIL)
    hint(ask, following(answer, change))


def following(answer: GateAnswer, change: Mapping[str, object]) -> str:
    """What to ask next: of what is missing, whether to wait, or when it may go."""
    verdicts = {one.check: one.verdict for one in answer.items}
    asked = f"{argument(answer.service)}{flags(answer, change)}"
    if "unknown" in (verdicts["level"], verdicts["holds"]):
        return "shipcast doctor"
    if answer.found == verdicts["approvals"] == "unknown" and answer.change_type is None:
        return f"shipcast gate {asked} --type=standard, or --type=normal"
    return f"shipcast {'now' if answer.found == 'go' else 'windows'} {asked}"

"""How answers, progress and errors look: one sentence, a table of at most 100 columns, a `next:` hint."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import typer

from shipcast.ask import Ask
from shipcast.settings.errors import ShipcastError

if TYPE_CHECKING:
    from shipcast.answers.answer import Answer

WIDTH = 100
ERROR_LINES = 10
QUESTIONS = (
    "audit",
    "backtest",
    "cab",
    "calendar",
    "dashboard",
    "explain",
    "forecast",
    "gate",
    "metrics",
    "now",
    "outlook",
    "plan",
    "quality",
    "serve",
    "windows",
)  # verbs whose answers are as of a time
WITH_VALUE = ("--home", "--as-of", "--tz")
LONGEST = 120
SPARE_SECONDS = 1.0
WORD = re.compile(r"(?:(?<!\w)'[^']*'|[^ ])+")  # or words that a shell takes for one
UNUSUAL = re.compile(r"[^ -~\n]")


def shown(value: object, longest: int = LONGEST) -> str:
    """The value on one line of so many characters at most, none of which does anything to a terminal."""
    text = one_line(str(value))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def one_line(text: str) -> str:
    """Text on one line that can do nothing to a terminal: control characters, line feeds too, become `?`."""
    return printable(text.replace("\n", "?"))


def nobody_reads() -> None:
    """What is still buffered goes nowhere: the reader of our output went away, and nobody is left to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """Text that can do nothing to a terminal: control and direction characters become `?`, line feeds stay."""
    return UNUSUAL.sub(lambda found: found[0] if found[0].isprintable() else "?", text)


def escaped(text: str) -> str:
    """JSON that can do nothing to a terminal: in its strings such characters are written as \\uNNNN."""
    return UNUSUAL.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


def tell(text: str, *, err: bool = False) -> None:
    """Print lines as they are, save for what would do something to a terminal."""
    typer.echo(printable(text), err=err)


def say(text: str) -> None:
    """Print a sentence, broken between words where it is longer than a line."""
    tell(textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))


def show(ask: Ask, answer: Answer, human: Callable[[], None]) -> None:
    """Print the answer: as JSON where asked for, else in words, with its warnings below."""
    if ask.json:
        typer.echo(escaped(answer.as_json()))
        return
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)  # noqa: T201
    human()
    for warning in answer.warnings:
        say(f"note: {warning}")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[str] = (), longest: int = LONGEST
) -> None:
    """Print rows under their column names, those in `numbers` aligned right; nothing where there are no rows.

    Cells of more than `longest` characters are cut.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    aligned = set(numbers)
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        right = name in aligned
        grid.add_column(
            name, justify="right" if right else "left", no_wrap=right, overflow="ellipsis" if right else "fold"
        )
    for row in rows:
        grid.add_row(*(Text("" if cell is None else shown(cell, longest)) for cell in row))
    if not grid.rows:
        return
    console = Console(width=WIDTH, markup=False, highlight=False, emoji=False)
    with console.capture() as capture:
        console.print(grid)
    typer.echo()
    typer.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))
    typer.echo()


def hint(ask: Ask, command: str) -> None:
    """What to ask next, of the same home and as of the same time; nothing where the user wants quiet."""
    if not ask.quiet:
        tell(folded(f"next: {with_flags(ask, command)}"))


def folded(text: str) -> str:
    """Commands on lines that a shell takes as one; words between them, behind a comma or semicolon, on lines as such.

    >>> print(folded("shipcast reserve pay --for 'a b' " + "--region eu " * 7 + "--type normal"))
    shipcast reserve pay --for 'a b' --region eu --region eu --region eu --region eu --region eu \\
      --region eu --region eu --type normal
    >>> folded("shipcast backtest, or a team's")
    "shipcast backtest, or a team's"
    >>> print(folded("next: shipcast metrics " + "--team abc " * 6 + "--how, or -v for all"))
    next: shipcast metrics --team abc --team abc --team abc --team abc --team abc --team abc --how, or
      -v for all
    """
    lines, is_command = [""], False
    for word in WORD.findall(one_line(text)):
        if lines[-1] and len(lines[-1]) + len(word) + 1 > WIDTH - 2:
            lines[-1] += " \\" if is_command else ""
            lines.append(f"  {word}")
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
        is_command = (is_command or word == "shipcast") and not word.endswith((",", ";"))
    return "\n".join(lines)


def with_flags(ask: Ask, command: str) -> str:
    """The commands in a hint with the home that was given to this one, and questions with its time too.

    Examples
    --------
    >>> with_flags(Ask(home="my data", as_of_text="2025-12-01"), "correct them, then: shipcast build")
    "correct them, then: shipcast --home 'my data' build"
    >>> with_flags(Ask(as_of_text="2025-12-01"), "shipcast metrics, or with --how")
    'shipcast --as-of 2025-12-01 metrics, or with --how'
    """

    def flagged(found: re.Match[str]) -> str:
        given = {"--home": ask.home, "--as-of": ask.as_of_text if found[1] in QUESTIONS else None}
        flags = [f"{flag} {shlex.quote(value)} " for flag, value in given.items() if value]
        return f"shipcast {''.join(flags)}{found[1]}"

    return re.sub(r"\bshipcast ([a-z]+)", flagged, command)


def progress(ask: Ask) -> Callable[[str], None]:
    """A function that tells on stderr what is being done: in one line on a terminal, else at most once a second."""
    if ask.quiet:
        return lambda message: None
    return rewriting() if sys.stderr.isatty() else sparing()


def rewriting() -> Callable[[str], None]:
    return lambda message: print(f"\r\x1b[2K… {shown(message)}", end="", file=sys.stderr, flush=True)  # noqa: T201


def sparing() -> Callable[[str], None]:
    """Leaves out what follows within a second, so that a log is not flooded."""
    last = [float("-inf")]

    def seldom(message: str) -> None:
        if time.monotonic() - last[0] >= SPARE_SECONDS:
            last[0] = time.monotonic()
            typer.echo(f"… {shown(message)}", err=True)

    return seldom


def show_error(error: ShipcastError, arguments: list[str]) -> None:
    """On stderr in at most ten lines; as a problem object on stdout where JSON was asked for."""
    if "--json" in arguments:
        typer.echo(escaped(json.dumps(problem(error, arguments), ensure_ascii=False)))
        return
    last = [f"  {next_step(error, arguments)}"] if error.next_step else []
    if "free" in error.facts and "-q" not in arguments and "--quiet" not in arguments:
        last += folded(f"next: {again(arguments, *error.facts['free'])}").splitlines()
    lines = [f"error: {error.detail}", *error.lines][: ERROR_LINES - len(last)]
    tell("\n".join(one_line(line) for line in (*lines, *last)), err=True)


def next_step(error: ShipcastError, arguments: list[str]) -> str:
    """What to do about it, its commands about the home that was asked, and as of the same time."""
    if "--help" in error.next_step:
        return error.next_step
    return with_flags(Ask(home=said(arguments, "--home"), as_of_text=said(arguments, "--as-of")), error.next_step)


def said(arguments: list[str], flag: str) -> str | None:
    """The value that was given with a flag, the last where there are several; None: there is none.

    >>> said(["--home", "a", "now", "--home=b"], "--home"), said(["now"], "--home")
    ('b', None)
    """
    apart = [value for name, value in pairwise(arguments) if name == flag]
    joined = [word.removeprefix(f"{flag}=") for word in arguments if word.startswith(f"{flag}=")]
    return next(reversed([*apart, *joined]), None)


def again(arguments: list[str], start: str, end: str) -> str:
    """The same command for another time.

    >>> again(["reserve", "pay", "--start", "2026-01-05", "--for=hot fix", "--duration=1h"], "2026-01-06", "2026-01-07")
    "shipcast reserve pay --start 2026-01-06 '--for=hot fix' --duration=1h"
    """
    times = {"--start": start, "--end": end}
    words = [
        times.get(before)
        or next((f"{flag}={time}" for flag, time in times.items() if word.startswith(f"{flag}=")), word)
        for before, word in zip(("", *arguments), arguments, strict=False)
    ]
    return f"shipcast {shlex.join(words)}"


def problem(error: ShipcastError, arguments: list[str]) -> dict[str, Any]:
    """The error as an RFC 9457 problem object; `status` is the exit code, `conflicts` what stands against a booking."""
    conflicts = {"conflicts": error.facts["conflicts"]} if "conflicts" in error.facts else {}
    words = [word for before, word in zip(("", *arguments), arguments, strict=False) if before not in WITH_VALUE]
    verb = next((word for word in words if not word.startswith("-")), "")
    return {
        "type": f"urn:shipcast:problem:{type(error).__name__.lower()}",
        "title": error.title,
        "status": error.exit_code,
        "detail": str(error).removesuffix(error.next_step) + next_step(error, arguments),
        "instance": f"shipcast {verb}".strip(),
        **conflicts,
    }


def bug(error: Exception) -> ShipcastError:
    """A bug of ours: what broke, and where, in one line; the trace only with --debug."""
    return ShipcastError(
        f"this is a bug: {broken(error)}: {shown(error)}.",
        next_step="Run it again with --debug and report what it prints.",
    )


def broken(error: Exception) -> str:
    """What kind of error it is, and where it was raised, without its words."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119

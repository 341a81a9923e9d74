"""The flags every verb takes, before or after its name, and the question they add up to."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property, wraps
from typing import Annotated, Any

import typer

from shipcast.settings import Settings, load_settings
from shipcast.settings.errors import UsageError
from shipcast.settings.instants import parse_instant

COMMON: dict[str, Any] = {
    "home": Annotated[
        str | None, typer.Option("--home", metavar="DIR", help="The folder that holds everything Shipcast writes.")
    ],
    "as_of": Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="When the question is asked; nothing known later is used."),
    ],
    "tz": Annotated[
        str | None, typer.Option("--tz", metavar="ZONE", help="Your zone, for days, weeks and times shown.")
    ],
    "json": Annotated[bool, typer.Option("--json", help="The answer as one JSON object.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no hints.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="More detail in answers and progress.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show a trace when something breaks.", hidden=True)],
}
DEFAULTS: dict[str, Any] = {
    "home": None,
    "as_of": None,
    "tz": None,
    "json": False,
    "quiet": False,
    "verbose": False,
    "debug": False,
}


@dataclass(frozen=True)
class Ask:
    """Who asks, from where, as of when, and how the answer is wanted."""

    home: str | None = None
    as_of_text: str | None = None
    tz: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    @cached_property
    def settings(self) -> Settings:
        if self.home == "":
            raise UsageError("--home is empty.", next_step="Name a folder, or leave the flag out for .shipcast here.")
        return load_settings({"home": self.home, "tz": self.tz})

    @cached_property
    def as_of(self) -> datetime:
        """The instant of the question, aware, in UTC."""
        return self.asked_at if self.as_of_text is None else self.instant(self.as_of_text, "--as-of")

    def instant(self, text: str, flag: str) -> datetime:
        """A time as typed: ISO 8601; without an offset, or as a date alone, in the reporting zone."""
        return parse_instant(text, flag, self.settings.tz)

    def optional_instant(self, text: str | None, flag: str) -> datetime | None:
        return None if text is None else self.instant(text, flag)

    def start(self, text: str, flag: str) -> datetime:
        """The same of when something is to happen; that it was read in UTC is told where nobody said so."""
        found = self.instant(text, flag)
        is_said = self.tz is not None or self.settings.tz != "UTC" or is_on_a_clock(text)
        if not is_said and not self.quiet:
            typer.echo(f"note: {flag} {text} was read in UTC; give it an offset, or --tz.", err=True)
        return found

    def optional_start(self, text: str | None, flag: str) -> datetime | None:
        return None if text is None else self.start(text, flag)


def is_on_a_clock(text: str) -> bool:
    """Whether a time as typed says its offset, or is a whole day.

    >>> is_on_a_clock("2025-12-15T09:00+01:00"), is_on_a_clock("2025-12-15"), is_on_a_clock("2025-12-15T09:00")
    (True, True, False)
    """
    return len(text.strip()) <= len("2025-12-15") or datetime.fromisoformat(text.strip()).tzinfo is not None


def parse_day(text: str, flag: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{flag} must be a date such as 2025-12-15. Got {text!r} instead.") from error


def verb(app: typer.Typer, name: str, example: str, **extra: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function whose first parameter is an `Ask` as a verb that takes the common flags as well.

    The first line of its docstring is its help; the example is shown below the options.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(function).parameters.values())[1:]
        hints = typing.get_type_hints(function, include_extras=True)

        @wraps(function)
        def command(context: typer.Context, **given: Any) -> Any:
            common = {key: given.pop(key) for key in COMMON}
            return function(asked(context, common), **given)

        parameters = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)]
        parameters += [item.replace(annotation=hints[item.name], kind=inspect.Parameter.KEYWORD_ONLY) for item in own]
        parameters += common_parameters()
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {item.name: item.annotation for item in parameters}
        app.command(name, epilog=f"Example: {example}", **extra)(command)
        return function

    return register


def common_parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS[key], annotation=annotation)
        for key, annotation in COMMON.items()
    ]


def asked(context: typer.Context, after: dict[str, Any]) -> Ask:
    """The flags given before the verb, overridden by those given after it."""
    given = overridden(context.find_root().obj, after)
    given.pop("debug")
    return Ask(as_of_text=given.pop("as_of"), **given)


def overridden(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """The flags of both places; where both give one, the later place wins."""
    return {key: after[key] if after[key] != DEFAULTS[key] else (before or DEFAULTS)[key] for key in COMMON}


def keep_flags(app: typer.Typer, words: str) -> None:
    """Let an app, or a group of verbs, take the common flags before the verb."""

    def remember(context: typer.Context, **given: Any) -> None:
        root = context.find_root()
        root.obj = overridden(root.obj, given)

    remember.__doc__ = words
    parameters = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)]
    parameters += common_parameters()
    remember.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    remember.__annotations__ = {item.name: item.annotation for item in parameters}
    app.callback()(remember)


def group(app: typer.Typer, name: str, words: str) -> typer.Typer:
    """A verb of two words: the group its second words are registered on."""
    verbs = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    keep_flags(verbs, words)
    app.add_typer(verbs, name=name)
    return verbs

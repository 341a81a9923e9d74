"""The root of every error Shipcast raises on purpose.

    ShipcastError              1  a bug, if it ever reaches a user as itself
    ├── UsageError             2  the command line asks for something that does not exist
    ├── ConfigurationError     3  settings, credentials, calendar files
    ├── InputRefused           4  a file or a whole load that cannot be taken
    ├── SourceUnreachable      5
    ├── Locked                 6  another run holds the home
    ├── StorageError           7  the disk, the database, a snapshot
    └── ModelError             8  a model is missing or refused

Each says where, what, why and what to do next, and knows its exit code; only the command line turns it into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class ShipcastError(Exception):
    """What went wrong, in words a user can act on.

    Parameters
    ----------
    detail
        One or two sentences: where, what, why.
    next_step
        What to do about it, usually a command. Empty where nothing can be done.
    lines
        What belongs to it and stands on lines of its own, such as one fault each.
    facts
        The facts behind the words, kept as attributes for programs (`error.facts["file"]`).
    """

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Shipcast failed"

    def __init__(self, detail: str, *, next_step: str = "", lines: Sequence[str] = (), **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.lines = tuple(lines)
        self.next_step = next_step
        self.facts = facts

    def __str__(self) -> str:
        return f"{chr(10).join((self.detail, *self.lines))} {self.next_step}".strip()


class UsageError(ShipcastError):
    exit_code = 2
    title = "That is not a question Shipcast knows"


class ConfigurationError(ShipcastError):
    exit_code = 3
    title = "The configuration is not usable"


class InputRefused(ShipcastError):
    exit_code = 4
    title = "The input was refused"


class SourceUnreachable(ShipcastError):
    exit_code = 5
    title = "A source cannot be reached"


class Locked(ShipcastError):
    exit_code = 6
    title = "Another run is at work"


class StorageError(ShipcastError):
    exit_code = 7
    title = "The storage is not usable"


class ModelError(ShipcastError):
    exit_code = 8
    title = "The model is missing or was refused"


def own_words(message: str) -> str:
    """What a check said, without what pydantic, and typer behind it, begin it with.

    >>> own_words("Value error, 'fine' is no level")
    "'fine' is no level"
    """
    return message.replace("Value error, ", "")


def in_a_line(error: BaseException) -> str:
    """The type of an error that is not ours, and the first line of what it says, without a full stop.

    >>> in_a_line(ValueError("out of luck.\\nand more")), in_a_line(SystemExit())
    ('ValueError out of luck', 'SystemExit')
    """
    return f"{type(error).__name__} {str(error).strip()}".strip().splitlines()[0].rstrip(".")

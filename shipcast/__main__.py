"""The command line's front door: runs a verb and turns every error into words and an exit code."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from types import FrameType

from typer.exceptions import Abort, Exit, TyperException

from shipcast.settings import tell_libraries
from shipcast.settings.errors import ShipcastError, UsageError, own_words

SIGNALLED = 128  # plus the signal's number
GARBAGE = 500_000  # new objects after which unused ones are looked for: what an answer imports stays in use
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # of matrices: more wait longer than they work


class Stopped(BaseException):
    """A signal asked this process to end."""


received: list[int] = []


def main() -> None:
    """Run the command line of this process and exit."""
    tell_libraries(ONE_THREAD)
    gc.set_threshold(GARBAGE)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter shows a question mark
    leave(run(sys.argv[1:]))


def leave(code: int) -> None:
    """End the process; threads that serve until then are not unwound, which native code under them cannot bear."""
    if any(thread.daemon for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)


def stop(number: int, frame: FrameType | None) -> None:
    received.append(number)
    raise Stopped


def run(arguments: list[str]) -> int:
    """The exit code of `shipcast ARGUMENTS`; the answer went to stdout, progress and errors to stderr."""
    with warnings.catch_warnings():
        warnings.showwarning = say_warning
        return outcome_of(arguments)


def outcome_of(arguments: list[str]) -> int:
    from shipcast.cli import command

    try:
        outcome = command()(args=arguments, prog_name="shipcast", standalone_mode=False)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except Exit as end:
        return end.exit_code
    except SystemExit as end:
        # How the command line library ends when the reader of our output went away (`| head`).
        if isinstance(end.__context__, BrokenPipeError):
            return unread()
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        return unread()
    except (Stopped, KeyboardInterrupt, Abort):
        return stopped()
    except Exception as error:
        # A library that was at work may turn the signal into an error of its own.
        return stopped() if received else explained(error, arguments)


def say_warning(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
    """A warning about a home's files, for its user; those of libraries are for their developers."""
    if category.__name__ == "StorageWarning":
        from shipcast.console import tell

        tell(f"note: {message}", err=True)


def stopped() -> int:
    print("stopped; what was published stays as it was", file=sys.stderr)  # noqa: T201
    return SIGNALLED + (received[-1] if received else signal.SIGINT)


def unread() -> int:
    """Nothing is wrong, and nobody is left to tell."""
    from shipcast.console import nobody_reads

    nobody_reads()
    return 0


def explained(error: Exception, arguments: list[str]) -> int:
    """Say what went wrong; the exit code it deserves."""
    from shipcast.console import bug, show_error
    from shipcast.warehouse.damage import storage_error

    if isinstance(error, TyperException):
        error = UsageError(own_words(error.format_message()), next_step=usage_hint(error))
    if isinstance(error, OSError):
        error = storage_error(Path(error.filename or "the output"), error)
    if isinstance(error, ShipcastError):
        show_error(error, arguments)
        return error.exit_code
    if "--debug" in arguments:
        raise error
    show_error(bug(error), arguments)
    return ShipcastError.exit_code


def usage_hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"See `{context.command_path if context else 'shipcast'} --help`."


if __name__ == "__main__":
    main()

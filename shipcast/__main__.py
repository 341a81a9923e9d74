"""The command line's front door: runs a verb and turns every error into words and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from typer.exceptions import Abort, Exit, TyperException

from shipcast.settings.errors import ShipcastError, UsageError

TERMINATED = 143
INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit."""
    signal.signal(signal.SIGTERM, terminate)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of `shipcast ARGUMENTS`; the answer went to stdout, progress and errors to stderr."""
    from shipcast.cli import command
    from shipcast.console import show_bug, show_error

    try:
        outcome = command()(args=arguments, prog_name="shipcast", standalone_mode=False)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except ShipcastError as error:
        show_error(error, arguments)
        return error.exit_code
    except TyperException as error:
        show_error(UsageError(error.format_message(), next_step=usage_hint(error)), arguments)
        return UsageError.exit_code
    except Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, Abort):
        print("interrupted; what was published stays as it was", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong, and nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if "--debug" in arguments:
            raise
        show_bug(error, arguments)
        return ShipcastError.exit_code


def usage_hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"See `{context.command_path if context else 'shipcast'} --help`."


def terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    main()

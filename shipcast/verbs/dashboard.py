"""The verb that serves the web page."""

from __future__ import annotations

from typing import Annotated

import typer

from shipcast.ask import Ask, verb
from shipcast.console import say
from shipcast.settings.errors import UsageError

PORT = 8501


def add_verbs(app: typer.Typer) -> None:
    verb(app, "dashboard", "shipcast dashboard --port 8600")(dashboard_verb)


def dashboard_verb(
    ask: Ask,
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="The port on this machine.")] = PORT,
    browser: Annotated[bool, typer.Option("--browser", help="Open it in your browser.")] = False,
) -> None:
    """The web page: outlook, plan, reasons, delivery and quality, for browsers on this machine."""
    from shipcast.dashboards.server import LOOPBACK, run

    check_free(LOOPBACK, port, "dashboard")
    as_of = None if ask.as_of_text is None else ask.as_of
    if not ask.quiet:
        say(f"The page is at http://{LOOPBACK}:{port}; Ctrl-C ends it.")
    run(ask.settings, as_of, port, opens_browser=browser)


def check_free(address: str, port: int, verb: str) -> None:
    """Refuse a port that something listens on: a viewer would meet that instead.

    Raises
    ------
    UsageError
        Naming the port.
    """
    import socket

    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise UsageError(
                f"Port {port} of {address} cannot be had: {error.strerror}.",
                next_step=f"Choose another: shipcast {verb} --port {min(port + 1, 65535)}",
            ) from error

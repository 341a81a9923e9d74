"""The verbs of the command line, put together; each verb imports what it needs only when it runs."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer

from shipcast.ask import keep_flags
from shipcast.verbs import (
    advice,
    bookings,
    cab,
    calendar,
    connect,
    dashboard,
    data,
    gate,
    home,
    models,
    notify,
    outlook,
    planning,
    questions,
    serve,
)

HELP = """The shipping forecast for software: when should this change go, and how sure are we?

First answer: shipcast demo. Your own data: shipcast ingest files DIR, then shipcast build, then
shipcast metrics and shipcast windows SERVICE --duration 45m.

Exit codes: 0 done, 1 a bug, 2 usage, 3 configuration, 4 input refused, 5 source unreachable, 6 locked,
7 storage, 8 model missing or refused, 10 hold, 11 cannot say.
"""

app = typer.Typer(
    name="shipcast",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
)
keep_flags(app, HELP)
home.add_verbs(app)
data.add_verbs(app)
connect.add_verbs(app)
questions.add_verbs(app)
outlook.add_verbs(app)
advice.add_verbs(app)
gate.add_verbs(app)
planning.add_verbs(app)
calendar.add_verbs(app)
bookings.add_verbs(app)
notify.add_verbs(app)
cab.add_verbs(app)
models.add_verbs(app)
dashboard.add_verbs(app)
serve.add_verbs(app)


@cache
def command() -> Any:
    """The whole command line, as a callable that takes `args`; put together once, which takes a tenth of a second."""
    return typer.main.get_command(app)

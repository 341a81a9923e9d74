"""What most viewers ask first, asked before they do: when the page starts, and whenever there is newer to say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event, Thread

from shipcast.answers.source import Source
from shipcast.dashboards.pages import outlook, trained_models
from shipcast.dashboards.view import source
from shipcast.settings import Settings
from shipcast.settings.errors import ShipcastError

LOG = logging.getLogger("shipcast.dashboards")
QUIET, LOOK_AGAIN = 20.0, 60.0  # seconds: after the first page, which who just started it looks at; between looks
Page = Callable[[Source], None]
FIRST: Sequence[Page] = (outlook.ask_ahead,)
PAGES: Sequence[Page] = (*FIRST, trained_models.ask_ahead)


def keep_asking(settings: Settings, as_of: datetime | None) -> None:
    """Begin; it ends with the process, which does not wait for it."""
    Thread(target=lambda: again_and_again(settings, as_of), name="ask-ahead", daemon=True).start()


def again_and_again(settings: Settings, as_of: datetime | None) -> None:
    never = Event()
    ask_ahead(settings, as_of, FIRST)
    never.wait(QUIET)
    while True:
        ask_ahead(settings, as_of, PAGES)
        never.wait(LOOK_AGAIN)


def ask_ahead(settings: Settings, as_of: datetime | None, pages: Sequence[Page]) -> None:
    """Ask once; what was answered already is kept and takes no time, and what cannot be answered the page says."""
    try:
        found = source(settings, as_of)
        for ask_of in pages:
            ask_of(found)
    except ShipcastError:
        pass
    except Exception:
        LOG.exception("A question could not be asked ahead.")

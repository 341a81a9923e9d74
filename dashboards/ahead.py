"""What most viewers ask first, asked before they do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from shipcast.answers.ahead import Asking, models
from shipcast.answers.source import Source
from shipcast.dashboards.pages import outlook, trained_models


def likely(found: Source) -> Iterator[Asking]:
    """What takes longest of pages while nothing is filtered; then the models of each service."""
    yield partial(outlook.ask_ahead, found)
    yield partial(trained_models.ask_ahead, found)
    yield from models(found)

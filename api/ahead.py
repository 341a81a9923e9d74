"""What a server of answers makes ready before it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from shipcast.answers.ahead import Asking, models
from shipcast.answers.lists import environments, services
from shipcast.answers.metrics import KEYS, metrics
from shipcast.answers.source import Source


def likely(found: Source) -> Iterator[Asking]:
    """The lists and the widest metrics first; then the models of each service."""
    yield partial(found.ask, services)
    yield partial(found.ask, environments)
    for by in (None, *KEYS):
        yield partial(found.ask, metrics, by=by)
    yield from models(found)

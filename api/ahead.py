"""What is likely to be asked, made ready before it is: when the server starts, and whenever there is newer to say."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread

from shipcast.answers.choices import choices
from shipcast.answers.lists import environments, services
from shipcast.answers.metrics import KEYS, metrics
from shipcast.answers.reading import Reader
from shipcast.answers.source import QUARTER, Key, Source
from shipcast.answers.windows import windows
from shipcast.api.asking import Api
from shipcast.settings.errors import ShipcastError

LOG = logging.getLogger("shipcast.api")
LOOK_AGAIN = 5.0  # seconds
BETWEEN = 0.02  # seconds that are left to requests after each thing that is made ready
USUAL = timedelta(minutes=30)
BEFORE = timedelta(minutes=2)


class Ahead:
    """A thread that makes models and the widest metrics ready; what it did not come to is made by whoever asks."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.over = Event()
        self.is_busy = True

    def begin(self) -> None:
        Thread(target=self.again_and_again, name="ask-ahead", daemon=True).start()

    def end(self) -> None:
        self.over.set()

    def again_and_again(self) -> None:
        ready: list[Key] = []
        while not self.over.is_set():
            try:
                for as_of in self.instants():
                    found = self.api.source(as_of)
                    if found.key not in ready:
                        self.is_busy = True
                        self.ask(found, as_of)
                        ready = [*ready[-1:], found.key]
            except ShipcastError:
                pass  # whoever asks is told
            except Exception:
                LOG.exception("A question could not be asked ahead.")
            self.is_busy = False
            self.over.wait(LOOK_AGAIN)

    def instants(self) -> list[datetime | None]:
        """The present, and the next quarter of an hour shortly before it begins."""
        if self.api.as_of is not None:
            return [None]
        now = datetime.now(UTC)
        coming = now + QUARTER - (now - datetime.min.replace(tzinfo=UTC)) % QUARTER
        return [None, coming] if coming - now < BEFORE else [None]

    def ask(self, found: Source, as_of: datetime | None) -> None:
        """Everything of one snapshot and instant, until there is a newer one."""
        for ask in questions(found):
            if self.over.is_set() or self.api.source(as_of).key != found.key:
                return
            ask()
            self.over.wait(BETWEEN)


def questions(found: Source) -> Iterator[partial[object]]:
    """The widest first; then what is asked of each service."""
    yield partial(found.ask, services)
    yield partial(found.ask, environments)
    for by in (None, *KEYS):
        yield partial(found.ask, metrics, by=by)
    for service in found.ask(choices).services:
        yield partial(found.answer, ready, {"service": service})


def ready(reader: Reader, service: str) -> None:
    """The models of a service, in what all its questions share; the answer itself nobody asked for."""
    windows(reader, service, duration=USUAL)

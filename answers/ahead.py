"""What is likely to be asked, made ready before it is: when a server starts, and whenever there is newer to say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread

from shipcast.answers.reading import Reader
from shipcast.answers.source import QUARTER, Key, Source, begun
from shipcast.answers.usual import busiest
from shipcast.answers.windows import windows
from shipcast.settings.errors import ShipcastError

LOG = logging.getLogger("shipcast.ahead")
LOOK_AGAIN = 5.0  # seconds
BETWEEN = 0.02  # seconds that are left to those who ask after each thing that is made ready
GIVES_WAY, PATIENCE = 0.05, 100  # seconds, and how often in a row, that somebody who waits comes first
USUAL = timedelta(minutes=30)
BEFORE = timedelta(minutes=2)
MOST_SERVICES = 200  # that are made ready; who asks about one more waits for it
Asking = Callable[[], object]


class Ahead:
    """A thread that asks what others will; what it did not come to is made by whoever asks.

    Parameters
    ----------
    source
        What is asked at an instant; null: the present.
    questions
        What is asked of it, the most useful first.
    as_of
        Of a server that answers as of one instant; null: the present.
    pause
        Seconds that are left, before the first question, to whoever just started the server.
    is_waited_for
        Whether somebody waits for an answer at the moment.
    """

    def __init__(
        self,
        source: Callable[[datetime | None], Source],
        questions: Callable[[Source], Iterator[Asking]],
        as_of: datetime | None,
        pause: float = 0.0,
        is_waited_for: Callable[[], bool] = lambda: False,
    ) -> None:
        self.source, self.questions, self.as_of = source, questions, as_of
        self.pause, self.is_waited_for = pause, is_waited_for
        self.over = Event()
        self.is_busy = True

    def begin(self) -> None:
        """It ends with the process, which does not wait for it."""
        Thread(target=self.again_and_again, name="ask-ahead", daemon=True).start()

    def end(self) -> None:
        self.over.set()

    def again_and_again(self) -> None:
        ready: list[Key] = []
        self.over.wait(self.pause)
        while not self.over.is_set():
            for as_of in self.instants():
                try:
                    found = self.source(as_of)
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
        if self.as_of is not None:
            return [None]
        now = datetime.now(UTC)
        coming = begun(now) + QUARTER
        return [None, coming] if coming - now < BEFORE else [None]

    def ask(self, found: Source, as_of: datetime | None) -> None:
        """Everything of one snapshot and instant, until there is a newer one."""
        for ask in self.questions(found):
            self.give_way()
            if self.over.is_set() or self.source(as_of).key != found.key:
                return
            ask()
            self.over.wait(BETWEEN)

    def give_way(self) -> None:
        """Leave the processor to who waits for an answer, for a while: where many ask, somebody always does."""
        for _ in range(PATIENCE):
            if not self.is_waited_for() or self.over.wait(GIVES_WAY):
                return


def models(found: Source) -> Iterator[Asking]:
    """The models of each service, those deployed most first."""
    for service in found.ask(busiest, most=MOST_SERVICES):
        yield partial(found.answer, ready, {"service": service})


def ready(reader: Reader, service: str) -> None:
    """The models of a service, in what all its questions share; the answer itself nobody asked for."""
    windows(reader, service, duration=USUAL)

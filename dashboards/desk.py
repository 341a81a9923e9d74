"""Where a viewer books: through the ledger as the command line does, and each wish once however often it is clicked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from pydantic import ValidationError

from shipcast.answers.advice import PRESENT, keep
from shipcast.answers.bookings import ReserveAnswer, UndoAnswer, reserve, undo
from shipcast.answers.company_calendar import ledger_state
from shipcast.answers.windows import WindowsAnswer
from shipcast.scheduling.ledger.entries import Booking, Undo
from shipcast.scheduling.ledger.errors import EntryRefused
from shipcast.settings import Settings
from shipcast.settings.account import acting
from shipcast.settings.errors import ShipcastError, UsageError, own_words


@dataclass(frozen=True)
class Wish:
    """What a viewer wants to book; instants are aware."""

    service: str
    environment: str
    start: datetime
    end: datetime
    change_type: str | None = None
    purpose: str = ""

    def booking(self) -> Booking:
        """
        Raises
        ------
        UsageError
            It is longer than an entry of the ledger may be.
        """
        try:
            return Booking(
                service=self.service,
                environment=self.environment,
                start=self.start,
                end=self.end,
                change_type=self.change_type,  # type: ignore[arg-type]
                purpose=self.purpose,
            )
        except ValidationError as error:
            fault = error.errors()[0]
            where = " ".join(str(part) for part in fault["loc"]).replace("_", " ")
            raise UsageError(f"This cannot be booked: {where} {own_words(fault['msg'])}.") from error


@dataclass
class Desk:
    """What one viewer booked last, and what was said to them.

    Attributes
    ----------
    wish, made
        The booking that was made here and can be taken back here; null: none.
    undone
        What was said when it was.
    refused
        Why the last wish was not booked, or not undone.
    asked
        The questions whose advice was kept.
    """

    wish: Wish | None = None
    made: ReserveAnswer | None = None
    undone: UndoAnswer | None = None
    refused: ShipcastError | None = None
    asked: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def book(self, settings: Settings, wish: Wish) -> None:
        """Book it, unless that was just done here: two clicks on one button are one wish."""
        with self.lock:
            self.refused = self.undone = None
            try:
                if self.wish == wish and self.holds(settings):
                    return
                self.made = reserve(settings, now(), acting(settings), wish.booking())
                self.wish = wish
            except ShipcastError as error:
                self.refused = error

    def has_booked(self, service: str, environment: str) -> bool:
        """Whether the last booking here is of that service and environment, and was not taken back here."""
        return self.wish is not None and (self.wish.service, self.wish.environment) == (service, environment)

    def forget(self) -> None:
        """Say no more of what was refused or undone."""
        self.refused = self.undone = None

    def book_another(self) -> None:
        """Let what was booked stand, and offer to book once more."""
        self.forget()
        self.wish = self.made = None

    def undo(self, settings: Settings) -> None:
        """Take back what was booked here last, once."""
        with self.lock:
            if self.made is None:
                return
            self.refused = None
            try:
                number = self.made.items[0].number
                self.undone = undo(settings, now(), acting(settings), Undo(entry=number, reason="taken back"))
            except EntryRefused as error:  # somebody else took it back
                self.refused = error
            except ShipcastError as error:
                self.refused = error
                return
            self.wish = self.made = None

    def holds(self, settings: Settings) -> bool:
        """Whether what was booked here was not taken back since, here or elsewhere."""
        if self.made is None:
            return False
        number = self.made.items[0].number
        return any(one.number == number for one in ledger_state(settings, now()).bookings)

    def keep(self, settings: Settings, question: str, answer: WindowsAnswer) -> WindowsAnswer:
        """The answer, its advice kept the first time that this viewer asks the question."""
        with self.lock:
            if question in self.asked:
                return answer
            self.asked.add(question)
            return keep(settings.home, answer)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def is_present(as_of: datetime) -> bool:
    """Whether what is asked as of then is about now, so that it can be booked."""
    return abs(now() - as_of) <= PRESENT

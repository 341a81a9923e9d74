"""What the page was started for: one home, and the instant of its questions where that was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from shipcast.settings import Settings, load_settings


@dataclass(frozen=True)
class Served:
    """`as_of` is aware; null: each view is as of the quarter of an hour in which it is drawn."""

    settings: Settings
    as_of: datetime | None = None


class Present:
    """The one that this process serves; all viewers share it. And how many drawings of pages are on their way."""

    served: Served | None = None
    drawings = 0
    counting = Lock()


def serve(settings: Settings, as_of: datetime | None = None) -> None:
    Present.served = Served(settings, as_of)


def served() -> Served:
    """What was given to `serve`; else what the environment and the current folder say."""
    if Present.served is None:
        Present.served = Served(load_settings({}))
    return Present.served


@contextmanager
def drawing() -> Iterator[None]:
    """Within the block somebody waits for a page."""
    with Present.counting:
        Present.drawings += 1
    try:
        yield
    finally:
        with Present.counting:
            Present.drawings -= 1


def is_drawing() -> bool:
    """Whether anybody waits for a page."""
    return Present.drawings > 0

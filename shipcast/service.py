"""Runs that follow each other at a steady pace, until somebody ends the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from shipcast.settings.errors import ConfigurationError, UsageError

SHORTEST = timedelta(minutes=1)


def repeat(every: timedelta, work: Callable[[], object], failed: Callable[[Exception], object]) -> None:
    """Do the work now and then at each multiple of `every` from now on; a failure is told and the next one is due.

    What is still at work when the next is due makes that one fall out, so that a slow source piles nothing up. A bug
    is a failure too. A signal ends it, between two or within one; whatever was published last stays.

    Raises
    ------
    ConfigurationError
        The first time cannot begin: what is wrong then is not going to pass.
    """
    waiting, begun, is_first = threading.Event(), time.monotonic(), True
    while True:
        try:
            work()
        except ConfigurationError as error:
            if is_first:
                raise
            failed(error)
        except Exception as error:
            failed(error)
        is_first = False
        waiting.wait(until_next(time.monotonic() - begun, every.total_seconds()))


def until_next(passed: float, every: float) -> float:
    """Seconds until the next multiple of `every` after `passed`.

    >>> until_next(61.0, 60.0), until_next(60.0, 60.0)
    (59.0, 60.0)
    """
    return every - passed % every


def check_pace(every: timedelta) -> timedelta:
    """The pace, if sources can be asked to bear it.

    Raises
    ------
    UsageError
        It is shorter than a minute.
    """
    if every < SHORTEST:
        raise UsageError("--every must be at least a minute.", next_step="Such as 15m.")
    return every

"""Plans: one is made at a time, in a process of its own, so that whoever asks something else does not wait for it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from threading import Thread
from typing import Any

from shipcast.answers.advice import keep
from shipcast.answers.plan import Effort, PlanAnswer, plan
from shipcast.api.errors import TooBusy
from shipcast.scheduling.requests import RequestFile
from shipcast.settings import Settings
from shipcast.settings.errors import ShipcastError

MOST_WAITING = 2
RETRY_SECONDS = 15
Told = tuple[type[ShipcastError], str, str, tuple[str, ...], dict[str, Any]]


class Planner:
    """The process that plans, begun when it is first asked; it ends with the server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.asked = 0
        self.workers: ProcessPoolExecutor | None = None

    async def plan(self, as_of: datetime, file: RequestFile, effort: dict[str, Any], **given: Any) -> PlanAnswer:
        """The best plan for these requests.

        Raises
        ------
        TooBusy
            One is being made and others wait already.
        ShipcastError
            As of `plan`.
        """
        if self.asked > MOST_WAITING:
            raise TooBusy(
                f"A plan is being made, and {MOST_WAITING} others wait.",
                next_step=f"Ask again in {RETRY_SECONDS} s.",
                retry_after=RETRY_SECONDS,
            )
        self.asked += 1
        try:
            loop = asyncio.get_running_loop()
            made = loop.run_in_executor(self.pool(), planned, self.settings, as_of, file, effort, given)
            answer, error = await made
        except BrokenProcessPool as broken:
            self.workers = None
            raise TooBusy("The process that plans broke off.", next_step="Ask again.", retry_after=1) from broken
        finally:
            self.asked -= 1
        if answer is None:
            assert error is not None
            raise again(*error)
        return answer

    def pool(self) -> ProcessPoolExecutor:
        if self.workers is None:
            context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
            self.workers = ProcessPoolExecutor(1, mp_context=context, initializer=serve)
        return self.workers

    def end(self) -> None:
        if self.workers is not None:
            for process in list((self.workers._processes or {}).values()):
                process.terminate()
            self.workers.shutdown(wait=False, cancel_futures=True)


def serve() -> None:
    """Let this process live no longer than the one that asks it, which alone is told of signals."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


def planned(
    settings: Settings, as_of: datetime, file: RequestFile, effort: dict[str, Any], given: dict[str, Any]
) -> tuple[PlanAnswer | None, Told | None]:
    """The answer, or the error in parts that can be sent to another process."""
    try:
        return keep(settings.home, plan(settings, as_of, file, effort=Effort(**effort), **given)), None
    except ShipcastError as error:
        return None, (type(error), error.detail, error.next_step, error.lines, error.facts)


def again(
    kind: type[ShipcastError], detail: str, next_step: str, lines: tuple[str, ...], facts: dict[str, Any]
) -> ShipcastError:
    """The same error here, of whatever kind, some of which are made from other parts."""
    error = kind.__new__(kind)
    ShipcastError.__init__(error, detail, next_step=next_step, lines=lines, **facts)
    return error

"""What is due, sent; and noted, each message as soon as its channel has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from shipcast.channels import sending
from shipcast.channels.notice import Notice
from shipcast.channels.outbox import GIVES_UP, Delivery, Outbox, write_outbox
from shipcast.channels.quiet import quiet_until
from shipcast.settings.channels import Channel
from shipcast.settings.errors import ShipcastError

Send = Callable[[Channel, Notice, datetime], str]
Clock = Callable[[], float]


def deliver(
    home: Path,
    outbox: Outbox,
    channels: Sequence[Channel],
    now: datetime,
    zone: str,
    send: Send = sending.send,
    clock: Clock = time.monotonic,
) -> Outbox:
    """Send all that is due and not held back; the outbox as it is then, and lies in the home.

    After a channel's first failure its other messages wait for the next time, so that a dead server holds up nobody.

    Parameters
    ----------
    now
        When it begins.
    clock
        Seconds, of which those count that pass meanwhile: slow servers let minutes go by between two messages.
    """
    by_label = {one.label: one for one in channels}
    failed: set[str] = set()
    began, begun = now, clock()
    for notice, waiting in outbox.pending:
        now = began + timedelta(seconds=int(clock() - begun))
        channel = by_label.get(waiting.channel)
        if channel is None:
            if now - waiting.queued_at < GIVES_UP:
                continue
            ended = waiting.given_up(now, f"no channel is called {waiting.channel} any more")
        elif (why := waiting.outlived(now, notice.late_from)) is not None:
            ended = waiting.given_up(now, waiting.said or why)
        elif waiting.channel in failed or not is_due(waiting, now) or held_until(channel, notice, now, zone):
            continue
        else:
            ended = attempted(channel, notice, waiting, now, send)
            if ended.state != "delivered":
                failed.add(waiting.channel)
        outbox = outbox.replaced(notice, ended)
        write_outbox(home, outbox)
    return outbox


def attempted(channel: Channel, notice: Notice, waiting: Delivery, now: datetime, send: Send) -> Delivery:
    try:
        return waiting.delivered(now, send(channel, notice, now))
    except ShipcastError as error:
        return waiting.failed(now, error.detail, error.facts.get("pause"), notice.late_from)
    except Exception as error:  # what nobody thought of is to stop no other channel; its words may hold a secret
        return waiting.failed(now, f"{channel.label}: this is a bug ({type(error).__name__}).", None, notice.late_from)


def is_due(waiting: Delivery, now: datetime) -> bool:
    return waiting.next_at is not None and waiting.next_at <= now


def held_until(channel: Channel, notice: Notice, now: datetime, zone: str) -> datetime | None:
    """Until when quiet hours hold a message back; None: they do not, or it would come too late behind them."""
    until = quiet_until(channel, now, zone)
    if until is None or (notice.late_from is not None and notice.late_from <= until):
        return None
    return until

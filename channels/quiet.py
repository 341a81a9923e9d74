"""Quiet hours: by the clock on the wall, whatever it does."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shipcast.settings.channels import BaseChannel

MINUTE = timedelta(minutes=1)


def is_quiet(channel: BaseChannel, at: datetime, zone: str) -> bool:
    """Whether the clock of the channel, else of `zone`, shows a time from the first on and before the last.

    Where clocks are set back, an hour comes twice, and both count; where they are set forward, what they leave out
    passes in no time.
    """
    if channel.quiet_hours is None:
        return False
    begins, ends = channel.quiet_hours
    shown = at.astimezone(ZoneInfo(channel.tz or zone)).time()
    return begins <= shown < ends if begins < ends else shown >= begins or shown < ends


def quiet_until(channel: BaseChannel, at: datetime, zone: str) -> datetime | None:
    """The first whole minute that is not quiet any more; None: it is not quiet."""
    if not is_quiet(channel, at, zone):
        return None
    until = at.replace(second=0, microsecond=0) + MINUTE
    while is_quiet(channel, until, zone):
        until += MINUTE
    return until

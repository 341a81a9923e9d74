"""A server's clock beside ours: neither may set a mark ahead of what can have happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shipcast.ingest.remote.site import Reply

APART = timedelta(minutes=5)  # that clocks may differ without a word


@dataclass
class Clocks:
    """Both clocks, as one source compares them.

    Parameters
    ----------
    name
        The source's name in messages.
    warnings
        The connector's, to which is added what is to be said of the clocks.
    """

    name: str
    warnings: list[str]
    is_told: bool = False

    def now(self, reply: Reply | None = None) -> datetime:
        """The earlier of both clocks: what is read up to a moment that has not come yet would be lost for good."""
        own = datetime.now(UTC)
        given = reply.given_at if reply else own
        if abs(given - own) > APART and not self.is_told:
            self.is_told = True
            how = "ahead of" if given > own else "behind"
            self.warnings.append(
                f"{self.name}: its clock is {span(abs(given - own))} {how} this machine's; the earlier of both holds."
            )
        return min(given, own)

    def pulled_back(self, read: datetime) -> datetime:
        """Up to when all is read, but never later than now."""
        now = self.now()
        if read <= now + APART:
            return read
        self.warnings.append(
            f"{self.name}: was read up to {read:%Y-%m-%d %H:%M} UTC, which has not come yet, and goes on from now. "
            "What came since the last right reading may be missing; another since in its entry reads all anew."
        )
        return now


def span(apart: timedelta) -> str:
    """
    >>> span(timedelta(minutes=7)), span(timedelta(hours=24)), span(timedelta(days=40))
    ('7 minutes', '24 hours', '40 days')
    """
    minutes = round(apart.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{round(minutes / 60)} hours" if minutes < 72 * 60 else f"{round(minutes / 1440):,} days"

"""The candidates: UTC quarter hours at which a deployment may start."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from shipcast.features.clock import Instants

SLOT = timedelta(minutes=15)
SLOT_STEP = np.timedelta64(SLOT, "us")
WEEK = timedelta(days=7)


def first_slot(moment: datetime) -> datetime:
    """The first quarter hour at or after an instant (naive, UTC).

    Examples
    --------
    >>> first_slot(datetime(2025, 12, 15, 9, 0)), first_slot(datetime(2025, 12, 15, 9, 0, 1))
    (datetime.datetime(2025, 12, 15, 9, 0), datetime.datetime(2025, 12, 15, 9, 15))
    """
    past = timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
    return moment + -past % SLOT


def candidate_starts(earliest: datetime, latest: datetime, duration: timedelta) -> Instants:
    """Every quarter hour from `earliest` on from which the deployment ends by `latest` (naive, UTC); may be none.

    The deployment is [start, start + duration), so it may end at `latest`.

    Examples
    --------
    >>> day = datetime(2025, 12, 15)
    >>> candidate_starts(day, day + timedelta(hours=1), timedelta(minutes=30))
    array(['2025-12-15T00:00:00.000000', '2025-12-15T00:15:00.000000',
           '2025-12-15T00:30:00.000000'], dtype='datetime64[us]')
    """
    begins = first_slot(earliest)
    count = max((latest - duration - begins) // SLOT + 1, 0)
    return np.datetime64(begins, "us") + np.arange(count) * SLOT_STEP


def week_starts(as_of: datetime) -> Instants:
    """The quarter-hour starts of the 7 days from `as_of`: what a change's usual cost is the mean over."""
    return np.datetime64(first_slot(as_of), "us") + np.arange(WEEK // SLOT) * SLOT_STEP

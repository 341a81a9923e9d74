"""The candidates: UTC quarter hours that leave room for the whole deployment."""

from datetime import datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shipcast.scheduling.windows import candidate_starts, first_slot, week_starts

DAY = datetime.fromisoformat("2025-12-15")
MOMENTS = st.datetimes(min_value=datetime.fromisoformat("2020-01-01"), max_value=datetime.fromisoformat("2030-01-01"))


def test_a_deployment_may_end_at_latest_and_not_after():
    starts = candidate_starts(DAY, DAY + timedelta(hours=1), timedelta(minutes=31))

    assert [str(start)[11:16] for start in starts] == ["00:00", "00:15"]


def test_a_deployment_longer_than_the_span_has_no_start():
    assert len(candidate_starts(DAY, DAY + timedelta(hours=1), timedelta(hours=2))) == 0


def test_a_week_has_672_starts():
    starts = week_starts(DAY + timedelta(minutes=7))

    assert len(starts) == 672
    assert str(starts[0])[11:16] == "00:15"


@given(MOMENTS)
def test_the_first_slot_is_the_first_quarter_hour_at_or_after(moment):
    slot = first_slot(moment)

    assert timedelta(0) <= slot - moment < timedelta(minutes=15)
    assert (slot.minute % 15, slot.second, slot.microsecond) == (0, 0, 0)


@given(MOMENTS, st.integers(0, 3000), st.integers(1, 900))
def test_every_start_lies_within_and_no_later_one_would(earliest, span, duration):
    latest, length = earliest + timedelta(minutes=span), timedelta(minutes=duration)
    starts = candidate_starts(earliest, latest, length).astype("datetime64[us]")
    begins = first_slot(earliest)
    after = starts[-1].item() + timedelta(minutes=15) if len(starts) else begins

    assert after + length > latest
    assert np.all(starts >= np.datetime64(earliest, "us"))
    assert len(starts) == 0 or starts[-1].item() + length <= latest

"""What is said of the times of day at which a service has hardly ever shipped."""

import numpy as np
import polars as pl
import pytest

from shipcast.answers.ground import Ground
from shipcast.answers.pricing import Change
from shipcast.answers.windows import rare_warnings

PAY = Change("pay", None, "Europe/Berlin", None, None, None)
MORNINGS = Ground(pl.DataFrame({"hour_of_week": [day * 24 + 10 for day in range(5)] * 8}), 40, 2)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("2025-06-03T08:10", None),  # Tuesday, 10:10 there
        ("2025-06-03T06:59", None),
        ("2025-06-03T05:50", "between 5:00 and 10:00 (Europe/Berlin) on a weekday"),
        ("2025-06-07T21:30", "between 21:00 and 2:00 (Europe/Berlin) on a weekend"),
    ],
)
def test_it_is_of_the_time_asked_about_by_the_clock_of_the_service(start, said):
    warnings = rare_warnings(PAY, MORNINGS, np.array([start], dtype="datetime64[us]"))

    rests = "its chance of failure then rests on other hours and services."
    assert warnings == ([f"None of 40 deployments of pay started {said}: {rests}"] if said else [])

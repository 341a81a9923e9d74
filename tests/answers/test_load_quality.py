"""What is said of intervals of load: by how services scatter, and nothing of a few."""

import numpy as np
import pytest

from shipcast.answers.load_quality import LoadQuality, covered, load_said
from shipcast.answers.statistics import Z


def shares(*values, hours=168):
    return [(value, hours) for value in values]


@pytest.mark.parametrize(
    ("meant", "held", "verdict"),
    [
        (0.5, [0.2, 0.3, 0.25, 0.3, 0.15, 0.2], "too narrow"),
        (0.5, [0.9, 0.8, 0.95, 0.85, 0.9, 0.8], "too wide"),
        (0.5, [0.2, 0.8, 0.3, 0.7, 0.1, 0.6], "holds"),
        (0.9, [0.5, 0.6, 0.55, 0.5, 0.6, 0.5], "too narrow"),
        (0.9, [1.0] * 20, "too wide"),
        (0.9, [1.0] * 4, "holds"),
        (0.9, [0.1, 0.2], None),
    ],
)
def test_intervals_hold_or_are_too_narrow_or_too_wide(meant, held, verdict):
    assert covered("90", meant, shares(*held))["verdict_90"] == verdict


def test_hours_weigh_and_services_scatter():
    found = covered("50", 0.5, [(0.6, 168), (0.2, 24), (0.6, 168)])

    assert found["coverage_50"] == pytest.approx((0.6 * 336 + 0.2 * 24) / 360)
    assert found["coverage_50_low"] < 0.5 < found["coverage_50_high"]


@pytest.mark.parametrize("meant", [0.5, 0.9])
def test_intervals_that_hold_what_they_should_are_seldom_called_wrong(meant):
    """Services of which each holds another share, about the right one."""
    rng = np.random.default_rng(3)
    spread = rng.beta(meant * 4, (1 - meant) * 4, size=(400, 8))
    wrong = sum(covered("50", meant, shares(*row))["verdict_50"] != "holds" for row in spread.tolist())

    assert wrong / 400 < 0.05 + Z * np.sqrt(0.05 * 0.95 / 400)


def said(found):
    fields = {"period_start": "2025-06-01T00:00Z", "period_end": "2025-06-08T00:00Z", "n": 504, "services": ()}
    return load_said(LoadQuality(**fields, **found, mase=None, owa=None))


def test_the_verdict_is_said_of_each_interval():
    narrow = {**covered("50", 0.5, shares(*[0.2] * 6)), **covered("90", 0.9, shares(*[0.9] * 6))}
    few = {**covered("50", 0.5, shares(0.2)), **covered("90", 0.9, shares(0.9))}

    assert said(narrow).endswith("Intervals of 50 % are too narrow (4.6 to 35 %); those of 90 % hold (81 to 99.2 %).")
    assert said(few).endswith("Whether these intervals hold takes 3 services to say.")

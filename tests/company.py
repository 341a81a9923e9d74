"""A company of two services that several tests share: deployments, incidents and load, by hand and by lot."""

from datetime import UTC, datetime, timedelta

import numpy as np

CUT = datetime(2025, 6, 2, 9, tzinfo=UTC)
LATER = CUT + timedelta(days=20)
HOUR = timedelta(hours=1)


def instant(moment):
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def deployments(count=500, days=200, until=CUT, name="d", size=1, rate=1 / 700, seed=7):
    """Deployments of the days until then, of which those of many lines fail more."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        start = until - timedelta(minutes=int(rng.integers(0, days * 24 * 60)))
        lines = int(rng.lognormal(4, 1.2))
        yield {
            "deployment_id": f"{name}{number}", "service": "pay" if number % 2 else "web", "environment": "production",
            "started_at": instant(start), "finished_at": instant(start + HOUR / 3),
            "lines_changed": lines * size, "status": "failed" if rng.random() < lines * rate else "succeeded",
        }  # fmt: skip


def incidents(ends=LATER):
    """One every four days; of the last, open at LATER, it is said when they end, and what broke after LATER."""
    rng = np.random.default_rng(8)
    for number in range(80):
        begins = CUT - timedelta(days=300 - 4 * number)
        lasted = timedelta(minutes=float(rng.lognormal(2.5 + number % 2 * 2, 0.5)))
        ended = ends + HOUR if begins > LATER - timedelta(days=5) else begins + lasted
        yield {"incident_id": f"i{number}", "service": "pay" if number % 2 else "web", "started_at": instant(begins),
               "resolved_at": instant(ended), "deployment_id": None}  # fmt: skip


def load(factor=1.0):
    """Six weeks of a daily curve up to LATER, and a week beyond that is `factor` times as high."""
    rng = np.random.default_rng(9)
    begins = LATER - timedelta(days=42)
    for number in range(49 * 24):
        at = begins + number * HOUR
        value = 1000 * (2 - abs(at.hour - 12) / 12) * rng.lognormal(0, 0.1) * (factor if at >= LATER else 1)
        yield {"service": "web", "observed_at": instant(at), "value": round(value)}


DEPLOYED = [*deployments()]
COMPANY = {"deployments": DEPLOYED, "incidents": [*incidents()], "load": [*load()]}

"""Made deployments, as `matrix` gives them, of which the size of the change decides how likely they fail."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from shipcast.features.feature import catalogue

NEW_YEAR = datetime.fromisoformat("2025-01-01")


def by_size(lines):
    return np.clip(lines / 2000, 0.01, 0.9)


def deployments(count, seed=1, services=("pay", "web"), chance=by_size):
    """Eight a day; every fiftieth is a rollback. But for the lines, no feature is known of any of them."""
    rng = np.random.default_rng(seed)
    lines = rng.integers(1, 1000, count).astype(float)
    unknown = [pl.lit(None, pl.Float64).alias(one.name) for one in catalogue() if one.name != "lines"]
    return pl.DataFrame(
        {
            "deployment_id": [f"d{number:05}" for number in range(count)],
            "service": [services[number % len(services)] for number in range(count)],
            "started_at": [NEW_YEAR + timedelta(hours=3 * number) for number in range(count)],
            "hour_of_week": [(3 * number + 48) % 168 for number in range(count)],
            "lines": lines,
            "is_failed": rng.random(count) < chance(lines),
            "is_rollback": [number % 50 == 49 for number in range(count)],
        },
        schema_overrides={"started_at": pl.Datetime("us"), "is_failed": pl.Boolean, "is_rollback": pl.Boolean},
    ).with_columns(*unknown, team=pl.lit(None, pl.String), change_type=pl.lit(None, pl.String))

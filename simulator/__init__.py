"""A company whose truth is known, written as the input tables of a real one.

    company -> history -> deliveries, approvals, premises, demand -> files
                                                        -> truth, saved beside them

One seed gives the same bytes every time.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import numpy as np

from shipcast.settings.errors import UsageError
from shipcast.simulator.approvals import approval_table
from shipcast.simulator.clock import midnight
from shipcast.simulator.company import Kind, company
from shipcast.simulator.deliveries import (
    attempts,
    change_table,
    changes,
    deployment_table,
    described,
    incident_table,
    sizes,
    true_deployments,
)
from shipcast.simulator.demand import load_table
from shipcast.simulator.history import releases, seconds
from shipcast.simulator.premises import ENVIRONMENTS, hold_table, service_table, usage_table
from shipcast.simulator.truth import Truth

__all__ = ["MARKER", "UNTIL", "Kind", "Truth", "simulate", "simulated"]

MARKER = "simulated.json"
UNTIL = date(2025, 12, 1)


def simulate(
    directory: Path | str,
    seed: int = 0,
    kind: Kind = "confounded",
    until: date = UNTIL,
    days: int = 365,
    services: int = 12,
) -> Truth:
    """Writes the input tables of a company, its truth, and a marker that says it is simulated.

    Parameters
    ----------
    directory
        Made if missing. Files of the same names are replaced.
    kind
        `confounded`: teams move big changes to quiet hours, so raw failure rates by hour mislead. `plain`: the size
        of a change does not depend on the hour. `null`: no hour is better than another for failure, restore or load.
    until
        The tables know everything up to this day's midnight in UTC and nothing later.
    days
        Length of the history before `until`. Changes of its first deployments are older.
    services
        How many; past the 12 there are they repeat under numbered names.

    Returns
    -------
    Truth
        The same that `Truth.read(directory)` gives later.

    Raises
    ------
    UsageError
        For an unknown kind, no service, no day, or a negative seed.
    """
    if kind not in get_args(Kind):
        raise UsageError(f"kind must be one of {', '.join(get_args(Kind))}. Got {kind!r}.")
    if services < 1 or days < 1 or seed < 0:
        raise UsageError(
            f"simulate needs at least one service and one day, and a seed from 0 on. Got {services}, {days}, {seed}."
        )
    begins_at, ends_at = midnight(until - timedelta(days=days)), midnight(until)
    begins, ends = (int(seconds(np.atleast_1d(instant))[0]) for instant in (begins_at, ends_at))
    members = company(kind, seed, services)
    rng = np.random.default_rng([seed, 4])
    made = described(releases(members, begins_at, ends_at, seed), members, rng)
    written = changes(made, members, rng)
    tried = attempts(made, ends)
    truth = Truth.of(members, begins_at, true_deployments(tried))

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in {
        "services": service_table(members),
        "environments": ENVIRONMENTS,
        "deployments": deployment_table(tried, sizes(written)),
        "incidents": incident_table(tried, members, begins, ends, seed),
        "changes": change_table(written, made, tried, ends),
        "environment_usage": usage_table(begins, ends, seed),
        "approvals": approval_table(made, written, tried, ends, seed),
        "holds": hold_table(members, begins, ends, seed),
    }.items():
        table.write_csv(folder / f"{name}.csv", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    load_table(members, truth, ends_at, seed).write_parquet(folder / "load.parquet")
    truth.write(folder)
    facts = {
        "simulated": True,
        "seed": seed,
        "kind": kind,
        "from": str(until - timedelta(days=days)),
        "until": str(until),
    }
    (folder / MARKER).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return truth


def simulated(directory: Path | str) -> bool:
    """Whether the tables in that directory were simulated."""
    return (Path(directory) / MARKER).is_file()

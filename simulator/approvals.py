"""What a company asks before a normal change ships: of whom, when, and when it was decided."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shipcast.simulator.clock import Floats, Integers
from shipcast.simulator.deliveries import at, log_normal, numbered, production_ids

DAY, HOUR = 86_400, 3_600
MONDAY = 4 * DAY  # 1970 began on a Thursday
BOARD, OWNER = "change advisory board", "owner"
BOARD_SHARE, REJECTED_SHARE = 0.8, 0.04
MEDIAN_HOURS = {BOARD: 24.0, OWNER: 4.0}  # of days that are no weekend
SIGMA = 0.7


def approval_table(
    releases: pl.DataFrame, changes: pl.DataFrame, attempts: pl.DataFrame, ends: int, seed: int
) -> pl.DataFrame:
    """The table `approvals`: one decision for every normal release, a few at the second attempt.

    Each is decided between the merge and the start in production. How long that took is log-normal, longer at the
    board than with an owner, and weekends don't count, so that what waits over one waits two days more. What was asked
    but not decided by the end is pending.
    """
    rng = np.random.default_rng([seed, 7])
    heads = changes.select("commit_sha", "change_id", "authored")
    normal = (
        releases.filter(pl.col("change_type") == "normal")
        .join(heads, on="commit_sha", maintain_order="left")
        .join(production_ids(attempts), on="release", how="left", maintain_order="left")
    )
    first = asked(normal, rng)
    again = rejected(first, rng)
    return (
        pl.concat([first, again])
        .filter((pl.col("requested") < ends) & (pl.col("authored") < ends))
        .with_columns(is_decided=pl.col("decided") <= ends)
        .sort("requested", "change_id")
        .with_row_index("number", offset=1)
        .select(
            numbered("A-").alias("approval_id"),
            "deployment_id",
            "change_id",
            pl.when("is_decided").then("approver").alias("approver"),
            pl.when("is_decided").then("decision").otherwise(pl.lit("pending")).alias("decision"),
            at("requested").alias("requested_at"),
            pl.when("is_decided").then(at("decided")).alias("decided_at"),
            "role",
        )
    )


def asked(normal: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The decision that let each release go."""
    count = len(normal)
    role = np.where(rng.random(count) < BOARD_SHARE, BOARD, OWNER)
    started, merged = normal["started"].to_numpy(), normal["merged"].to_numpy()
    decided = started - ((started - merged) * rng.uniform(0.05, 0.5, count)).astype(np.int64)
    return normal.select("change_id", "deployment_id", "approver", "authored").with_columns(
        pl.Series("role", role.tolist(), dtype=pl.String),
        pl.Series("requested", before(decided, waits(role, rng))),
        pl.Series("decided", decided),
        decision=pl.lit("approved"),
    )


def rejected(first: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The decision against some of them, after which they were asked for again."""
    count = len(first)
    decided = before(first["requested"].to_numpy(), rng.uniform(HOUR, 8 * HOUR, count))
    requested = before(decided, waits(first["role"].to_numpy().astype(np.str_), rng))
    return first.with_columns(
        requested=pl.Series(requested), decided=pl.Series(decided), decision=pl.lit("rejected")
    ).filter(pl.Series(rng.random(count) < REJECTED_SHARE))


def waits(role: NDArray[np.str_], rng: np.random.Generator) -> Floats:
    """Seconds of working days until a decision."""
    medians = np.where(role == BOARD, MEDIAN_HOURS[BOARD], MEDIAN_HOURS[OWNER])
    return log_normal(medians * HOUR, SIGMA, len(role), rng)


def before(instants: Integers, seconds: Floats) -> Integers:
    """The instants so many seconds of working days earlier, in UTC; none of them lies in a weekend.

    >>> before(np.array([MONDAY + 7 * DAY + 3600]), np.array([7200.0])) == MONDAY + 5 * DAY - 3600
    array([ True])
    """
    weeks, rest = np.divmod(instants - MONDAY, 7 * DAY)
    worked = weeks * 5 * DAY + np.minimum(rest, 5 * DAY) - np.maximum(seconds, 1).astype(np.int64)
    weeks, rest = np.divmod(worked, 5 * DAY)
    return np.asarray(weeks * 7 * DAY + rest + MONDAY)

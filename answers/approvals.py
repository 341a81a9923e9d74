"""What was asked of approvers, as known at one instant, and how long they took to decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

from shipcast.answers.answer import Count, Number, Part, Share, naive
from shipcast.answers.metrics import LeftOut
from shipcast.answers.periods import Span
from shipcast.answers.reading import Reader
from shipcast.answers.statistics import FEWEST_FOR_A_MEDIAN, median_rank, wilson
from shipcast.answers.survival import Survival, log_rank
from shipcast.answers.words import hours, plural

Key = Literal["role", "change_type"]

KEYS: tuple[Key, ...] = ("role", "change_type")
DIFFERENT = 0.05
DECISIONS = ("approved", "rejected")
HOUR_US = 3.6e9
# A decision after `$as_of` is pending; so is what no decision is known of, unless one was made without saying which.
ASKED = """
with approvals_at as (
    select approval_id, deployment_id, change_id, role, requested_at,
        case when decided_at <= $as_of and decision is distinct from 'pending' then decided_at end as decided_at,
        case when decided_at > $as_of or (decision is null and decided_at is null) then 'pending' else decision end
            as decision
    from fct_approvals
    where known_at <= $as_of
),
chosen as (
    select * from approvals_at
    where decision = 'pending' or (
        coalesce(requested_at, decided_at) >= $period_start and coalesce(requested_at, decided_at) < $period_end)
),
changes_at as (
    select change_id, min(service) as service, coalesce(
        arg_min(landed_deployment_id, (landed_at, landed_deployment_id))
            filter (is_production and landed_at <= $as_of),
        arg_min(next_landed_deployment_id, (next_landed_at, next_landed_deployment_id))
            filter (is_production and next_known_at <= $as_of)) as carrier_id
    from fct_changes
    where known_at <= $as_of and change_id in (select change_id from chosen)
    group by change_id
),
deployments_at as (
    select deployment_id, service, environment, started_at, lower(change_type) as change_type
    from fct_deployments
    where started_at <= $as_of and deployment_id in (
        select deployment_id from chosen union select carrier_id from changes_at)
)
select approval_id, chosen.deployment_id, chosen.change_id, role, requested_at, decided_at, decision,
    coalesce(own.service, changes_at.service) as service, coalesce(own.environment, 'production') as environment,
    coalesce(own.change_type, carrier.change_type) as change_type,
    coalesce(own.started_at, carrier.started_at) as started_at
from chosen
left join deployments_at as own on chosen.deployment_id = own.deployment_id
left join changes_at on chosen.change_id = changes_at.change_id
left join deployments_at as carrier on changes_at.carrier_id = carrier.deployment_id
order by requested_at, approval_id
"""
KNOWN = "select count(*) filter (known_at <= $as_of), count(*) filter (known_at is null) from fct_approvals"


class LeadTime(Part):
    """How long decisions took from when they were asked for, in hours.

    Parameters
    ----------
    by, name
        What tells these approvals from others, and their value of it; both null: all of them. A null `name` with a `by`
        stands for those of which it is not known.
    n
        The decisions made; medians and quantiles rest on them.
    median_hours, low_hours, high_hours
        The median and its 95 % interval by order statistics, which takes six values.
    p25_hours, p75_hours, p90_hours
        A quarter, three quarters, nine tenths of the decisions took at most so long; between two values by their line.
    pending
        Not decided yet: they have lasted at least until now.
    km_median_hours
        The Kaplan-Meier median, in which the pending ones count too; null: not reached.
    rejected, judged
        Decisions against, and those of which it is known whether for or against.
    rejected_share, rejected_low, rejected_high
        Their share, and its Wilson 95 % interval.
    """

    by: Key | None
    name: str | None
    n: Count
    median_hours: Number | None
    low_hours: Number | None
    high_hours: Number | None
    p25_hours: Number | None
    p75_hours: Number | None
    p90_hours: Number | None
    pending: Count
    km_median_hours: Number | None
    rejected: Count
    judged: Count
    rejected_share: Share | None
    rejected_low: Share | None
    rejected_high: Share | None


class Difference(Part):
    """Whether lead times differ by role or by change type: the chance of groups so far apart where none differ.

    By the log-rank test over groups of six decisions or more, pending ones included; null: there are not two such.
    """

    by: Key
    p_value: Share | None
    differs: bool


def approvals_known(reader: Reader, period: Span) -> pl.DataFrame:
    """The approvals asked for in the period, and all that are pending, with what was known of their change."""
    start, end = (naive(moment) for moment in period)
    return reader.frame(ASKED, period_start=start, period_end=end)


def is_pending() -> pl.Expr:
    return pl.col("decision").eq_missing("pending")  # a decision may have been made without saying which


def is_timed() -> pl.Expr:
    """Whether it is known from when to when a decision took, and it did not end before it began."""
    return is_decided() & (pl.col("decided_at") >= pl.col("requested_at")).fill_null(value=False)


def is_decided() -> pl.Expr:
    return pl.col("decision").is_in(DECISIONS).fill_null(value=True)


def lasted(reader: Reader) -> pl.Expr:
    """Hours from the request to the decision, or until the time of the question."""
    until = pl.col("decided_at").fill_null(reader.at)
    return (until - pl.col("requested_at")).dt.total_microseconds() / HOUR_US


def asked_in(approvals: pl.DataFrame, period: Span) -> pl.DataFrame:
    """Those of the period alone: by their request, else by their decision."""
    start, end = (naive(moment) for moment in period)
    moment = pl.coalesce("requested_at", "decided_at")
    return approvals.filter((moment >= start) & (moment < end))


def survival(reader: Reader, approvals: pl.DataFrame) -> Survival:
    """How long they last, as far as that is known."""
    rows = approvals.filter(is_timed() | is_pending())
    has_ended = rows.select(~is_pending()).to_series().to_numpy()
    return Survival.of(rows.select(lasted(reader)).to_series().to_numpy(), has_ended)


def lead_times(reader: Reader, approvals: pl.DataFrame) -> list[LeadTime]:
    """That of all, and then of each role and change type, those with the most approvals first."""
    groups = [
        lead_time(reader, approvals.filter(pl.col(key).eq_missing(name)), key, name)
        for key in KEYS
        for name in approvals.group_by(key).len().sort("len", key, descending=[True, False])[key]
    ]
    return [lead_time(reader, approvals, None, None), *groups]


def lead_time(reader: Reader, approvals: pl.DataFrame, by: Key | None, name: str | None) -> LeadTime:
    taken = np.sort(approvals.filter(is_timed()).select(lasted(reader)).to_series().to_numpy())
    n, rank = len(taken), median_rank(len(taken))
    quarter, half, three, nine = np.quantile(taken, [0.25, 0.5, 0.75, 0.9]).tolist() if n else [None] * 4
    decisions = approvals["decision"]
    rejected, judged = int((decisions == "rejected").sum()), int(decisions.is_in(DECISIONS).sum())
    low, high = wilson(rejected, judged) or (None, None)
    return LeadTime(
        by=by,
        name=name,
        n=n,
        median_hours=half,
        low_hours=None if rank is None else float(taken[rank - 1]),
        high_hours=None if rank is None else float(taken[n - rank]),
        p25_hours=quarter,
        p75_hours=three,
        p90_hours=nine,
        pending=int((decisions == "pending").sum()),
        km_median_hours=survival(reader, approvals).median(),
        rejected=rejected,
        judged=judged,
        rejected_share=rejected / judged if judged else None,
        rejected_low=low,
        rejected_high=high,
    )


def differences(reader: Reader, approvals: pl.DataFrame) -> list[Difference]:
    return [difference(reader, approvals, key) for key in KEYS]


def difference(reader: Reader, approvals: pl.DataFrame, key: Key) -> Difference:
    groups = [survival(reader, rows) for rows in approvals.partition_by(key, maintain_order=True)]
    chance = log_rank([one for one in groups if one.ended.sum() >= FEWEST_FOR_A_MEDIAN])
    return Difference(by=key, p_value=chance, differs=chance is not None and chance < DIFFERENT)


def left_out(approvals: pl.DataFrame) -> tuple[LeftOut, ...]:
    """What takes no part in the lead times, and why."""
    decided = approvals.filter(is_decided())
    counts = {
        "decided, but not said when": decided.filter(pl.col("decided_at").is_null()).height,
        "decided, but not said when it was asked for": decided.filter(
            pl.col("requested_at").is_null() & pl.col("decided_at").is_not_null()
        ).height,
        "decided before it was asked for": decided.filter(pl.col("decided_at") < pl.col("requested_at")).height,
        "neither approved, rejected nor pending": approvals.filter(~is_decided() & ~is_pending()).height,
    }
    return tuple(LeftOut(reason=why, rows=rows) for why, rows in counts.items() if rows)


def unknown_words(approvals: pl.DataFrame) -> list[str]:
    """The words that stand for no decision."""
    found: list[str] = approvals.filter(~is_decided() & ~is_pending())["decision"].unique().sort().to_list()
    return found


def left_out_said(parts: Sequence[LeftOut]) -> str:
    return "; ".join(f"{part.rows:,} {part.reason}" for part in parts)


def lead_time_said(found: LeadTime) -> str:
    """The lead time in a clause, such as "half of 1,480 decisions took at most 19.2 h (18.1 to 20.4)"."""
    if found.median_hours is None:
        return "no decision was made"
    told = f"half of {plural(found.n, 'decision')} took at most {hours(found.median_hours)}"
    if found.low_hours is None or found.high_hours is None:
        return told
    return f"{told} ({hours(found.low_hours)} to {hours(found.high_hours)})"

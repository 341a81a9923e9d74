"""Which kinds of change fail so seldom that they can be proposed as pre-approved standard changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from shipcast.answers.answer import Count, Number, Part, Share, naive
from shipcast.answers.metric_queries import IS_COUNTED, IS_FAILED
from shipcast.answers.metrics import LeftOut
from shipcast.answers.periods import DAY, Span
from shipcast.answers.reading import Reader
from shipcast.answers.statistics import at_most, false_discoveries, wilson

Verdict = Literal["propose", "may_be_luck", "not_clear", "too_few", "standard", "never"]
Size = Literal["small", "medium", "large"]

FEWEST = 30
SURELY = 0.05
SMALL_LINES, MEDIUM_LINES = 50, 250
SIZES: Mapping[str, str] = {
    "small": f"up to {SMALL_LINES} lines",
    "medium": f"up to {MEDIUM_LINES} lines",
    "large": f"more than {MEDIUM_LINES} lines",
}
MONTH = timedelta(days=365.25 / 12)
VERDICTS: tuple[Verdict, ...] = ("propose", "may_be_luck", "not_clear", "too_few", "standard", "never")

IN_PERIOD = f"""
from fct_deployments
where is_production and started_at <= $as_of and {IS_COUNTED}
    and completed_at >= $period_start and completed_at < $period_end
"""
IS_SETTLED = "settled_at <= $as_of and rollback_of is null and not is_proxy"
LEFT_OUT = f"""
select count(*) filter (rollback_of is not null) as rollbacks,
    count(*) filter (rollback_of is null and is_proxy) as proxies,
    count(*) filter (rollback_of is null and not is_proxy and settled_at > $as_of) as unsettled,
    min(completed_at) filter ({IS_SETTLED}) as first_at
{IN_PERIOD}
"""
# A deployment waited from the first request to the last decision about it, or until it went out without one.
GROUPS = f"""
with settled as (
    select deployment_id, service, team, started_at, lower(change_type) as change_type, {IS_FAILED} as is_failed,
        case when lines_changed <= {SMALL_LINES} then 'small' when lines_changed <= {MEDIUM_LINES} then 'medium'
            when lines_changed is not null then 'large' end as size
    {IN_PERIOD} and {IS_SETTLED}
),
decided as (
    select deployment_id, change_id, requested_at, decided_at from fct_approvals
    where decided_at <= $as_of and requested_at <= decided_at
        and coalesce(decision, 'approved') in ('approved', 'rejected')
),
linked as (
    select deployment_id, requested_at, decided_at from decided where deployment_id is not null
    union all
    select landed_deployment_id, requested_at, decided_at
    from decided join fct_changes using (change_id)
    where deployment_id is null and is_production and landed_at <= $as_of
),
waits as (
    select deployment_id, min(requested_at) as from_at, max(decided_at) as until_at from linked group by all
),
waited as (
    select settled.*, case when from_at is not null
        then greatest(0, epoch_us(least(until_at, started_at)) - epoch_us(from_at)) end as waited_us
    from settled left join waits using (deployment_id)
)
select service, any_value(team) as team, change_type, size, count(*) as n, count(*) filter (is_failed) as failures,
    count(waited_us) as waited, sum(waited_us) / 3.6e9 as hours
from waited
group by service, change_type, size
order by n desc, service, change_type, size
"""


class Candidate(Part):
    """One kind of change of a service, and whether it can be proposed as a pre-approved standard change.

    Parameters
    ----------
    change_type, size
        Null: not known.
    n, failures
        Its settled production deployments of the period, and those that failed.
    rate, low, high
        The share that failed, with its Wilson 95 % interval.
    p_value
        The chance of so few failures if it failed as often as `threshold` says; null: it was not looked at.
    ruled
        The same by Benjamini and Hochberg's rule over everything that was looked at.
    verdict
        `propose`: the interval ends below the threshold, and that is not what so many looks bring by luck (`ruled` is
        5 % or less). `may_be_luck`: it ends below, but it is. `not_clear`: it does not end below. `too_few`: under 30.
        `standard`: it is one already. `never`: emergencies, and changes of which no type is known.
    waited
        Those of them that waited for a decision as far as is known.
    waited_hours_per_month
        For how long these waited together before they went out; null: not known of any.
    """

    service: str
    team: str | None
    change_type: str | None
    size: Size | None
    n: Count
    failures: Count
    rate: Share
    low: Share
    high: Share
    p_value: Share | None
    ruled: Share | None
    verdict: Verdict
    waited: Count
    waited_hours_per_month: Number | None


class Looks(Part):
    """What the candidates were held against, and how often.

    Parameters
    ----------
    threshold
        The share of failures below which the whole interval has to lie; null: nothing has settled.
    is_given
        Whether the asker named it; else it is `failures` of `n`, the company's own share.
    n, failures
        All settled production deployments of the period, of every service and type.
    looked_at
        The kinds of change that were tested, of all services.
    proposed
        Those of them that are proposed.
    by_luck
        How many of them would have an interval below the threshold by luck alone, if each failed just that often.
    left_out
        Deployments of the period that take no part.
    """

    threshold: Share | None
    is_given: bool
    n: Count
    failures: Count
    looked_at: Count
    proposed: Count
    by_luck: Number
    left_out: tuple[LeftOut, ...]


def standard_changes(reader: Reader, period: Span, safe_below: float | None = None) -> tuple[Looks, list[Candidate]]:
    """Every kind of change of the period, those proposed first, and what they were held against.

    The looks are counted over the whole company, so that asking service by service proposes no more.
    """
    given = {"period_start": naive(period.start), "period_end": naive(period.end)}
    groups = reader.records(GROUPS, **given)
    [rest] = reader.records(LEFT_OUT, **given)
    n, failures = sum(one["n"] for one in groups), sum(one["failures"] for one in groups)
    threshold = safe_below if safe_below is not None else failures / n if n else None
    if threshold is None:
        return looks(None, safe_below, [], rest), []
    found = judged(groups, threshold, months(reader, period, rest["first_at"]))
    return looks(threshold, safe_below, found, rest), found


def judged(groups: Sequence[Mapping[str, Any]], threshold: float, months: float = 1.0) -> list[Candidate]:
    """What is said of each group: the proposed first, then those that waited longest.

    Parameters
    ----------
    groups
        Counts by kind of change, as `GROUPS` gives them.
    months
        In which they were counted.
    """
    looked_at = [one for one in groups if barred(one) is None]
    chances = [at_most(one["failures"], one["n"], threshold) for one in looked_at]
    ruled = false_discoveries(chances)
    found = [candidate(one, threshold, months, *test) for one, *test in zip(looked_at, chances, ruled, strict=True)]
    found += [candidate(one, threshold, months) for one in groups if barred(one)]
    return sorted(found, key=lambda one: (VERDICTS.index(one.verdict), -(one.waited_hours_per_month or 0), -one.n))


def barred(counts: Mapping[str, Any]) -> Verdict | None:
    """Why a kind of change is not looked at; None: it is."""
    if counts["change_type"] in (None, "emergency"):
        return "never"
    if counts["change_type"] == "standard":
        return "standard"
    return "too_few" if counts["n"] < FEWEST else None


def candidate(
    counts: Mapping[str, Any],
    threshold: float,
    months: float,
    p_value: float | None = None,
    ruled: float | None = None,
) -> Candidate:
    low, high = wilson(counts["failures"], counts["n"]) or (0.0, 1.0)
    return Candidate(
        **{name: counts[name] for name in ("service", "team", "change_type", "size", "n", "failures", "waited")},
        rate=counts["failures"] / counts["n"],
        low=low,
        high=high,
        p_value=p_value,
        ruled=ruled,
        verdict=barred(counts) or verdict(high, ruled, threshold),
        waited_hours_per_month=None if counts["hours"] is None else counts["hours"] / months,
    )


def verdict(high: float, ruled: float | None, threshold: float) -> Verdict:
    if high >= threshold:
        return "not_clear"
    return "propose" if ruled is not None and ruled <= SURELY else "may_be_luck"


def months(reader: Reader, period: Span, first_at: datetime | None) -> float:
    """The months in which what counts was completed: from the first of it to the last day that can have settled."""
    settled = min(naive(period.end), reader.at - timedelta(days=reader.facts.settle_days))
    start = max(naive(period.start), first_at or settled)
    return max(settled - start, DAY) / MONTH


def looks(
    threshold: float | None, safe_below: float | None, found: Sequence[Candidate], rest: Mapping[str, Any]
) -> Looks:
    tested = [one.n for one in found if one.p_value is not None]
    reasons = {
        "roll another one back": rest["rollbacks"],
        "stand in for deployments that nobody recorded": rest["proxies"],
        "have not settled yet": rest["unsettled"],
    }
    return Looks(
        threshold=threshold,
        is_given=safe_below is not None,
        n=sum(one.n for one in found),
        failures=sum(one.failures for one in found),
        looked_at=len(tested),
        proposed=sum(one.verdict == "propose" for one in found),
        by_luck=sum(lucky(n, threshold) for n in tested if threshold is not None),
        left_out=tuple(LeftOut(reason=why, rows=rows) for why, rows in reasons.items() if rows),
    )


def lucky(n: int, threshold: float) -> float:
    """The chance that the interval of so many, which fail as often as the threshold says, lies below it."""
    few = bisect_left(range(n + 1), threshold, key=lambda failures: (wilson(failures, n) or (0.0, 1.0))[1])
    return at_most(few - 1, n, threshold) if few else 0.0

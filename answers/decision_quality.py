"""Whether advice was followed, and what that was worth: the record of what was advised against what was deployed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shipcast.answers.advice import Advice, AdvisedStart, kept
from shipcast.answers.answer import Count, Instant, Number, Part, Share, utc
from shipcast.answers.failure_quality import interval_said
from shipcast.answers.gate_record import GateRecord, Row, gate_record
from shipcast.answers.outcomes import FEWEST, Gain, Outcome, gain, outcome
from shipcast.answers.reading import Reader
from shipcast.answers.statistics import wilson
from shipcast.answers.words import plural, share

NEAR = timedelta(minutes=30)  # by which a deployment may miss an advised start and still be said to follow it
NOTHING_KEPT = (
    "No advice was kept by then: `windows`, `now`, `plan` and `gate` keep theirs when asked about the present."
)
STARTED = """
select service, environment, started_at, failed_at <= $as_of as is_failed,
    settled_at <= $as_of or coalesce(failed_at <= $as_of, false) as is_settled
from fct_deployments
where started_at <= $as_of and started_at >= $since and status <> 'cancelled' and rollback_of is null
order by started_at, deployment_id
"""


class DecisionQuality(Part):
    """What became of advice.

    A deployment is held against the last advice for its service and environment since the deployment before it, until a
    week after the last start that this advised. It followed the advice if it started within 30 minutes of an advised
    start. Rollbacks are left out.

    Parameters
    ----------
    advice
        How often starts were advised.
    n, unadvised
        Deployments in the period before which advice was given, and those before which none was.
    indifferent
        Of the first those that were told that the time makes no clear difference; they are in none of the rest.
    followed
        Of the others, with its share.
    expected_failures
        What the advice had said of those that followed it and have settled.
    saved
        Of those that followed: how much less than the usual cost their start was expected to cost, as a share of it.
    missed
        Of those that did not: how much more their start was expected to cost than the best advised, as a share of the
        usual cost.
    gate
        What became of the gate's verdicts, which are no advice and in none of the rest. Null: none was kept.
    unreadable
        Kept lines that can no longer be read.
    """

    period_start: Instant
    period_end: Instant
    advice: Count
    n: Count
    unadvised: Count
    indifferent: Count
    followed: Count
    followed_share: Share | None
    followed_low: Share | None
    followed_high: Share | None
    after_following: Outcome
    after_not_following: Outcome
    expected_failures: Number
    saved: Gain | None
    missed: Gain | None
    gate: GateRecord | None
    unreadable: Count
    sentence: str


@dataclass(frozen=True)
class Decision:
    """One deployment, and the advice that came before it.

    Parameters
    ----------
    start
        The advised start that it took; None: none of them.
    is_failed
        None: not settled yet.
    """

    advice: Advice
    started_at: datetime
    start: AdvisedStart | None
    is_failed: bool | None

    @property
    def relative_cost(self) -> float | None:
        """What its start was expected to cost, against the usual."""
        outlook = self.advice.outlook
        if outlook is None:
            return None if self.start is None else self.start.relative_cost
        return outlook.cost_at(self.started_at)


def decision_quality(reader: Reader) -> DecisionQuality | str:
    """What became of the advice and of the verdicts that the home keeps, or why that cannot be said."""
    advice, verdicts, unreadable = kept(reader.settings.home, reader.as_of)
    if not advice and not verdicts:
        return NOTHING_KEPT
    since = (advice or verdicts)[0].as_of
    found, unadvised = decisions(advice, started(reader, since))
    clear = [one for one in found if not one.advice.is_indifferent]
    taken, others = [one for one in clear if one.start], [one for one in clear if not one.start]
    low, high = wilson(len(taken), len(clear)) or (None, None)
    quality = DecisionQuality(
        period_start=since,
        period_end=reader.as_of,
        advice=len(advice),
        n=len(found),
        unadvised=unadvised,
        indifferent=len(found) - len(clear),
        followed=len(taken),
        followed_share=len(taken) / len(clear) if clear else None,
        followed_low=low,
        followed_high=high,
        after_following=outcome(one.is_failed for one in taken),
        after_not_following=outcome(one.is_failed for one in others),
        expected_failures=expected(taken),
        saved=gain(1 - cost for cost in costs(taken)),
        missed=gain(cost - best(one) for one in others for cost in costs([one])),
        gate=gate_record(verdicts, started(reader, verdicts[0].as_of)) if verdicts else None,
        unreadable=unreadable,
        sentence="",
    )
    return quality.model_copy(update={"sentence": sentence(quality)})


def started(reader: Reader, since: datetime) -> list[Row]:
    """The deployments from an instant (aware) on, in order of time."""
    return reader.rows(STARTED, since=since.replace(tzinfo=None))


def decisions(advice: Sequence[Advice], rows: Iterable[Row]) -> tuple[list[Decision], int]:
    """The deployments before which advice was given, and how many others there were; both in order of time."""
    given: dict[tuple[str, str], list[Advice]] = {}
    for one in advice:
        given.setdefault((one.service, one.environment), []).append(one)
    last: dict[tuple[str, str], datetime] = {}
    found, unadvised = [], 0
    for service, environment, started, is_failed, is_settled in rows:
        key, at = (service, environment), utc(started)
        before = given.get(key, [])
        place = bisect_right(before, at, key=lambda one: one.as_of) - 1
        latest = before[place] if place >= 0 else None
        if latest is None or latest.as_of <= last.get(key, latest.as_of - NEAR) or at > latest.until:
            unadvised += 1
        else:
            found.append(Decision(latest, at, taken_start(latest, at), bool(is_failed) if is_settled else None))
        last[key] = at
    return found, unadvised


def taken_start(advice: Advice, at: datetime) -> AdvisedStart | None:
    """The advised start that a deployment took."""
    near = [one for one in advice.starts if abs(at - one.start) <= NEAR]
    return min(near, key=lambda one: abs(at - one.start), default=None)


def costs(found: Iterable[Decision]) -> list[float]:
    return [one.relative_cost for one in found if one.relative_cost is not None]


def best(one: Decision) -> float:
    """What the best advised start was expected to cost, against the usual."""
    return min((start.relative_cost for start in one.advice.starts if start.relative_cost is not None), default=1.0)


def expected(taken: Iterable[Decision]) -> float:
    return sum(
        one.start.failure_probability
        for one in taken
        if one.is_failed is not None and one.start is not None and one.start.failure_probability is not None
    )


def sentence(found: DecisionQuality) -> str:
    """How often advice was followed, and what that was worth, in one sentence.

    "Of 40 deployments after advice 25 followed it (63 %, 47 to 76): they were expected to cost 0.42 (0.35 to 0.49) of
    the usual less."
    """
    clear = found.n - found.indifferent
    if not found.advice:
        return "No time was advised by then: `windows`, `now` and `plan` keep theirs when asked about the present."
    if not found.n:
        return f"Nothing was deployed yet after any of {plural(found.advice, 'piece')} of advice."
    if not clear:
        return f"None of the {plural(found.n, 'deployment')} after advice was told a clearly better time."
    whole = f"Of {plural(clear, 'deployment')} after advice {found.followed:,} followed it"
    if found.followed_share is not None and found.followed_low is not None and found.followed_high is not None:
        between = interval_said(found.followed_low, found.followed_high)
        whole += f" ({share(found.followed_share)}, {between})"
    if found.saved is None:
        return f"{whole}; what that was worth takes at least {FEWEST} of them."
    saved = f"{found.saved.mean:.2f} ({found.saved.low:.2f} to {found.saved.high:.2f})"
    return f"{whole}: they were expected to cost {saved} of the usual less."

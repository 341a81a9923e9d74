"""What became of the gate's verdicts: of deployments that were let go, that went against it, and that waited."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shipcast.answers.advice import GateVerdict
from shipcast.answers.answer import Count, Instant, Number, Part, utc
from shipcast.answers.outcomes import FEWEST, Gain, Outcome, gain, outcome
from shipcast.answers.words import listing, plural
from shipcast.scheduling.windows import WEEK

SOON = timedelta(minutes=30)  # after the start that a verdict is about, within which a deployment rests on it
Row = tuple[str, str, datetime, bool, bool]


class Shipped(Part):
    """Deployments after one kind of verdict.

    Parameters
    ----------
    deployments
        Settled or not.
    n_expected, expected_failures
        Of the settled those of whose start a chance of failure had been said, and how many failures that came to.
    """

    deployments: Count
    ended: Outcome
    n_expected: Count
    expected_failures: Number


class GateRecord(Part):
    """What became of the gate's verdicts.

    A deployment rests on the last verdict asked for its service and environment about a start of the 30 minutes before
    its own, so that a pipeline that asks over and over counts once. Rollbacks are left out.

    Parameters
    ----------
    go, hold, unknown
        How often each was said.
    after_go, against
        Deployments that rest on a go; on a hold or unknown.
    waited
        Deployments that do not go against the gate, and before which it had said hold: since the deployment before, and
        in the 7 days before.
    saved
        Of those: how much less than at the first of these holds their start was expected to cost, as the forecasts saw
        it then, as a share of the usual cost.
    """

    period_start: Instant
    go: Count
    hold: Count
    unknown: Count
    after_go: Shipped
    against: Shipped
    waited: Count
    saved: Gain | None
    sentence: str


@dataclass(frozen=True)
class Fate:
    """One deployment, and what the gate had said of it.

    Parameters
    ----------
    verdict
        The one that it rests on; None: none.
    held
        The first hold that it waited through; None: it did not wait.
    is_failed
        None: not settled yet.
    """

    started_at: datetime
    verdict: GateVerdict | None
    held: GateVerdict | None
    is_failed: bool | None

    @property
    def saved(self) -> float | None:
        """How much less than at the hold its start was expected to cost, of the usual; None: that is not known."""
        if self.held is None or self.held.outlook is None:
            return None
        then, now = (self.held.outlook.cost_at(moment) for moment in (self.held.start, self.started_at))
        return None if then is None or now is None else then - now


def gate_record(verdicts: Sequence[GateVerdict], rows: Iterable[Row]) -> GateRecord | None:
    """What became of verdicts, by deployments in order of time; null: there are none."""
    if not verdicts:
        return None
    found = fates(verdicts, rows)
    said = [one.verdict for one in verdicts]
    record = GateRecord(
        period_start=verdicts[0].as_of,
        go=said.count("go"),
        hold=said.count("hold"),
        unknown=said.count("unknown"),
        after_go=shipped([one for one in found if one.verdict and one.verdict.verdict == "go"]),
        against=shipped([one for one in found if one.verdict and one.verdict.verdict != "go"]),
        waited=sum(one.held is not None for one in found),
        saved=gain(one.saved for one in found if one.saved is not None),
        sentence="",
    )
    return record.model_copy(update={"sentence": sentence(record)})


def fates(verdicts: Iterable[GateVerdict], rows: Iterable[Row]) -> list[Fate]:
    given: dict[tuple[str, str], list[GateVerdict]] = {}
    for one in sorted(verdicts, key=lambda one: one.start):
        given.setdefault((one.service, one.environment), []).append(one)
    last: dict[tuple[str, str], datetime] = {}
    found = []
    for service, environment, started, is_failed, is_settled in rows:
        key, at = (service, environment), utc(started)
        own = given.get(key, [])
        rests_on = last_of(own, at)
        is_against = rests_on is not None and rests_on.verdict != "go"
        since = max(last[key], at - WEEK) if key in last else at - WEEK
        held = None if is_against else first_hold(own, since, at)
        found.append(Fate(at, rests_on, held, bool(is_failed) if is_settled else None))
        last[key] = at
    return found


def last_of(verdicts: Sequence[GateVerdict], at: datetime) -> GateVerdict | None:
    """Of verdicts by start the last that was asked about the 30 minutes before an instant."""
    near = verdicts[first_from(verdicts, at - SOON) : first_after(verdicts, at)]
    return max(reversed(near), key=lambda one: one.as_of, default=None)


def first_hold(verdicts: Sequence[GateVerdict], since: datetime, at: datetime) -> GateVerdict | None:
    """Of verdicts by start the first hold in (since, at]."""
    between = verdicts[first_after(verdicts, since) : first_after(verdicts, at)]
    return next((one for one in between if one.verdict == "hold"), None)


def first_from(verdicts: Sequence[GateVerdict], moment: datetime) -> int:
    return bisect_left(verdicts, moment, key=lambda one: one.start)


def first_after(verdicts: Sequence[GateVerdict], moment: datetime) -> int:
    return bisect_right(verdicts, moment, key=lambda one: one.start)


def shipped(found: Sequence[Fate]) -> Shipped:
    settled = [one.verdict for one in found if one.verdict is not None and one.is_failed is not None]
    chances = [one.failure_probability for one in settled if one.failure_probability is not None]
    return Shipped(
        deployments=len(found),
        ended=outcome(one.is_failed for one in found),
        n_expected=len(chances),
        expected_failures=sum(chances),
    )


def sentence(found: GateRecord) -> str:
    """What became of the verdicts, in one sentence.

    "The gate said go 40 times and hold 12 times: after a go 1 of 38 settled deployments failed (1.4 expected), none
    went against it; 9 waited for a hold to pass: they were expected to cost 0.31 (0.12 to 0.50) of the usual less."
    """
    counts = {"go": found.go, "hold": found.hold, "unknown": found.unknown}
    times = [f"{word} {plural(count, 'time')}" for word, count in counts.items() if count]
    told = f"The gate said {listing(times)}"
    if not found.after_go.deployments + found.against.deployments + found.waited:
        return f"{told}; nothing was deployed yet on its word."
    against = f"against it {ended_said(found.against)}" if found.against.deployments else "none went against it"
    return f"{told}: after a go {ended_said(found.after_go)}, {against}; {waited_said(found)}."


def ended_said(found: Shipped) -> str:
    """
    >>> ended_said(Shipped(deployments=3, ended=outcome([True, False, None]), n_expected=1, expected_failures=0.1))
    '1 of 2 settled deployments failed (0.1 expected of 1)'
    """
    if not found.ended.n:
        return "nothing has settled yet" if found.deployments else "nothing was deployed"
    of = "" if found.n_expected == found.ended.n else f" of {found.n_expected:,}"
    expected = f" ({found.expected_failures:.1f} expected{of})" if found.n_expected else ""
    return f"{found.ended.failures:,} of {plural(found.ended.n, 'settled deployment')} failed{expected}"


def waited_said(found: GateRecord) -> str:
    if not found.waited:
        return "none waited for a hold to pass"
    waited = f"{found.waited:,} waited for a hold to pass"
    if found.saved is None:
        return f"{waited}, and what that was worth takes at least {FEWEST} of them"
    saved = f"{found.saved.mean:.2f} ({found.saved.low:.2f} to {found.saved.high:.2f})"
    return f"{waited}: they were expected to cost {saved} of the usual less"

"""`windows`: when a change should go, how sure that is, and whether it matters at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Unpack

import numpy as np
from pydantic import Field

from shipcast.answers.admission import Admission, Blocked, most
from shipcast.answers.alternatives import Alternative, alternatives
from shipcast.answers.answer import Answer, Count, Instant, Number, Part, Share, in_utc, optional_utc, rfc3339, utc
from shipcast.answers.company import Approval, approvals_said, place_warnings, unsaid_type_warnings
from shipcast.answers.company_calendar import rule_said
from shipcast.answers.ground import NEAR_HOURS, WEEKEND, Ground
from shipcast.answers.inquiry import Details, Inquiry, inquiry
from shipcast.answers.metric_queries import PROXIES, Scope
from shipcast.answers.metrics import proxy_said
from shipcast.answers.pricing import Models, Prices, Question, priced, spread
from shipcast.answers.reading import Reader
from shipcast.answers.words import in_hundred, local_time, plural
from shipcast.features.change import Change
from shipcast.features.clock import DAY_HOURS, Instants, hours_of_week
from shipcast.features.history import LOAD_WEEKS, History
from shipcast.models.load import LAST_DAYS
from shipcast.models.registry import Champion
from shipcast.models.restore import ASSUMED_MINUTES, RestoreModel
from shipcast.scheduling.calendar.calendar import as_datetime
from shipcast.scheduling.recommend import diverse, is_clearly_better, level, robust_costs
from shipcast.scheduling.windows import SLOT, candidate_starts

Verdict = Literal["recommend", "no_clear_difference", "no_window"]
Unit = Literal["requests", "disruption_minutes"]

DIGITS = 4  # of an outlook, which nobody reads more closely
FEW_DEPLOYMENTS = 30
FEW_INCIDENTS = 5
FEW_NEAR = 5


class Reason(Part):
    """What one factor adds to a window's relative cost; 0 is the usual."""

    factor: str
    points: Number


class Window(Part):
    """One start, what it would cost, and why.

    `failure_*` and `cost_*` are expected values with 95 % intervals. Null: no deployment was ever seen, so that
    nothing can be said.

    Parameters
    ----------
    approvals
        Whose approval it needs: of rules, and for a normal change of boards.
    """

    start: Instant
    end: Instant
    level: Literal["calm", "fair", "moderate", "rough", "storm"] | None
    failure_probability: Share | None
    failure_low: Share | None
    failure_high: Share | None
    expected_cost: Number | None
    cost_low: Number | None
    cost_high: Number | None
    relative_cost: Number | None
    reasons: tuple[Reason, ...] = ()
    conflicts: tuple[str, ...] = ()
    approvals: tuple[Approval, ...] = ()


class TrainedModel(Part):
    """The champion that gave the chances of failure: how it was made, its version, and up to when it learned."""

    recipe: str
    version: Count
    cut_off: Instant


class Outlook(Part):
    """What starts of the coming week would cost, hour by hour, whether they are allowed or not.

    Parameters
    ----------
    start
        The hour of the first start; the others follow without a gap.
    relative_costs
        The mean cost of the starts of each hour, against the usual.
    """

    start: Instant
    relative_costs: tuple[Number, ...]

    def cost_at(self, moment: datetime) -> float | None:
        """That of the hour of an instant (aware), against the usual; null: it is none of these.

        The quarter of an hour before them, in which the question may have been asked, counts as the first.
        """
        since = moment - self.start
        place = 0 if -SLOT < since < timedelta(0) else since // timedelta(hours=1)
        return self.relative_costs[place] if 0 <= place < len(self.relative_costs) else None


class PricedAnswer(Answer):
    """What is said of starts of one change, and what it rests on.

    Parameters
    ----------
    unit
        Of the costs: requests affected, or minutes of disruption where the load is not known.
    business_zone
        The clock on which the service's week was read.
    n, failures, period_start, period_end
        The settled deployments of this service that the chance of failure rests on, and when they started.
    n_pooled
        Those of all services, from which it borrows.
    model
        The trained model that gave the chances of failure; null: none was trained on what was known by then, so that
        services, hours and sizes were looked at when it was asked.
    blocked
        The spans of starts that are not allowed.
    outlook
        The coming week, hour by hour; null: nothing is known.
    next_start
        Where no start that was asked about is allowed: the next one that is. Null: none within a year.
    never
        Where none within a year is allowed: why, in a sentence. Else empty.
    """

    service: str
    environment: str
    duration_minutes: Number
    unit: Unit
    business_zone: str
    n: Count
    failures: Count
    n_pooled: Count
    model: TrainedModel | None
    period_start: Instant | None
    period_end: Instant | None
    items: tuple[Window, ...]
    blocked: tuple[Blocked, ...] = ()
    outlook: Outlook | None = None
    next_start: Instant | None = None
    never: str = ""


class WindowsAnswer(PricedAnswer):
    """The lowest-risk windows for one change, the cheapest first.

    Parameters
    ----------
    verdict
        `no_clear_difference`: the best start is not distinguishable from choosing freely. `no_window`: nothing fits.
    alternatives
        What else could be done with the change; empty where that was not asked for.
    """

    schema_name: Literal["shipcast/windows/1"] = Field("shipcast/windows/1", alias="schema")
    verdict: Verdict
    alternatives: tuple[Alternative, ...] = ()


def windows(
    reader: Reader,
    service: str,
    *,
    duration: timedelta,
    earliest: datetime | None = None,
    latest: datetime | None = None,
    top: int = 3,
    what_if: bool = False,
    **details: Unpack[Details],
) -> WindowsAnswer:
    """The lowest-risk windows for a change of `service`, as known at the reader's `as_of`.

    Parameters
    ----------
    duration
        Elapsed time that the deployment takes; it lies in [earliest, latest) as a whole.
    earliest, latest
        Aware. The default is the 7 days from `as_of`.
    top
        How many windows at most, at least three hours apart.
    what_if
        Whether to say what a day's delay, a smaller change or two halves would cost.

    Raises
    ------
    UnknownName
        No service or environment of that name is known; the nearest are named.
    UsageError
        A duration or number of windows that is not positive, a negative size, or a `latest` past 35 days.
    CalendarError
        The calendar cannot be used.
    """
    asked = inquiry(reader, service, duration, lambda _: (earliest, latest), top, **details)
    question = asked.question
    starts = candidate_starts(question.earliest, question.latest, duration)
    answer = WindowsAnswer(
        **reader.envelope(),
        **basis(question, asked.models),
        verdict="no_window",
        items=(),
        warnings=(*ground_warnings(asked), *past_warnings(reader, earliest)),
    )
    if len(starts) == 0:
        return said(answer)
    admitted = asked.admission(starts)
    answer = answer.model_copy(update={"blocked": admitted.blocked()})
    if not admitted.is_open.any():
        return said(answer, **following(admitted))
    if asked.history.started() == 0:
        return nothing_known(answer, admitted)
    return forecast(asked, admitted, answer, what_if)


def following(admitted: Admission) -> dict[str, object]:
    """When the next open start comes, or why none does."""
    found = admitted.next_open()
    return {"next_start": optional_utc(found), "never": "" if found else admitted.never()}


def nothing_known(answer: WindowsAnswer, admitted: Admission) -> WindowsAnswer:
    """The first open start, of which nothing can be said."""
    nothing = f"No deployment to {answer.environment} was known: every window is as good as any other."
    first = int(admitted.is_open.argmax())
    items = (unknown(admitted, first),)
    return said(answer, verdict="no_clear_difference", items=items, warnings=(*answer.warnings, nothing))


def forecast(asked: Inquiry, admitted: Admission, answer: WindowsAnswer, what_if: bool) -> WindowsAnswer:
    """The answer where there are open starts and a history."""
    question, starts = asked.question, admitted.starts
    prices = priced(asked.reader.at, asked.models, question, starts)
    slots = np.flatnonzero(admitted.is_open)
    costs = prices.risk.costs[:, np.searchsorted(prices.starts, starts[slots])]
    expected = costs.mean(axis=0)
    chosen = diverse(robust_costs(expected), slots, question.top, question.duration)
    chosen.sort(key=lambda place: (expected[place], place))
    return said(
        answer,
        verdict="recommend" if is_clearly_better(costs) else "no_clear_difference",
        items=tuple(window(prices, admitted, int(slots[place])) for place in chosen),
        outlook=outlook(prices),
        alternatives=tuple(alternatives(asked, admitted, prices)) if what_if else (),
        warnings=(
            *answer.warnings,
            *model_warnings(asked),
            *rare_warnings(question.change, asked.models.ground, starts[slots[chosen[:1]]]),
        ),
    )


def outlook(prices: Prices) -> Outlook:
    """The usual week of a price list, by the hours of UTC."""
    hours, of_hour = np.unique(prices.starts[prices.week].astype("datetime64[h]"), return_inverse=True)
    costs = prices.relative_week
    return Outlook(
        start=utc(as_datetime(hours[0])),
        relative_costs=tuple(np.round(np.bincount(of_hour, costs) / np.bincount(of_hour), DIGITS).tolist()),
    )


def said(answer: WindowsAnswer, **found: object) -> WindowsAnswer:
    """The answer with what was found, and its sentence."""
    whole = answer.model_copy(update=found)
    return whole.model_copy(update={"sentence": sentence(whole)})


def window(prices: Prices, admitted: Admission, slot: int) -> Window:
    """One of the starts with its intervals, its reasons, and the approvals it needs."""
    start, costs, usual = admitted.starts[slot], prices.risk, prices.usual
    place = prices.place(start)
    chance, chance_low, chance_high = spread(costs.failure[:, place])
    cost, cost_low, cost_high = spread(costs.costs[:, place])
    relative = cost / usual.cost
    begins = utc(as_datetime(start))
    return Window(
        start=begins,
        end=begins + admitted.wanted.duration,
        level=level(relative),  # type: ignore[arg-type]
        failure_probability=chance,
        failure_low=chance_low,
        failure_high=chance_high,
        expected_cost=cost,
        cost_low=cost_low,
        cost_high=cost_high,
        relative_cost=relative,
        reasons=tuple(Reason(factor=name, points=part) for name, part in usual.points(costs, place).items()),
        approvals=admitted.needed(slot),
    )


def unknown(admitted: Admission, slot: int) -> Window:
    """One of the starts, of which nothing can be said."""
    begins = utc(as_datetime(admitted.starts[slot]))
    fields = [
        name for name in Window.model_fields if name.startswith(("failure", "cost", "expected", "relative", "level"))
    ]
    return Window(
        start=begins,
        end=begins + admitted.wanted.duration,
        approvals=admitted.needed(slot),
        **dict.fromkeys(fields),  # type: ignore[arg-type]
    )


def ground_warnings(asked: Inquiry) -> list[str]:
    """What is to be known of the data, of the calendar, of the service's deployments, and of what was not said."""
    reader, history, change = asked.reader, asked.history, asked.question.change
    return [
        *reader.warnings(),
        *calendar_warnings(asked),
        *proxy_warnings(reader, asked.question),
        *clock_warnings(history, change),
        *asked.assumed,
        *sample_warnings(history),
        *hold_warnings(change.service, holds_on(asked)),
    ]


def holds_on(asked: Inquiry) -> list[tuple[str | None, datetime]]:
    """The holds on the service, looked up once for all who ask."""
    service = asked.question.change.service
    return asked.reader.once(("holds", asked.history.environment, service), lambda: asked.history.holds(service))


def calendar_warnings(asked: Inquiry) -> list[str]:
    """What of the calendar could not be kept since something is not known."""
    calendar, subject = asked.constraints.calendar, asked.wanted.subject
    regions = place_warnings(calendar, [subject], asked.known)
    return [*calendar.notes, *regions, *unsaid_type_warnings(calendar, subject)]


def hold_warnings(service: str, holds: Sequence[tuple[str | None, datetime]]) -> list[str]:
    return [f"A hold is in force on {service}: {kind or 'hold'}, since {rfc3339(utc(since))}." for kind, since in holds]


def sample_warnings(history: History) -> list[str]:
    """That not all of what other services did was looked at, where that is so."""
    share = history.share_of_others("fct_deployments")
    return [f"Of the deployments of other services one in {share} was learned from."] if share > 1 else []


def proxy_warnings(reader: Reader, question: Question) -> list[str]:
    """How many of the deployments that the forecast learns from are none that anybody recorded."""
    scope = Scope(question.environment, question.change.service, None, None)
    asked_of = {"service": scope.service, "environment": scope.environment}
    [(proxies, deployments)] = reader.shared_rows(PROXIES.format(places=scope.places()), **asked_of)
    return [f"proxy: {proxy_said(proxies, deployments)}."] if proxies else []


def clock_warnings(history: History, change: Change) -> list[str]:
    """Whether the service's clock had to be assumed."""
    rows = history.services().rows_by_key("service", named=True).get(change.service, [])
    if not rows:
        return []
    row = rows[0]
    if row["business_zone"] is None:
        return [f"{change.service} names no business_zone: its week is read on the clock of {change.zone}."]
    if row["business_zone"] != change.zone:
        return [f"{row['business_zone']!r} is not a time zone: the week of {change.service} is read on {change.zone}."]
    return []


def past_warnings(reader: Reader, earliest: datetime | None) -> list[str]:
    is_past = earliest is not None and in_utc(earliest) < reader.as_of
    return ["earliest lies before as_of: only windows from as_of on are offered."] if is_past else []


def model_warnings(asked: Inquiry) -> list[str]:
    """What the reader should know about the ground each forecast stands on."""
    question, models = asked.question, asked.models
    return [
        *typical_warnings(question.change),
        *failure_warnings(question.change, models.ground),
        *champion_warnings(question.change, models.served, models.ground),
        *restore_warnings(question.change, models.restore),
        *load_warnings(asked),
        *downtime_warnings(question, models),
    ]


def typical_warnings(change: Change) -> list[str]:
    parts = {"lines": change.lines, "files": change.files, "type": change.change_type}
    missing = [name for name, value in parts.items() if value is None]
    return [f"Taken as typical of {change.service}: {', '.join(missing)}."] if missing else []


def failure_warnings(change: Change, ground: Ground) -> list[str]:
    own = ground.count
    if ground.pooled == 0:
        return ["No deployment has settled yet: the chance of failure is assumed."]
    if ground.pooled_failures == 0:
        of = f"{ground.pooled:,} settled deployments" if ground.pooled > 1 else "the one settled deployment"
        return [f"No failure is known among {of}: the chance of one rests on an assumption."]
    if own < FEW_DEPLOYMENTS:
        has = f"{change.service} has {plural(own, 'settled deployment') if own else 'no settled deployment'} of its own"
        return [f"{has}: its chance of failure is mostly the company's rate."]
    return []


def champion_warnings(change: Change, served: Champion | None, ground: Ground) -> list[str]:
    """Whether the trained model can know nothing of the service's own deployments."""
    if served is None or not ground.count or (ground.own["started_at"] < served.cut_off).any():
        return []
    return [
        f"The model learned from nothing of {change.service}, which first shipped after {served.cut_off:%-d %b %Y}: "
        "its chance of failure is the company's until `shipcast train --promote`."
    ]


def rare_warnings(change: Change, ground: Ground, starts: Instants) -> list[str]:
    """Whether the service itself has hardly ever shipped around the time of day of the first of these starts."""
    hour = int(hours_of_week(starts, change.zone)[0])
    near = ground.near(hour)
    if ground.count < FEW_DEPLOYMENTS or near >= FEW_NEAR:
        return []
    since, until = ((hour + apart) % DAY_HOURS for apart in (-NEAR_HOURS, NEAR_HOURS + 1))
    only = f"Only {near}" if near else "None"
    return [
        f"{only} of {plural(ground.count, 'deployment')} of {change.service} started between {since}:00 and "
        f"{until}:00 ({change.zone}) on a {'weekend' if hour >= WEEKEND else 'weekday'}: its chance of failure then "
        "rests on other hours and services."
    ]


def restore_warnings(change: Change, restore: RestoreModel) -> list[str]:
    found = restore.describe()
    said = []
    if found["incidents"] == 0:
        said.append(
            f"No incident was known: {ASSUMED_MINUTES:.0f} minutes to restore are assumed, give or take a factor of 3."
        )
    elif restore.own_count(change.service) < FEW_INCIDENTS:
        own = plural(restore.own_count(change.service), "incident")
        said.append(f"{change.service} has {own} of its own: its time to restore is mostly the company's.")
    if found["open"]:
        said.append(f"{plural(found['open'], 'incident')} still open: counted as lasting at least so long already.")
    return said


def load_warnings(asked: Inquiry) -> list[str]:
    change, load, at = asked.question.change, asked.models.load, asked.reader.at
    by_minutes = "windows are ranked by expected minutes of disruption"
    if load.is_zero:
        return [f"The load measured of {change.service} is zero over its last {LAST_DAYS} days: {by_minutes}."]
    if not load.is_known:
        return [f"No load is known of {change.service}: {by_minutes}."]
    if load.is_short:
        return [
            f"The load of {change.service} rests on {plural(load.hours_, 'hour')} of the last {LOAD_WEEKS} weeks: "
            "too short to tell the days of the week apart."
        ]
    ended = load.series_.ends_at.astype("datetime64[us]").astype(datetime)
    if at - ended > timedelta(days=asked.reader.settings.stale_days):
        return [
            f"No load of {change.service} was measured after {ended:%-d %b %Y}, {(at - ended).days} days before: "
            "what was usual until then is carried on."
        ]
    return []


def downtime_warnings(question: Question, models: Models) -> list[str]:
    """That deployments of the service keep it down, which counts whether they fail or not."""
    recreated, known = models.recreated
    if not recreated:
        return []
    of = "the last deployment" if known == 1 else f"{recreated} of the last {known} deployments"
    return [
        f"{of[0].upper()}{of[1:]} kept {question.change.service} down (strategy recreate): "
        "what that turns away is in the cost."
    ]


def basis(question: Question, models: Models) -> dict[str, Any]:
    """The fields that say what was asked, and what the answer rests on."""
    begins, ends = models.ground.period
    return {
        "service": question.change.service,
        "environment": question.environment,
        "duration_minutes": question.duration / timedelta(minutes=1),
        "unit": "requests" if models.load.is_known else "disruption_minutes",
        "business_zone": question.change.zone,
        "n": models.ground.count,
        "failures": models.ground.failures,
        "n_pooled": models.ground.pooled,
        "model": trained_model(models.served),
        "period_start": utc(begins) if begins else None,
        "period_end": utc(ends) if ends else None,
    }


def model_said(answer: PricedAnswer) -> str:
    """Which model gave the chances of failure, in a sentence."""
    found = answer.model
    if found is None:
        return "Chances by the built-in estimate, made when it was asked: no trained model serves."
    learned = f"trained on what was known by {found.cut_off:%-d %b %Y %H:%M} UTC"
    return f"Chances by the champion, version {found.version} ({found.recipe}), {learned}."


def trained_model(served: Champion | None) -> TrainedModel | None:
    if served is None:
        return None
    return TrainedModel(recipe=served.recipe, version=served.version, cut_off=utc(served.cut_off))


def sentence(answer: WindowsAnswer, zone: str | None = None) -> str:
    """The answer in one sentence, on the clock of `zone`; null: the service's.

    "Ship checkout on Tue 16 Dec 06:15 (Europe/London): about 3 in 100 (1 to 6) would fail, 40 % of the usual cost."
    """
    zone = zone or answer.business_zone
    if answer.verdict == "no_window":
        return no_window_sentence(answer, zone)
    best = answer.items[0]
    if best.failure_probability is None or best.failure_low is None or best.failure_high is None:
        return f"Nothing is known yet that could tell one window for {answer.service} from another."
    chance = in_hundred(best.failure_probability, best.failure_low, best.failure_high)
    when = f"{local_time(best.start, zone, answer.as_of)} ({zone})"
    needed = approvals_said(best.approvals, zone, answer.as_of)
    if answer.verdict == "no_clear_difference":
        return (
            f"No window for {answer.service} is clearly better than choosing freely: even at {when}, which looks best, "
            f"{chance} would fail.{needed}"
        )
    usual = "" if best.relative_cost is None else f", {best.relative_cost * 100:.0f} % of the usual cost"
    return f"Ship {answer.service} on {when}: {chance} would fail{usual}.{needed}"


def no_window_sentence(answer: WindowsAnswer, zone: str) -> str:
    if not answer.blocked:
        minutes = f"{answer.duration_minutes:g}"
        return (
            f"No window for {answer.service}: no {minutes} minutes from a quarter hour on fit between earliest and "
            "latest."
        )
    counts = most(answer.blocked)
    starts = plural(sum(counts.values()), "start")
    rules = ", ".join(f"{rule_said(rule)} ({count:,})" for rule, count in counts.items())
    return f"No window for {answer.service}: of {starts} all are blocked: {rules}. {next_said(answer, zone)}"


def next_said(answer: PricedAnswer, zone: str) -> str:
    """When the next allowed start comes."""
    if answer.next_start is None:
        return f"No start within a year is allowed. {answer.never}".strip()
    return f"The next allowed start is {local_time(answer.next_start, zone, answer.as_of)} ({zone})."

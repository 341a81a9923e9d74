"""The delivery metrics: how often, how fast and how safely software is delivered, each with how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from shipcast.answers import metric_queries as queries
from shipcast.answers import words
from shipcast.answers.answer import Answer, Count, Instant, Number, Part, naive
from shipcast.answers.errors import UnknownName, listed
from shipcast.answers.metric_figures import FAMILIES, METRICS, NOTHING, Record, Unit
from shipcast.answers.metric_queries import By, Scope
from shipcast.answers.periods import DAY, Span, day_of, days_said, instant_of, iso_week, iso_weeks
from shipcast.answers.reading import Reader
from shipcast.settings.errors import UsageError

Key = str | datetime | None
PRODUCTION = "production"
KEYS: tuple[By, ...] = ("service", "environment", "team", "week")


class LeftOut(Part):
    """Rows that did not go into a number, or not for good, and why."""

    reason: str
    rows: Count


class How(Part):
    """How a number came about: its definition, the rows it rests on, those left out, and those not decided yet."""

    definition: str
    rows_in: Count
    left_out: tuple[LeftOut, ...] = ()
    still_open: tuple[LeftOut, ...] = ()


class MetricItem(Part):
    """One metric of one service, environment, team or week, or of everything asked for.

    Parameters
    ----------
    metric, unit
        What is measured, and in what.
    service, environment, team, week
        What it is about; null: not restricted to one. `environment` is "production" for all of that kind.
    period_start, period_end
        Half-open.
    value
        Null: nothing can be said.
    n
        What it rests on: counted deployments (deployments, rates), landed ones (frequency), spans (medians),
        incidents (unattributed), spells of use (idle).
    numerator
        The part of `n` that a rate counts; of idle time, the hours. Null for medians.
    low, high
        The 95 % interval; null where there is none or too little data.
    excluded, censored
        Left out, and not decided yet: what exactly is in `how`. Null where neither can happen.
    pooled
        Several services are in it.
    km_median
        Recovery only: the Kaplan-Meier median, in which those still open count too; null: not reached.
    cost
        Idle hours only: hours × cost_per_hour; null: the cost of some environment is not known.
    proxy
        How many of the `n` rest on something that stands in for a deployment, such as a release; null where `n` counts
        no deployments.
    """

    metric: str
    service: str | None
    environment: str | None
    team: str | None
    week: str | None = Field(pattern=r"^\d{4}-W\d{2}$")
    period_start: Instant
    period_end: Instant
    value: int | Number | None
    unit: Unit
    n: Count
    numerator: int | Number | None
    low: Number | None
    high: Number | None
    excluded: Count | None
    censored: Count | None
    pooled: bool
    km_median: Number | None
    cost: Number | None
    proxy: Count | None
    how: How


class IdleSpell(Part):
    """More than a day in which an environment was in no use; `cost` is null where an hour's cost is not known."""

    environment: str
    start: Instant
    end: Instant
    hours: Number
    cost: Number | None


class MetricsAnswer(Answer):
    """The delivery metrics of a period, as known at `as_of`; with idle time its spells of over a day, longest first."""

    schema_name: Literal["shipcast/metrics/1"] = Field(default="shipcast/metrics/1", alias="schema")
    items: tuple[MetricItem, ...]
    idle_spells: tuple[IdleSpell, ...] = ()


@dataclass(frozen=True)
class Question:
    """What is asked, with every name known and every default filled in."""

    metrics: tuple[str, ...]
    scope: Scope
    period: Span
    weeks: Mapping[Key, Span]
    services: Mapping[str, str | None]
    environments: Mapping[str, bool]
    deployed: frozenset[tuple[str, str]]
    zone: ZoneInfo

    @property
    def spans(self) -> Mapping[Key, Span]:
        """The stretches results are given for: the weeks, or the period as a whole."""
        return self.weeks or {"all": self.period}

    def parameters(self, reader: Reader) -> dict[str, Any]:
        """The values that the queries name."""
        spans = {key: span.known(reader.as_of) for key, span in self.spans.items()}
        return {
            "period_start": naive(self.period.start),
            "period_end": naive(self.period.end),
            "week_starts": list(self.weeks),
            "span_keys": list(spans),
            "span_starts": [naive(span.start) for span in spans.values()],
            "span_ends": [naive(span.end) for span in spans.values()],
            "known_end": naive(self.period.known(reader.as_of).end),
            "occupancy_us": round(reader.facts.occupancy_minutes * 60e6),
            "environment": self.scope.environment,
            "service": self.scope.service,
            "team": self.scope.team,
            "unplaced": self.only_production,
        }

    @property
    def only_production(self) -> str | None:
        """The one environment that counts as production; None: there are several, or none."""
        production = [name for name, is_production in self.environments.items() if is_production]
        return production[0] if len(production) == 1 else None

    def says(self, key: Key, result: Record | None) -> bool:
        """Whether there is something to say of a key: of no environment only what was found."""
        return self.scope.by != "environment" or key is not None or result is not None

    def keys(self, found: Iterable[Key]) -> list[Key]:
        """What there is an item for: everything known in scope, and whatever else was found."""
        if self.scope.by == "week":
            return list(self.weeks)
        if not self.scope.by:
            return ["all"]
        known: Mapping[By, Iterable[str | None]] = {
            "service": self.services,
            "team": self.services.values(),
            "environment": [name for name in self.environments if self.covers(name)],
        }
        return sorted({*known[self.scope.by], *found}, key=lambda key: (key is None, str(key)))

    def covers(self, environment: str) -> bool:
        """Whether the known environment is among those asked for."""
        asked = self.scope.environment
        return asked is None or (self.environments[environment] if asked == PRODUCTION else environment == asked)

    def is_pooled(self, key: Key) -> bool:
        """Whether several services were ever deployed where the number of that key comes from."""
        by = self.scope.by
        found = {
            service
            for service, environment in self.deployed
            if service in self.services
            and self.covers(environment)
            and (by != "team" or self.services[service] == key)
            and (by != "environment" or environment == key)
        }
        return by != "service" and len(found) > 1


def metrics(
    reader: Reader,
    *,
    metric: str | None = None,
    environment: str | None = None,
    service: str | None = None,
    team: str | None = None,
    by: str | None = None,
    period_from: date | None = None,
    period_to: date | None = None,
) -> MetricsAnswer:
    """The delivery metrics of a period, as known at the reader's `as_of`.

    Parameters
    ----------
    metric
        One of `METRICS`; None for all.
    environment
        A name, or "production" for all environments of that kind; None: production, or all where `by` says so.
    service, team
        Only these. What is measured per environment (idle time) is left out then.
    by
        "service", "environment", "team" or "week": an item for each that is known, also where nothing happened.
    period_from, period_to
        Start, included, and end, excluded. A date is its midnight in the reporting zone. None: from the day of the
        first deployment to the end of the day of the newest record.

    Raises
    ------
    UsageError
        The period is empty, or no such metric or key exists.
    UnknownName
        No such service, team, environment or metric; the nearest known ones are named.
    """
    place = environment or (None if by == "environment" else PRODUCTION)
    has_proxies = bool(reader.shared_rows(queries.HAS_PROXIES)[0][0])
    scope = Scope(place, service, team, checked_key(by), has_proxies)
    question = asked(reader, scope, metric, period_from, period_to)
    results = answers_of(reader, question)
    definitions = dict(reader.shared_rows(queries.DEFINITIONS))
    keys = question.keys({key for found in results.values() for key in found})
    pooled = {key: question.is_pooled(key) for key in keys}
    items = tuple(
        item(question, name, key, results[name].get(key), reader.as_of, definitions.get(name, ""), pooled[key])
        for key in keys
        for name in question.metrics
        if question.says(key, results[name].get(key))
    )
    return MetricsAnswer(
        **reader.envelope(),
        sentence=sentence(question, items),
        items=items,
        idle_spells=idle_spells(reader, question),
        warnings=(*reader.warnings(), *proxies(items), *warnings(reader, question, results)),
    )


def checked_key(by: str | None) -> By | None:
    for key in KEYS:
        if by == key:
            return key
    if by is None:
        return None
    raise UsageError(f"Metrics can be had by {', '.join(KEYS)}. Got {by!r}.", by=by)


def asked(
    reader: Reader, scope: Scope, metric: str | None, period_from: date | None, period_to: date | None
) -> Question:
    """The question with its names checked and its period filled in."""
    services = dict(reader.shared_rows(queries.SERVICES))
    environments = {name: bool(is_production) for name, is_production, _ in reader.shared_rows(queries.ENVIRONMENTS)}
    check("service", scope.service, services, not services)
    check("team", scope.team, {name for name in services.values() if name}, not services)
    check("environment", scope.environment, [*environments, PRODUCTION], not environments)
    period = period_asked(reader, scope, period_from, period_to)
    zone = ZoneInfo(reader.settings.tz)
    weeks = iso_weeks(period, zone) if scope.by == "week" else []
    return Question(
        metrics=metrics_asked(scope, metric),
        scope=scope,
        period=period,
        weeks={naive(week.start): week for week in weeks},
        services={
            name: owner
            for name, owner in services.items()
            if scope.service in (None, name) and scope.team in (None, owner)
        },
        environments=environments,
        deployed=frozenset((service, place) for service, place in reader.shared_rows(queries.DEPLOYED)),
        zone=zone,
    )


def check(kind: str, name: str | None, known: Iterable[str], is_empty: bool) -> None:
    """Refuse a name that is not among the known ones; where no data is known yet, any name may be right."""
    names = set(known)
    if name is not None and not is_empty and name not in names:
        raise UnknownName(kind, name, names)


def metrics_asked(scope: Scope, metric: str | None) -> tuple[str, ...]:
    """The metrics to compute: of one service or team, all but those that only an environment has."""
    if metric is not None and metric not in METRICS:
        raise UnknownName("metric", metric, METRICS)
    of_owner = bool(scope.service or scope.team or scope.by in ("service", "team"))
    if metric is not None and of_owner and METRICS[metric].family == "idle":
        raise UsageError(
            f"{metric} is measured per environment, not per service or team.",
            next_step=f"Ask `shipcast metrics --metric {metric} --by environment`.",
        )
    names = METRICS if metric is None else [metric]
    return tuple(name for name in names if not (of_owner and METRICS[name].family == "idle"))


def period_asked(reader: Reader, scope: Scope, period_from: date | None, period_to: date | None) -> Span:
    """The period: what was asked for, else from the first deployment's day to the end of the newest record's."""
    zone = ZoneInfo(reader.settings.tz)
    start = instant_of(period_from, zone) if period_from is not None else first_day(reader, scope, zone)
    if period_to is not None:
        end = instant_of(period_to, zone)
    else:
        newest = max(reader.data_as_of or start, start)
        end = min(reader.as_of, day_of(newest, zone).end)
    if period_from is None:
        return Span(min(start, end), end)
    if start >= end:
        raise UsageError(
            f"The period is empty: it would run from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC.",
            next_step="Let --from be before --to, and both before --as-of.",
        )
    return Span(start, end)


def first_day(reader: Reader, scope: Scope, zone: ZoneInfo) -> datetime:
    """Start of the day of the first counted deployment in scope, else of the first thing known; else `as_of`."""
    first = reader.shared_rows(queries.FIRST_COUNTED.format(places=scope.places()), environment=scope.environment)[0][0]
    if first is None:
        first = reader.shared_rows(queries.FIRST_KNOWN)[0][0]
    if first is None or first > reader.at:
        return reader.as_of
    return day_of(first.replace(tzinfo=UTC), zone).start


def answers_of(reader: Reader, question: Question) -> dict[str, dict[Key, Record]]:
    """The results of each metric's query by key; a family is asked once, and only if one of its metrics is."""
    parameters = question.parameters(reader)
    families = dict.fromkeys(METRICS[name].family for name in question.metrics)
    found = {family: reader.records(FAMILIES[family](question.scope), **parameters) for family in families}
    return {
        name: {row["key"]: row for row in found[METRICS[name].family] if row.get("metric", name) == name}
        for name in question.metrics
    }


def idle_spells(reader: Reader, question: Question) -> tuple[IdleSpell, ...]:
    """The spells behind the idle time asked for; none where it was not."""
    if not any(METRICS[name].family == "idle" for name in question.metrics):
        return ()
    rows = reader.rows(queries.idle_spells(question.scope), **question.parameters(reader))
    return tuple(
        IdleSpell(
            environment=name, start=start.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC), hours=hours, cost=cost
        )
        for name, start, end, hours, cost in rows
    )


def item(
    question: Question,
    name: str,
    key: Key,
    result: Record | None,
    as_of: datetime,
    definition: str,
    pooled: bool,
) -> MetricItem:
    """One metric's figures, said of what the key stands for."""
    metric, scope = METRICS[name], question.scope
    span = question.spans[key] if question.weeks else question.period
    known = span.known(as_of)
    figures = metric.figures(result or NOTHING[metric.family], (known.end - known.start) / DAY)
    low, high = figures.interval or (None, None)
    about = {"service": scope.service, "environment": scope.environment, "team": scope.team}
    if scope.by in about:
        about[scope.by] = key if key is None else str(key)
    return MetricItem(
        metric=name,
        **about,
        week=iso_week(span.start, question.zone) if scope.by == "week" else None,
        period_start=span.start,
        period_end=span.end,
        value=figures.value,
        unit=metric.unit,
        n=figures.n,
        numerator=figures.numerator,
        low=low,
        high=high,
        excluded=figures.excluded,
        censored=figures.censored,
        pooled=pooled,
        km_median=figures.km_median,
        cost=figures.cost,
        proxy=figures.proxy,
        how=How(
            definition=definition,
            rows_in=figures.n,
            left_out=counted(figures.left_out),
            still_open=counted(figures.still_open),
        ),
    )


def counted(reasons: Mapping[str, int]) -> tuple[LeftOut, ...]:
    """The reasons that hold for any rows, with their number."""
    return tuple(LeftOut(reason=why, rows=rows) for why, rows in reasons.items() if rows)


def warnings(reader: Reader, question: Question, results: Mapping[str, Mapping[Key, Record]]) -> list[str]:
    """What to know about these numbers in particular."""
    return [
        *beyond_now(reader, question),
        *no_production(question),
        *unsettled(reader, results),
        *unattributed_incidents(reader, results),
        *unwatched_environments(reader, question),
    ]


def proxies(items: Iterable[MetricItem]) -> list[str]:
    """How much of the first metric that rests on deployments which nobody recorded does so."""
    found = list(items)
    metric = next((one.metric for one in found if one.proxy), None)
    if metric is None:
        return []
    same = [one for one in found if one.metric == metric]
    proxy, n = sum(one.proxy or 0 for one in same), sum(one.n for one in same)
    if METRICS[metric].family == "deployments":
        return [f"proxy: {proxy_said(proxy, n)}."]
    values = f"{proxy:,} of {words.plural(n, 'value')} of {metric}"
    return [f"proxy: {values} rest on releases of a repository, not recorded deployments."]


def proxy_said(proxies: int, deployments: int) -> str:
    """
    >>> proxy_said(120, 120)
    '120 of 120 deployments are releases of a repository, not recorded deployments'
    """
    verb = "is a release" if proxies == 1 else "are releases"
    return f"{proxies:,} of {words.plural(deployments, 'deployment')} {verb} of a repository, not recorded deployments"


def beyond_now(reader: Reader, question: Question) -> list[str]:
    if question.period.end <= reader.as_of:
        return []
    asked_at = f"{reader.as_of:%Y-%m-%d %H:%M} UTC"
    return [f"The period ends after {asked_at}, the time of the question: it is measured up to there."]


def no_production(question: Question) -> list[str]:
    known = question.environments
    if question.scope.environment != PRODUCTION or not known or any(known.values()):
        return []
    names = listed(sorted(known))
    return [f"No environment counts as production (known: {names}); see the setting production_environments."]


def unsettled(reader: Reader, results: Mapping[str, Mapping[Key, Record]]) -> list[str]:
    """How many outcomes may still change."""
    rates = [name for name in results if METRICS[name].unit == "share" and METRICS[name].family == "deployments"]
    rows = list(results[rates[0]].values()) if rates else []
    open_rows, counted = sum(row["unsettled"] for row in rows), sum(row["counted"] for row in rows)
    if not open_rows:
        return []
    days = words.count(reader.facts.settle_days)
    of_all = f"{open_rows:,} of {words.plural(counted, 'deployment')}"
    return [f"{of_all} ended less than {days} days before: their outcome may still change."]


def unattributed_incidents(reader: Reader, results: Mapping[str, Mapping[Key, Record]]) -> list[str]:
    """What attribution by window would change; nothing where it is on."""
    rows = results.get("incidents_unattributed", {}).values()
    count, in_window = sum(row["unattributed"] for row in rows), sum(row["in_window"] for row in rows)
    if not count or reader.facts.attribution == "window":
        return []
    incidents = words.plural(count, "unattributed incident")
    return [f'{in_window:,} of {incidents} would be laid to a deployment by attribution = "window".']


def unwatched_environments(reader: Reader, question: Question) -> list[str]:
    """Where idle time rests on deployments alone."""
    if not any(METRICS[name].family == "idle" for name in question.metrics):
        return []
    names = [row[0] for row in reader.rows(queries.unwatched(question.scope), environment=question.scope.environment)]
    return [f"No usage sessions are known for {listed(names)}: idle time counts deployments only."] if names else []


def said(item: MetricItem, value: float | None) -> str:
    """A value of the item's metric in its unit, as people say it; unknown is "not enough data"."""
    if item.unit == "share":
        return words.share(value)
    return words.hours(value) if item.unit == "hours" else words.count(value)


def sentence(question: Question, items: Iterable[MetricItem]) -> str:
    """What the numbers come to, in one sentence."""
    found = list(items)
    period = days_said(question.period, question.zone)
    if question.scope.by:
        groups = len({getattr(one, question.scope.by) for one in found})
        if not groups:
            return f"No {question.scope.by} was known {period}."
        what = named(question.metrics[0]) if len(question.metrics) == 1 else f"{len(question.metrics)} metrics"
        return f"{what} for {'each of ' if groups != 1 else ''}{words.plural(groups, question.scope.by)} {period}."
    scope = question.scope
    place = f"{scope.environment}{''.join(f' ({name})' for name in (scope.service, scope.team) if name)}"
    if len(found) == 1:
        return f"{named(found[0].metric)} in {place} {period}: {interval_said(found[0])}{mark(found[0])}."
    by_metric = {one.metric: one for one in found}
    failure, speed = by_metric["change_failure_rate"], by_metric["lead_time"]
    if not failure.n:
        return f"No deployment to {place} was completed {period}."
    landed = f" and half the changes were live within {words.hours(speed.value)}" if speed.value is not None else ""
    completed = f"{words.plural(failure.n, 'deployment')}{mark(failure)} completed in {place}"
    return f"{completed} {period}: {interval_said(failure)} failed{landed}."


def named(metric: str) -> str:
    """A metric's name as a sentence begins with it."""
    return metric.replace("_", " ").capitalize()


def interval_said(item: MetricItem) -> str:
    """The value, with its interval where there is one."""
    if item.low is None or item.high is None:
        return said(item, item.value)
    return f"{said(item, item.value)} ({said(item, item.low)} to {said(item, item.high)})"


def mark(item: MetricItem) -> str:
    """What is put behind a number that rests on proxies."""
    return " (proxy)" if item.proxy else ""

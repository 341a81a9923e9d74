"""How environments were used: what share of a period they stood idle, what that cost, and when somebody was in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shipcast.answers import metric_queries as queries
from shipcast.answers.answer import utc
from shipcast.answers.company import known_in
from shipcast.answers.company_calendar import ledger_state
from shipcast.answers.metric_queries import Scope
from shipcast.answers.metrics import IdleSpell, Question, asked, metrics
from shipcast.answers.periods import days_said
from shipcast.answers.reading import Reader
from shipcast.answers.words import age, count, hours, plural, share

HOUR = timedelta(hours=1)
STRETCHES = tuple(timedelta(days=days) for days in (28, 14, 7, 3, 1))
MOST_USES, MOST_ENVIRONMENTS = 400, 30
IDLE, IDLE_HOURS = "environment_idle", "environment_idle_hours"
KNOWN = f"""
select environment, is_production, kind, cost_per_hour, environment in (
    select environment from fct_environment_usage where source = 'session' and started_at <= $as_of) as has_sessions
from dim_environments where {queries.IS_EXISTING} order by 1
"""


@dataclass(frozen=True)
class EnvironmentUse:
    """One environment over the period.

    Parameters
    ----------
    idle_share, idle_hours, cost
        As `metrics` gives them; null: nothing can be said, or what an hour costs is not known.
    uses
        The spells of use that touch the period.
    has_sessions
        Whether any session in it is known; else only deployments say when it was in use.
    """

    environment: str
    kind: str | None
    is_production: bool
    idle_share: float | None
    idle_hours: float | None
    cost: float | None
    cost_per_hour: float | None
    uses: int
    has_sessions: bool


@dataclass(frozen=True)
class Use:
    """A stretch in which somebody was in an environment, cut to what is shown; uses that overlap are one."""

    environment: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Reserved:
    """A reservation in the ledger that holds. `team` null: nobody may deploy meanwhile."""

    number: int
    environment: str
    start: datetime
    end: datetime
    team: str | None
    purpose: str
    who: str


@dataclass(frozen=True)
class Occupancy:
    """The use of environments in a period, half-open.

    Parameters
    ----------
    is_known
        Whether any record is of the period or later: else nobody can say that they stood idle.
    shown_from, uses
        The uses of its end, from there on: as many days of it as have 400 uses at most.
    shown
        The environments that `uses` are of: the 30 that stood idle the longest, where there are more.
    idle_spells
        Of more than a day, the longest first.
    reserved
        Reservations that end after `shown_from`, those to come too.
    """

    is_known: bool
    period_start: datetime
    period_end: datetime
    environments: tuple[EnvironmentUse, ...]
    shown_from: datetime
    shown: tuple[str, ...]
    uses: tuple[Use, ...]
    idle_spells: tuple[IdleSpell, ...]
    reserved: tuple[Reserved, ...]
    warnings: tuple[str, ...]
    sentence: str


def occupancy(
    reader: Reader,
    environment: str | None = None,
    period_from: date | None = None,
    period_to: date | None = None,
) -> Occupancy:
    """How environments were used, as known at the reader's `as_of`.

    Parameters
    ----------
    environment
        A name, or "production" for all of that kind; None: all there are.
    period_from, period_to
        As `metrics` takes them.

    Raises
    ------
    UsageError, UnknownName
        As `metrics`.
    """
    scope = Scope(environment, None, None, "environment")
    question = asked(reader, scope, IDLE, period_from, period_to)
    period = question.period.known(reader.as_of)
    given: dict[str, Any] = {"environment": environment, "period_from": period_from, "period_to": period_to}
    whole = metrics(reader, metric=IDLE_HOURS, by="environment", **given)
    shares = metrics(reader, metric=IDLE, by="environment", **given)
    share_of = {item.environment: item.value for item in shares.items}
    known = {row["environment"]: row for row in reader.records(KNOWN)}
    environments = tuple(
        EnvironmentUse(
            idle_share=share_of[item.environment],
            idle_hours=item.value,
            cost=item.cost,
            uses=item.n,
            **known[item.environment],
        )
        for item in whole.items
        if item.environment is not None and item.environment in known
    )
    shown = most_idle(environments)
    shown_from, uses = last_uses(reader, question, shown)
    is_known = reader.data_as_of is not None and reader.data_as_of >= period.start
    return Occupancy(
        is_known=is_known,
        period_start=period.start,
        period_end=period.end,
        environments=environments,
        shown_from=shown_from,
        shown=shown,
        uses=uses,
        idle_spells=whole.idle_spells,
        reserved=reserved(reader, [one.environment for one in environments], shown_from),
        warnings=shares.warnings,
        sentence=sentence(
            environments,
            whole.idle_spells,
            period.end - period.start,
            days_said(period, ZoneInfo(reader.settings.tz)),
        )
        if is_known
        else f"Nothing is known of environments since {period.start:%-d %b %Y}; {newest_said(reader)}.",
    )


def most_idle(environments: Sequence[EnvironmentUse]) -> tuple[str, ...]:
    """Those of which the uses are shown, in the order of their names."""
    by_hours = sorted(environments, key=lambda one: -(one.idle_hours or 0))
    return tuple(sorted(one.environment for one in by_hours[:MOST_ENVIRONMENTS]))


def last_uses(reader: Reader, question: Question, shown: Sequence[str]) -> tuple[datetime, tuple[Use, ...]]:
    """From when on uses are shown, and these: of the longest stretch that has few enough, else of the shortest."""
    period = question.period.known(reader.as_of)
    first = max(period.start, period.end - STRETCHES[0])
    found = uses(reader, question, first, shown)
    for stretch in STRETCHES[1:]:
        if len(found) <= MOST_USES:
            break
        first = max(period.start, period.end - stretch)
        found = [Use(one.environment, max(one.start, first), one.end) for one in found if one.end > first]
    return first, tuple(found[:MOST_USES])


def uses(reader: Reader, question: Question, since: datetime, shown: Sequence[str]) -> list[Use]:
    rows = reader.rows(
        queries.spells_of_use(question.scope),
        **question.parameters(reader),
        shown_from=since.replace(tzinfo=None),
        shown=list(shown),
    )
    return [Use(name, utc(start), utc(end)) for name, start, end in rows]


def reserved(reader: Reader, environments: Sequence[str], since: datetime) -> tuple[Reserved, ...]:
    """What the ledger says, the next first; reservations of environments that no data names are told too."""
    names = {name for (name,) in reader.rows("select environment from dim_environments")} - set(environments)
    found = [
        Reserved(
            number=entry.number,
            environment=entry.body.environment,
            start=utc(entry.body.start),
            end=utc(entry.body.end),
            team=entry.body.team,
            purpose=entry.body.purpose,
            who=entry.who,
        )
        for entry in known_in(reader).state(ledger_state(reader.settings, reader.as_of)).reservations
        if entry.body.environment not in names and utc(entry.body.end) > since
    ]
    return tuple(sorted(found, key=lambda one: (one.start, one.number)))


def sentence(
    environments: Sequence[EnvironmentUse], spells: Sequence[IdleSpell], length: timedelta, period: str
) -> str:
    """How much of the period, which is so long, environments stood idle, and where that lasted longest.

    Production is left out where there are others: it serves its users while nobody ships.

    >>> sentence([], [], timedelta(0), "by 1 Jan 2025")
    'No environment was known by 1 Jan 2025.'
    """
    if not environments:
        return f"No environment was known {period}."
    counted = [one for one in environments if not one.is_production] or environments
    whole = length / HOUR * len(counted)
    idle = sum(one.idle_hours or 0 for one in counted)
    beside = " beside production" if len(counted) < len(environments) else ""
    told = f"{plural(len(counted), 'environment')}{beside} stood idle for {share(idle / whole if whole else 0.0)}"
    cost = f", {plural(round(idle), 'hour')}{cost_said(counted)}"
    names = {one.environment for one in counted}
    spell = next((one for one in spells if one.environment in names), None)
    longest = "" if spell is None else f"; the longest spell was {hours(spell.hours)} in {spell.environment}"
    return f"{told} of the time {period}{cost}{longest}."


def newest_said(reader: Reader) -> str:
    if reader.data_as_of is None:
        return "no record is known at all"
    return f"the newest record is {age(reader.as_of - reader.data_as_of)} old"


def cost_said(environments: Sequence[EnvironmentUse]) -> str:
    """What the idle hours cost, as far as that is known; empty: of none."""
    known = [one.cost for one in environments if one.cost is not None]
    if not known:
        return ""
    some = "" if len(known) == len(environments) else f" in the {len(known)} whose cost is known"
    return f" that cost {count(round(sum(known)))}{some}"

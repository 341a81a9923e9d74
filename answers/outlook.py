"""`outlook`: the coming week of every service, hour by hour, and the hour that is calmest for most of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shipcast.answers.admission import Admission, admission
from shipcast.answers.answer import Answer, Count, Instant, Number, Part, utc
from shipcast.answers.company import company_constraints, company_rules, known_in
from shipcast.answers.price_list import Priced, price_list
from shipcast.answers.pricing import Forecaster, Question, forecaster, known_change, known_duration
from shipcast.answers.reading import Reader
from shipcast.answers.words import local_time, plural
from shipcast.features.history import History
from shipcast.models.posterior import Floats
from shipcast.scheduling.calendar.calendar import as_datetime
from shipcast.scheduling.recommend import level
from shipcast.scheduling.wanted import Wanted
from shipcast.scheduling.windows import WEEK, week_starts

SHOWN = 12
RECENT = timedelta(days=91)
HOUR = timedelta(hours=1)
Level = Literal["calm", "fair", "moderate", "rough", "storm"]
GOOD: tuple[Level, ...] = ("calm", "fair")
DEPLOYED = """
select service, count(*) filter (where started_at > $since) as recent, count(*) as deployments
from fct_deployments
where started_at <= $as_of and (environment = $environment or ($environment = 'production' and is_production))
    and (service = $service or $service is null)
    and ($team is null or service in (select service from dim_services where team = $team))
group by service order by recent desc, deployments desc, service
"""


class Hour(Part):
    """An hour of the coming week.

    Parameters
    ----------
    start
        A full hour of UTC; the first may have begun before `as_of`.
    relative_cost, level
        Of the mean start in it, against the usual; null: nothing is known.
    blocked
        The rule that lets nothing start in it; null: something may.
    booked
        The first booking of the service that runs in it.
    """

    start: Instant
    relative_cost: Number | None
    level: Level | None
    blocked: str | None = None
    booked: str | None = None


class ServiceWeek(Part):
    """The coming week of a usual change of one service.

    Parameters
    ----------
    duration_minutes
        The median of its past deployments.
    n, failures
        Its settled deployments, which the chance of failure rests on.
    recent
        How many deployments it had in the 91 days before.
    has_load
        Whether its costs are of requests; else of minutes of disruption.
    """

    service: str
    environment: str
    business_zone: str
    duration_minutes: Number
    n: Count
    failures: Count
    recent: Count
    has_load: bool
    hours: tuple[Hour, ...]


class OutlookAnswer(Answer):
    """The coming week by service, the most deployed first.

    Parameters
    ----------
    services
        How many services there are, shown or not.
    calmest, calm, stormiest, stormy
        The full hours that are calm or fair for most of the services shown, and rough or storm for most, and for how
        many; null: nothing is known.
    """

    schema_name: Literal["shipcast/outlook/1"] = Field("shipcast/outlook/1", alias="schema")
    items: tuple[ServiceWeek, ...]
    services: Count
    calmest: Instant | None = None
    calm: Count | None = None
    stormiest: Instant | None = None
    stormy: Count | None = None


def outlook(
    reader: Reader,
    *,
    service: str | None = None,
    team: str | None = None,
    environment: str = "production",
    top: int | None = SHOWN,
) -> OutlookAnswer:
    """What usual changes would cost in the 7 days from the reader's `as_of`.

    Parameters
    ----------
    top
        How many services at most, those deployed most in the last 91 days first; null: all.

    Raises
    ------
    UnknownName
        No service or environment of that name is known; the nearest are named.
    CalendarError
        The calendar cannot be used.
    """
    reader.check_environment(environment)
    history = reader.history(environment)
    if service is not None:
        known_change(history, service, None, None, None)
    found = reader.rows(DEPLOYED, service=service, team=team, environment=environment, since=reader.at - RECENT)
    weeks = service_weeks(reader, history, [(name, recent) for name, recent, _ in found[:top]])
    answer = OutlookAnswer(
        **reader.envelope(), items=weeks, services=len(found), warnings=(*reader.warnings(), *shown_of(weeks, found))
    )
    answer = answer.model_copy(update=common_hours(weeks))
    return answer.model_copy(update={"sentence": sentence(answer, reader.settings.tz)})


def shown_of(weeks: Sequence[ServiceWeek], found: Sequence[object]) -> list[str]:
    if len(weeks) == len(found):
        return []
    return [f"Shown: {plural(len(weeks), 'service')} of {len(found)}, those deployed most in the last 13 weeks."]


def service_weeks(reader: Reader, history: History, services: Sequence[tuple[str, int]]) -> tuple[ServiceWeek, ...]:
    """Those of these services, each with how often it was deployed lately."""
    if not services:
        return ()
    models = forecaster(reader, history.environment)
    starts = week_starts(reader.at)
    questions = [usual_change(reader, history, name) for name, _ in services]
    known = known_in(reader)
    rules = company_rules(reader.settings, reader.as_of, known)
    constraints = company_constraints(reader, known, [history], [name for name, _ in services], rules)
    weeks = []
    for (name, recent), question, prices in zip(
        services, questions, price_list(models, questions, starts), strict=True
    ):
        subject = known.subject(name, question.environment, None)
        wanted = Wanted(name, subject, question.duration, question.earliest, question.latest)
        admitted = admission(constraints, wanted, starts)
        weeks.append(service_week(models, question, recent, prices, admitted))
    return tuple(weeks)


def usual_change(reader: Reader, history: History, service: str) -> Question:
    change = known_change(history, service, None, None, None)
    duration, _ = known_duration(history, service, None)
    return Question(change, history.environment, duration, reader.at, reader.at + WEEK, 1)


def service_week(
    models: Forecaster, question: Question, recent: int, prices: Priced, admitted: Admission
) -> ServiceWeek:
    ground = models.models(question.change).ground
    return ServiceWeek(
        service=question.change.service,
        environment=question.environment,
        business_zone=question.change.zone,
        duration_minutes=question.duration / timedelta(minutes=1),
        n=ground.count,
        failures=ground.failures,
        recent=recent,
        has_load=prices.has_load,
        hours=hours_of(prices.costs, admitted),
    )


def hours_of(costs: Floats, admitted: Admission) -> tuple[Hour, ...]:
    """The hours that consecutive starts lie in, by the full hours of UTC."""
    hours, first, of_hour = np.unique(admitted.starts.astype("datetime64[h]"), return_index=True, return_inverse=True)
    starts = np.bincount(of_hour)
    usual = float(costs.mean())
    relative = np.bincount(of_hour, costs) / starts / usual if usual > 0 else None
    is_open = np.bincount(of_hour, admitted.is_open) > 0
    begins = [as_datetime(hour) for hour in hours]
    return tuple(
        Hour(
            start=utc(begin),
            relative_cost=None if relative is None else round(float(relative[place]), 4),
            level=None if relative is None else level(float(relative[place])),  # type: ignore[arg-type]
            blocked=None if is_open[place] else admitted.names[admitted.places[first[place]]],
            booked=booked_in(admitted, begin),
        )
        for place, begin in enumerate(begins)
    )


def booked_in(admitted: Admission, begins: datetime) -> str | None:
    """The first booking of the same service and environment that runs in the hour."""
    target = admitted.wanted.subject.target
    return next(
        (
            one.name
            for one in admitted.constraints.state.bookings
            if one.body.target == target and one.body.start < begins + HOUR and begins < one.body.end
        ),
        None,
    )


def common_hours(weeks: Sequence[ServiceWeek]) -> dict[str, object]:
    """The hours that suit most services and fewest, as fields of the answer; of equals the one of lower cost."""
    known = [week for week in weeks if all(hour.relative_cost is not None for hour in week.hours)]
    if not known:
        return {}
    starts = [hour.start for hour in known[0].hours]
    costs = np.array([[hour.relative_cost for hour in week.hours] for week in known], dtype=np.float64)
    is_open = np.array([[hour.blocked is None for hour in week.hours] for week in known])
    is_good = is_open & np.array([[hour.level in GOOD for hour in week.hours] for week in known])
    is_bad = np.array([[hour.level in ("rough", "storm") for hour in week.hours] for week in known])
    best, worst = most(is_good, -costs), most(is_bad, costs)
    return {
        "calmest": starts[best],
        "calm": int(is_good[:, best].sum()),
        "stormiest": starts[worst],
        "stormy": int(is_bad[:, worst].sum()),
    }


def most(holds: NDArray[np.bool_], scores: Floats) -> int:
    """The hour for which it holds of most services; of equals the one whose mean score is highest."""
    return int(np.lexsort((scores.mean(axis=0), holds.sum(axis=0)))[-1])


def sentence(answer: OutlookAnswer, zone: str) -> str:
    """When it is safe this week."""
    if not answer.items:
        return "No service was deployed here yet, so there is no outlook."
    if answer.calmest is None or answer.stormiest is None:
        return f"What the coming week would cost {plural(len(answer.items), 'service')} is not known."
    calmest, stormiest = (local_time(one, zone, answer.as_of) for one in (answer.calmest, answer.stormiest))
    if len(answer.items) == 1:
        return one_service(answer.items[0], calmest, stormiest, zone)
    return (
        f"The coming week is calmest at {calmest} ({zone}), calm or fair for {answer.calm} of {len(answer.items)} "
        f"services, and stormiest at {stormiest}, rough or storm for {answer.stormy}."
    )


def one_service(week: ServiceWeek, calmest: str, stormiest: str, zone: str) -> str:
    good = sum(hour.level in GOOD and hour.blocked is None for hour in week.hours)
    return (
        f"{week.service} is calm or fair in {good} of the next {len(week.hours)} hours, calmest at {calmest} ({zone}), "
        f"stormiest at {stormiest}."
    )

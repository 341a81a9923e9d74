"""Requests on a grid of quarter hours, with every default filled in and a price for each start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shipcast.answers.answer import naive
from shipcast.answers.company import Known
from shipcast.answers.errors import UnknownName, listed
from shipcast.answers.price_list import Priced, price_list
from shipcast.answers.pricing import FARTHEST, Forecaster, Question, forecaster, known_change
from shipcast.answers.reading import Reader
from shipcast.features.history import History
from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.problem import Problem
from shipcast.scheduling.requests import PlanRequest, RequestFile
from shipcast.scheduling.wanted import Constraints, Grid, Wanted, problem
from shipcast.scheduling.windows import WEEK, first_slot
from shipcast.settings.errors import InputRefused

Unit = Literal["requests", "disruption_minutes", "own"]

LONGEST_AHEAD = timedelta(days=92)  # of requests that bring their own costs
DEFERRAL_FACTOR = 3


@dataclass(frozen=True, eq=False)
class Asked:
    """The requests on a grid of quarter hours, priced.

    Parameters
    ----------
    chances
        Of each request the chance of failure at every slot; null: its costs are its own.
    """

    requests: Sequence[PlanRequest]
    grid: Grid
    wanted: Sequence[Wanted]
    prices: Sequence[Floats]
    chances: Sequence[Floats | None]
    deferrals: Sequence[float]
    unit: Unit

    def problem(self, constraints: Constraints) -> Problem:
        return problem(constraints, self.grid, self.wanted, self.prices, self.deferrals)


def asked(file: RequestFile, at: datetime, known: Known, reader: Reader | None) -> tuple[Asked, list[str]]:
    """The requests with every default, on a grid that holds all they allow, priced; and what is to be said of that."""
    requests = file.requests
    spans = [span(one, at) for one in requests]
    grid = grid_of(spans, at)
    for one, (_, latest) in zip(requests, spans, strict=True):
        check_reach(one, latest, at)
    inferred, warnings = dependencies(requests, known)
    wanted = [
        wanted_of(one, *period, known, depends_on)
        for one, period, depends_on in zip(requests, spans, inferred, strict=True)
    ]
    prices = [np.zeros(grid.slots)] * len(requests)
    chances: list[Floats | None] = [None] * len(requests)
    unit: Unit = "own"
    forecast = [place for place, one in enumerate(requests) if one.cost is None]
    if forecast and reader is not None:
        forecasts, unit, said = forecast_prices(reader, [requests[place] for place in forecast], grid)
        warnings += said
        for place, priced in zip(forecast, forecasts, strict=True):
            prices[place], chances[place] = priced.costs, priced.failure
    for place, one in enumerate(requests):
        if one.cost is not None:
            prices[place] = own_prices(one.cost, grid, wanted[place])
    deferrals = [
        deferral_cost(one, price, grid, want) for one, price, want in zip(requests, prices, wanted, strict=True)
    ]
    return Asked(requests, grid, wanted, prices, chances, deferrals, unit), warnings


def span(one: PlanRequest, at: datetime) -> tuple[datetime, datetime]:
    """The first instant at which it may start, and by which it must have ended (naive, UTC)."""
    earliest = at if one.earliest is None else naive(one.earliest)
    return earliest, at + WEEK if one.latest is None else naive(one.latest)


def grid_of(spans: Sequence[tuple[datetime, datetime]], at: datetime) -> Grid:
    """The quarter hours from the first start that any allows, not before `at`, to the last end."""
    begins = first_slot(max(min((earliest for earliest, _ in spans), default=at), at))
    ends = max((latest for _, latest in spans), default=begins)
    return Grid(begins, max(Grid(begins, 0).next_slot(ends), 0))


def check_reach(one: PlanRequest, latest: datetime, at: datetime) -> None:
    farthest = FARTHEST if one.cost is None else LONGEST_AHEAD
    if latest > at + farthest:
        why = "forecasts reach" if one.cost is None else "a plan reaches"
        raise InputRefused(
            f"Request {one.id}: latest lies more than {farthest.days} days ahead, as far as {why}.",
            next_step="Give it an earlier latest.",
        )


def wanted_of(
    one: PlanRequest, earliest: datetime, latest: datetime, known: Known, depends_on: tuple[str, ...]
) -> Wanted:
    subject = known.subject(one.service, one.environment, one.change_type)
    return Wanted(
        one.id,
        subject if one.team is None else replace(subject, team=one.team),
        one.duration,
        earliest,
        latest,
        one.approval_needed,
        one.resources,
        depends_on,
        timedelta(minutes=one.bake_minutes),
        one.excludes,
        None if one.pinned_start is None else naive(one.pinned_start),
    )


def dependencies(requests: Sequence[PlanRequest], known: Known) -> tuple[list[tuple[str, ...]], list[str]]:
    """What each request waits for: as it says, else the requests of the services that its own needs.

    Of services that need each other in a circle neither waits.
    """
    of_service: dict[tuple[str, str], list[str]] = {}
    for one in requests:
        of_service.setdefault((one.service, one.environment), []).append(one.id)
    inferred = {
        one.id: [
            other
            for service in known.service(one.service).depends_on
            for other in of_service.get((service, one.environment), [])
            if other != one.id
        ]
        for one in requests
        if one.depends_on is None
    }
    edges = {one.id: inferred.get(one.id, list(one.depends_on or ())) for one in requests}
    circle = circles(edges)
    kept = {name: [other for other in others if circle[name] != circle[other]] for name, others in inferred.items()}
    found = [tuple(kept.get(one.id, list(one.depends_on or ()))) for one in requests]
    return found, dependency_warnings(kept, inferred)


def circles(edges: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """A number for each name, the same for those that wait for each other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {name: number for number, name in enumerate(edges)}
    pairs = [(place[name], place[other]) for name, others in edges.items() for other in others]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(place), len(place)))
    _, labels = connected_components(graph, connection="strong")
    return dict(zip(place, labels.tolist(), strict=True))


def dependency_warnings(kept: Mapping[str, Sequence[str]], inferred: Mapping[str, Sequence[str]]) -> list[str]:
    waiting = [name for name, others in kept.items() if others]
    dropped = [name for name, others in inferred.items() if len(others) > len(kept[name])]
    said = [f"Waits for what its service needs, since depends_on is not said: {listed(waiting)}."] if waiting else []
    return said + (
        [f"Services that need each other in a circle: no order is kept between {listed(dropped)}."] if dropped else []
    )


def forecast_prices(
    reader: Reader, requests: Sequence[PlanRequest], grid: Grid
) -> tuple[list[Priced], Unit, list[str]]:
    """The prices of these requests by the forecasts, in one unit; and what was assumed."""
    places, lacking = by_environment(requests), set()
    asked_of: dict[str, tuple[Forecaster, list[Question]]] = {}
    for name, its in places.items():
        history, models = reader.history(name), forecaster(reader, name)
        questions = [question(reader, history, requests[place], grid) for place in its]
        lacking |= {one.change.service for one in questions if not models.load(one.change).is_known}
        asked_of[name] = models, questions
    found: dict[int, Priced] = {}
    for name, (models, questions) in asked_of.items():
        priced = price_list(models, questions, grid.starts, is_in_minutes=bool(lacking))
        found |= zip(places[name], priced, strict=True)
    said = [f"No load is known of {listed(sorted(lacking))}: all costs are minutes of disruption."] if lacking else []
    return (
        [found[place] for place in range(len(requests))],
        "disruption_minutes" if lacking else "requests",
        [*said, *typical_warnings(requests)],
    )


def by_environment(requests: Sequence[PlanRequest]) -> dict[str, list[int]]:
    """The places of the requests of each environment."""
    found: dict[str, list[int]] = {}
    for place, one in enumerate(requests):
        found.setdefault(one.environment, []).append(place)
    return found


def question(reader: Reader, history: History, one: PlanRequest, grid: Grid) -> Question:
    try:
        reader.check_environment(one.environment)
        change = known_change(history, one.service, one.lines, one.files_changed, one.change_type)
    except UnknownName as error:
        raise InputRefused(f"Request {one.id}: {error.detail}", next_step=error.next_step) from error
    whole = replace(change, commits=one.commits, authors=one.authors, bot_commits=one.bot_commits)
    return Question(whole, one.environment, one.duration, grid.begins, grid.instant(grid.slots), 1)


def typical_warnings(requests: Sequence[PlanRequest]) -> list[str]:
    """What requests do not say, so that it is taken as typical of their services."""
    names = {
        "lines": "lines",
        "files_changed": "files",
        "commits": "commits",
        "authors": "authors",
        "change_type": "type",
    }
    lacking = {word: [one.id for one in requests if getattr(one, key) is None] for key, word in names.items()}
    said = "; ".join(f"{word} of {listed(ids)}" for word, ids in lacking.items() if ids)
    return [f"Taken as typical of their services: {said}."] if said else []


def own_prices(cost: Sequence[float | None], grid: Grid, want: Wanted) -> Floats:
    """The costs that a request brings, on the grid; infinite: not allowed, or beyond its earliest and latest."""
    prices = np.full(grid.slots, np.inf)
    given = np.array([np.inf if one is None else one for one in cost], dtype=np.float64)
    slots = own_slots(grid, want)
    places = slots - grid.next_slot(want.earliest)
    prices[slots] = np.append(given, np.inf)[np.minimum(places, len(given))]
    return prices


def own_slots(grid: Grid, want: Wanted) -> NDArray[np.int64]:
    """The slots in which it may start as far as its earliest and latest go."""
    first, last = max(grid.next_slot(want.earliest), 0), grid.slot(want.latest - want.duration)
    return np.arange(first, max(last + 1, first))


def deferral_cost(one: PlanRequest, price: Floats, grid: Grid, want: Wanted) -> float:
    """What not scheduling it costs: as it says, else three times its dearest start."""
    if one.deferral_cost is not None:
        return one.deferral_cost
    own = price[own_slots(grid, want)]
    own = own[np.isfinite(own)]
    return DEFERRAL_FACTOR * float(own.max()) if len(own) else 0.0

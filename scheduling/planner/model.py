"""A problem as numbers: requests by position, capacities as rows, dependencies as edges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np

from shipcast.models.posterior import Floats
from shipcast.scheduling.planner.problem import Bools, Problem, Request

DEFERRED = -1


@dataclass(frozen=True)
class Row:
    """At most `concurrent` of `members` run at once; never more members than needed to break it."""

    concurrent: int
    members: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """A reserve: `length` free slots within [begin, end), and who must keep off them."""

    begin: int
    end: int
    length: int
    members: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """A problem by position.

    Attributes
    ----------
    prices
        A row a request, a column a start slot; infinite: not allowed, by anything said of the request itself or by
        what it depends on, directly or not, which cannot be over any sooner.
    before, after
        The requests that each one depends on and those that depend on it, without those that follow from others.
    order
        All positions, each behind what it depends on, else as given.
    spans
        The slots that a plan may run in: beyond the last start slot by the longest duration.
    """

    slots: int
    spans: int
    prices: Floats
    durations: tuple[int, ...]
    lags: tuple[int, ...]
    deferrals: tuple[float, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]

    @property
    def size(self) -> int:
        return len(self.durations)

    def cost(self, starts: Sequence[int]) -> float:
        """What a plan costs: the prices of the starts and of the deferrals."""
        deferrals, prices = self.deferrals, self.prices
        return sum(deferrals[at] if start < 0 else float(prices[at, start]) for at, start in enumerate(starts))


def model_of(problem: Problem) -> Model:
    """The model of a problem."""
    requests = problem.requests
    place = {request.id: at for at, request in enumerate(requests)}
    wanted = [sorted({place[name] for name in request.depends_on}) for request in requests]
    order = ordered(wanted)
    before = reduced(wanted, order)
    lags = tuple(request.lag for request in requests)
    return Model(
        slots=problem.slots,
        spans=problem.slots + max((request.slots for request in requests), default=0),
        prices=reachable_prices(requests, problem.slots, before, lags, order),
        durations=tuple(request.slots for request in requests),
        lags=lags,
        deferrals=tuple(float(request.deferral_cost) for request in requests),
        before=before,
        after=inverted(before),
        order=order,
        rows=rows_of(problem, place),
        blocks=blocks_of(problem),
    )


def ordered(wanted: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Every position behind what it wants, and otherwise as early as it stands."""
    done: set[int] = set()
    order: list[int] = []
    for at in TopologicalSorter(dict(enumerate(wanted))).static_order() if any(wanted) else range(len(wanted)):
        order.append(at)
        done.add(at)
    depth = [0] * len(wanted)
    for at in order:
        depth[at] = max((depth[other] + 1 for other in wanted[at]), default=0)
    return tuple(sorted(order, key=lambda at: (depth[at], at)))


def reduced(wanted: Sequence[Sequence[int]], order: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """What each wants, without what it also wants by way of another.

    Such an edge says nothing: the way round takes at least as long, since the lag is that of its first request.
    """
    above = [0] * len(wanted)  # a bit for each request wanted directly or not
    kept: list[tuple[int, ...]] = [()] * len(wanted)
    for at in order:
        over = 0
        for other in wanted[at]:
            over |= above[other]
        kept[at] = tuple(other for other in wanted[at] if not over >> other & 1)
        above[at] = over | sum(1 << other for other in wanted[at])
    return tuple(kept)


def inverted(before: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    after: list[list[int]] = [[] for _ in before]
    for at, others in enumerate(before):
        for other in others:
            after[other].append(at)
    return tuple(tuple(others) for others in after)


def allowed_starts(request: Request) -> Bools:
    """Where everything said of the request itself allows a start."""
    allowed = np.isfinite(request.prices)
    for rule in request.rules:
        allowed = allowed & rule.allowed
    if request.pinned is not None:
        allowed = allowed & (np.arange(len(allowed)) == request.pinned)
    return np.asarray(allowed, dtype=np.bool_)


def reachable_prices(
    requests: Sequence[Request], slots: int, before: Sequence[Sequence[int]], lags: Sequence[int], order: Iterable[int]
) -> Floats:
    """The prices of starts that are allowed and that no dependency rules out."""
    prices = np.full((len(requests), slots), np.inf)
    first = [slots] * len(requests)
    for at in order:
        soonest = max((first[other] + lags[other] for other in before[at]), default=0)
        allowed = allowed_starts(requests[at])
        allowed[:soonest] = False
        prices[at, allowed] = requests[at].prices[allowed]
        first[at] = int(allowed.argmax()) if allowed.any() else slots
    return prices


def rows_of(problem: Problem, place: dict[str, int]) -> tuple[Row, ...]:
    """Capacities, services in their environments and exclusions, less what cannot be broken."""
    groups: dict[tuple[int, ...], int] = {}
    members: dict[str, list[int]] = {capacity.name: [] for capacity in problem.capacities}
    places: dict[tuple[str, str], list[int]] = {}
    for at, request in enumerate(problem.requests):
        places.setdefault((request.service, request.environment), []).append(at)
        for name in set(request.capacities):
            members[name].append(at)
    alone = list(places.values())
    pairs = {
        (min(at, place[name]), max(at, place[name]))
        for at, request in enumerate(problem.requests)
        for name in request.excludes
    }
    for group in [*alone, *cliques(pairs - set(pairs_within(alone)))]:
        groups[tuple(group)] = 1
    for capacity in problem.capacities:
        users = tuple(members[capacity.name])
        groups[users] = min(groups.get(users, capacity.concurrent), capacity.concurrent)
    return tuple(Row(concurrent, group) for group, concurrent in groups.items() if len(group) > concurrent)


def pairs_within(groups: Iterable[Sequence[int]]) -> Iterable[tuple[int, int]]:
    return ((a, b) for group in groups for a in group for b in group if a < b)


def cliques(pairs: set[tuple[int, int]]) -> list[list[int]]:
    """Groups that cover all pairs and hold no other, found greedily."""
    near: dict[int, set[int]] = {}
    for a, b in pairs:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    left, found = set(pairs), []
    for a, b in sorted(pairs):
        if (a, b) not in left:
            continue
        group, common = [a, b], near[a] & near[b]
        while common:
            best = min(common)
            group.append(best)
            common = common & near[best]
        left -= {(x, y) for x in group for y in group if x < y}
        found.append(sorted(group))
    return found


def blocks_of(problem: Problem) -> tuple[Block, ...]:
    """The reserves, with those who must keep off."""
    plain: dict[str, tuple[int, ...]] = {}
    for at, request in enumerate(problem.requests):
        if not request.is_emergency:
            plain[request.environment] = (*plain.get(request.environment, ()), at)
    return tuple(
        Block(reserve.begin, reserve.end, reserve.length, plain.get(reserve.environment, ()))
        for reserve in problem.reserves
    )

"""Plans keep every rule, are proven as far as they say, and get no worse by looking longer."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from checker import cost, violations
from instances import SHAPES, instance
from solver import least_cost

from shipcast.scheduling.planner.comparison import compared
from shipcast.scheduling.planner.engine import Effort, Engine
from shipcast.scheduling.planner.errors import CyclicDependency, ProblemRefused
from shipcast.scheduling.planner.model import DEFERRED, model_of
from shipcast.scheduling.planner.plan import plan
from shipcast.scheduling.planner.problem import Capacity, Problem, Request, Reserve


def change(name, prices, minutes=15, **more):
    more = {"service": name, "environment": "live", "deferral_cost": 100.0, **more}
    return Request(id=name, duration_minutes=minutes, prices=np.array(prices, float), **more)


def planned(*requests, capacities=(), reserves=(), **effort):
    problem = Problem(len(requests[0].prices), requests, tuple(capacities), tuple(reserves))
    return plan(problem, **(effort or {"iterations": 200}))


def every_plan(problem):
    """All ways to give starts or none."""
    choices = [[None, *np.flatnonzero(np.isfinite(request.prices)).tolist()] for request in problem.requests]
    for combination in product(*choices):
        pairs = zip(problem.requests, combination, strict=True)
        yield {request.id: start for request, start in pairs if start is not None}


def test_each_takes_its_cheapest_start_where_none_stands_in_the_way():
    result = planned(change("a", [3, 1, 2]), change("b", [2, 1, 3]))

    assert result.starts == {"a": 1, "b": 1}
    assert (result.objective, result.bound, result.gap, result.status) == (2, 2, 0, "optimal")


def test_one_service_in_one_environment_runs_once_at_a_time():
    a, b = change("a", [1, 5, 9], service="pay"), change("b", [1, 2, 9], service="pay")

    assert planned(a, b).starts == {"a": 0, "b": 1}
    assert planned(a, replace(b, environment="test")).starts == {"a": 0, "b": 0}


def test_twenty_minutes_take_two_slots():
    result = planned(change("a", [1, 9, 9, 9], 20, service="pay"), change("b", [5, 5, 6, 7], service="pay"))

    assert result.starts == {"a": 0, "b": 2}


def test_what_depends_waits_for_the_end_and_the_bake_of_the_other():
    first, second = change("a", [1] * 9, 20, bake_minutes=30), change("b", range(9), depends_on=("a",), bake_minutes=90)

    assert planned(first, second).starts == {"a": 0, "b": 4}


def test_a_bake_that_ends_within_the_slot_of_the_end_costs_no_slot_more():
    first, second = change("a", [1] * 4, 20, bake_minutes=10), change("b", range(4), depends_on=("a",))

    assert planned(first, second).starts["b"] == 2


def test_a_chain_is_cut_at_its_tail_and_never_in_its_middle():
    chain = [
        change("a", [1, 1, 1], deferral_cost=5),
        change("b", [1, 1, 1], deferral_cost=5, depends_on=("a",)),
        change("c", [9, 9, 9], deferral_cost=5, depends_on=("b",)),
    ]

    assert planned(*chain).starts.keys() == {"a", "b"}
    assert planned(replace(chain[0], prices=np.full(3, 20.0)), *chain[1:]).starts == {}


def test_a_dear_head_is_taken_for_a_tail_that_is_worth_it():
    head, tail = change("a", [9, 9], deferral_cost=1), change("b", [1, 1], depends_on=("a",), deferral_cost=50)

    assert planned(head, tail).starts == {"a": 0, "b": 1}


def test_what_is_excluded_does_not_overlap_whoever_says_so():
    result = planned(change("a", [1, 2], excludes=("b",)), change("b", [1, 4]))

    assert result.starts == {"a": 1, "b": 0}


def test_a_pinned_start_is_kept_or_the_request_deferred():
    assert planned(change("a", [1, 2, 3], pinned=2)).starts == {"a": 2}
    assert planned(change("a", [1, 2, np.inf], pinned=2)).starts == {}


def test_a_capacity_limits_who_runs_at_once():
    requests = [change(name, [1, 2, 4], capacities=("eu",)) for name in "abc"]

    assert planned(*requests, capacities=[Capacity("eu", 2)]).objective == 1 + 1 + 2
    assert planned(*requests, capacities=[Capacity("eu", 0)]).starts == {}


def test_the_reserve_moves_out_of_the_way_and_stays_whole():
    reserve = Reserve("live", 0, 4, 2)
    result = planned(change("a", [9, 1, 9, 9]), reserves=[reserve])
    both = planned(change("a", [9, 1, 9, 9]), change("b", [9, 9, 9, 1]), reserves=[reserve])

    assert result.starts == {"a": 1}
    assert [(block.start, block.end) for block in result.reserved] == [(2, 4)]
    assert both.objective == 10


def test_an_emergency_may_run_in_the_reserve():
    reserve = Reserve("live", 0, 2, 2)

    assert planned(change("a", [1, 2]), reserves=[reserve]).starts == {}
    assert planned(change("a", [1, 2], is_emergency=True), reserves=[reserve]).starts == {"a": 0}


def test_one_that_costs_as_much_as_its_deferral_is_not_scheduled():
    assert planned(change("a", [5, 5], deferral_cost=5)).starts == {}


@pytest.mark.parametrize("slots", [0, 5])
def test_nothing_asked_is_planned_at_once(slots):
    result = plan(Problem(slots, ()))

    assert (result.starts, result.objective, result.bound, result.status) == ({}, 0, 0, "optimal")


def test_without_slots_all_are_deferred():
    result = planned(change("a", []), change("b", [], depends_on=("a",)))

    assert [item.id for item in result.deferred] == ["a", "b"]
    assert result.objective == result.bound == 200


@pytest.mark.parametrize("seed", range(60))
def test_random_plans_break_no_rule_and_cost_what_they_say(seed):
    problem = instance(seed)
    result = plan(problem, iterations=40)

    assert violations(problem, result.starts, result.reserved) == []
    assert result.objective == pytest.approx(cost(problem, result.starts))
    assert result.bound <= result.objective
    assert len(result.starts) + len(result.deferred) == len(problem.requests)


@pytest.mark.parametrize("seed", range(40))
def test_no_plan_is_cheaper_than_the_bound(seed):
    problem = instance(seed, size=1 + seed % 3, slots=6)
    best = min(cost(problem, starts) for starts in every_plan(problem) if not violations(problem, starts))
    result = plan(problem, iterations=60)

    assert result.bound <= best * (1 + 1e-9)
    assert result.objective == pytest.approx(best)


@pytest.mark.parametrize("seed", [*range(len(SHAPES)), 14, 24, 34])
def test_a_solver_finds_no_plan_below_the_bound(seed):
    problem = instance(seed, size=8, slots=24)
    best = least_cost(problem)
    result = plan(problem, iterations=400)

    assert result.bound <= best + 1e-4
    assert result.objective >= best - 1e-4


@pytest.mark.parametrize("seed", range(0, 30, 3))
def test_no_plan_is_dearer_than_the_greedy_one_or_the_first_free_one(seed):
    problem = instance(seed, size=14)
    ways = compared(problem)

    assert plan(problem, iterations=0).objective <= min(ways["greedy"].objective, ways["first free"].objective)


def test_given_iterations_and_seed_make_the_same_plan():
    draw = np.random.default_rng(1)
    requests = [change(f"r{at}", draw.uniform(1, 9, 80), 15 * (1 + at % 4), capacities=("eu",)) for at in range(30)]
    problem = Problem(80, tuple(requests), (Capacity("eu", 1),))
    first, again, other = (plan(problem, iterations=60, seed=seed) for seed in (1, 1, 2))

    assert (first.starts, first.objective, first.bound) == (again.starts, again.objective, again.bound)
    assert (other.starts != first.starts, other.bound) == (True, first.bound)


def test_what_was_deferred_for_nothing_is_scheduled_at_last():
    engine = Engine(model_of(crowd()), Effort(None, 0), 0, None)
    engine.solution.starts, engine.solution.cost = [DEFERRED] * 8, 800.0
    engine.polish()

    assert DEFERRED not in engine.solution.starts


def crowd():
    """Eight that all want the first slots of one capacity, which the bound alone does not settle."""
    requests = tuple(
        change(f"r{number}", np.arange(30) ** 1.5 + number, 30 + 15 * (number % 3), capacities=("eu",))
        for number in range(8)
    )
    return Problem(30, requests, (Capacity("eu", 1),))


def test_stopping_gives_the_best_plan_so_far():
    result = plan(crowd(), time_limit=60, should_stop=lambda: True)

    assert result.status == "interrupted"
    assert violations(crowd(), result.starts, result.reserved) == []


@pytest.mark.parametrize("reports", [1, 2])
def test_an_interrupt_from_the_keyboard_gives_the_best_plan_so_far(reports):
    seen = []

    def interrupt(progress):
        seen.append(progress)
        if len(seen) == reports:
            raise KeyboardInterrupt

    result = plan(crowd(), time_limit=60, progress=interrupt)

    assert result.status == "interrupted"
    assert violations(crowd(), result.starts, result.reserved) == []
    assert result.objective <= seen[-1].objective


def test_progress_only_gets_better():
    seen = []
    plan(crowd(), iterations=1200, progress=seen.append)

    assert len(seen) > 1
    assert all(a.objective >= b.objective and a.bound <= b.bound for a, b in pairwise(seen))


def test_a_circle_is_refused_by_name():
    requests = (change("a", [1], depends_on=("c",)), change("b", [1], depends_on=("a",)))

    with pytest.raises(CyclicDependency, match=r"a -> c -> b -> a|c -> b -> a -> c|b -> a -> c -> b"):
        Problem(1, (*requests, change("c", [1], depends_on=("b",))))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (change("a", [-1.0]), "prices must be at least 0"),
        (change("a", [np.nan]), "prices must be at least 0"),
        (change("a", [1, 2]), "one for each of 1 slots"),
        (change("a", [1], minutes=0), "duration_minutes"),
        (change("a", [1], bake_minutes=-1), "bake_minutes"),
        (change("a", [1], deferral_cost=np.inf), "deferral_cost"),
        (change("a", [1], depends_on=("z",)), "depends on z, which is no request"),
        (change("a", [1], excludes=("z",)), "excludes z, which is no request"),
        (change("a", [1], excludes=("a",)), "excludes itself"),
        (change("a", [1], capacities=("z",)), "takes of z, which is no capacity"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(wrong, words):
    with pytest.raises(ProblemRefused, match=f"^a: .*{words}"):
        Problem(1, (wrong,))


def test_what_requests_share_must_make_sense_too():
    one = (change("a", [1]),)

    for more, words in [
        ({"capacities": (Capacity("eu", -1),)}, "concurrent"),
        ({"capacities": (Capacity("eu", 1), Capacity("eu", 2))}, "two capacities are called eu"),
        ({"reserves": (Reserve("live", 0, 2, 3),)}, "do not fit"),
        ({"requests": one * 2}, "two requests are called a"),
    ]:
        with pytest.raises(ProblemRefused, match=words):
            Problem(**{"slots": 1, "requests": one, **more})

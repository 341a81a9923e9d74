"""Every deferred request says why, and lifting what it says lets it start."""

import random

import numpy as np
import pytest
from checker import violations
from instances import instance
from solver import least_cost

from shipcast.scheduling.planner.clash import clash, restricted
from shipcast.scheduling.planner.comparison import compared
from shipcast.scheduling.planner.plan import plan
from shipcast.scheduling.planner.problem import Capacity, Problem, Request, Reserve, Rule
from shipcast.scheduling.planner.reasons import Obstacle, deferral, lifted


def change(name, prices, **more):
    more = {"service": name, "environment": "live", "duration_minutes": 15, "deferral_cost": 9.0, **more}
    return Request(id=name, prices=np.array(prices, float), **more)


def counted(problem, starts, name):
    return [(reason.starts, reason.obstacle.kind, reason.obstacle.name) for reason in reasons(problem, starts, name)]


def reasons(problem, starts, name):
    return deferral(problem, starts, name).reasons


def test_starts_are_counted_by_the_first_rule_that_removes_each():
    rules = (Rule("freeze", np.array([False, False, True, True])), Rule("hours", np.array([False, True, False, True])))
    problem = Problem(4, (change("a", [1, 1, np.inf, np.inf], rules=rules),))

    assert counted(problem, {}, "a") == [(2, "rule", "freeze"), (1, "rule", "hours"), (1, "price", "")]
    assert deferral(problem, {}, "a").lift == (Obstacle("rule", "freeze"),)


def test_a_full_capacity_is_named_and_one_more_would_do():
    requests = change("a", [1, 1], capacities=("eu",)), change("b", [2, 1], capacities=("eu",), pinned=0)
    problem = Problem(2, requests, (Capacity("eu", 1),))

    assert counted(problem, {"a": 0}, "b") == [(1, "pinned", ""), (1, "capacity", "eu")]
    assert deferral(problem, {"a": 0}, "b").words() == "b: 2 starts: 1 elsewhere than pinned, 1 beyond the capacity eu"


def test_a_deferred_dependency_takes_every_start():
    problem = Problem(2, (change("a", [np.inf, np.inf]), change("b", [1, 1], depends_on=("a",))))

    assert counted(problem, {}, "b") == [(2, "dependency", "a")]


def test_what_may_start_and_only_costs_too_much_has_nothing_to_lift():
    found = deferral(Problem(2, (change("a", [9, 10]),)), {}, "a")

    assert (found.lift, found.price) == ((), 9.0)
    assert found.words() == "a: 2 starts: 2 dearer than the deferral"


def test_the_reserve_is_named_by_its_environment_and_first_slot():
    problem = Problem(2, (change("a", [1, 1]),), reserves=(Reserve("live", 0, 2, 2),))

    assert counted(problem, {}, "a") == [(2, "reserve", "live from slot 0")]


@pytest.mark.parametrize("seed", range(60))
def test_lifting_what_a_reason_names_lets_the_request_start_in_the_same_plan(seed):
    problem = instance(seed)
    result = plan(problem, iterations=30)
    costs = {request.id: request.deferral_cost for request in problem.requests}

    for item in result.deferred:
        assert sum(reason.starts for reason in item.reasons) == problem.slots
        assert violations(lifted(problem, item.id, item.lift), {**result.starts, item.id: item.start}) == []
        assert item.lift or item.price >= costs[item.id]
        if item.lift:
            assert violations(problem, {**result.starts, item.id: item.start}) != []


def crowd(number=4, **more):
    """So many hours that fit into one capacity for three, and one that lies elsewhere."""
    prices = np.where(np.arange(40) < 9, 1.0, np.inf)
    requests = [change(f"r{at}", prices, duration_minutes=60, capacities=("eu",), **more) for at in range(number)]
    late = change("late", np.where(np.arange(40) > 30, 1.0, np.inf), capacities=("eu",))
    return Problem(40, (*requests, late), (Capacity("eu", 1), Capacity("us", 1)))


def test_a_clash_names_the_fewest_that_do_not_fit_and_the_capacity_that_would_help():
    found = clash(crowd(), {"r0": 0, "r1": 4, "r2": 8, "late": 35}, "r3")

    assert found.requests == ("r0", "r1", "r2", "r3")
    assert found.capacities == ("eu",)
    assert found.words() == "these 4 need more eu slots than there are: r0, r1, r2, r3"


@pytest.mark.parametrize("seed", range(8))
def test_those_that_clash_all_fit_without_any_one_of_them(seed):
    draw = random.Random(seed)
    requests = tuple(
        change(
            f"r{at}",
            np.where(np.arange(30) < draw.randint(5, 14), 0.0, np.inf),
            duration_minutes=draw.choice([30, 60, 90]),
            capacities=("eu",),
            deferral_cost=1.0,
            depends_on=(f"r{at - 2}",) if at % 5 == 4 else (),
        )
        for at in range(10)
    )
    problem = Problem(30, requests, (Capacity("eu", 1),))
    result = plan(problem, iterations=300)
    for item in result.deferred:
        found = clash(problem, result.starts, item.id)
        if found:
            assert least_cost(restricted(problem, found.requests)) >= 1
            for name in found.requests:
                rest = set(found.requests) - {name}
                assert least_cost(restricted(problem, rest)) == 0


def test_without_one_of_them_a_clash_is_none():
    assert clash(crowd(), {"r0": 0, "r1": 4, "late": 35}, "r3") is None


def test_what_has_no_start_of_its_own_clashes_with_nobody():
    assert clash(Problem(1, (change("a", [1]), change("b", [np.inf]))), {"a": 0}, "b") is None


def test_a_clash_within_a_service_needs_no_capacity():
    requests = tuple(change(name, [1, np.inf], service="pay") for name in "ab")
    found = clash(Problem(2, requests), {"a": 0}, "b")

    assert (found.requests, found.capacities) == (("a", "b"), ())
    assert found.words() == "these 2 do not all find room: a, b"


def test_alone_says_what_it_breaks_and_the_other_ways_break_nothing():
    problem = Problem(3, tuple(change(name, [1, 2, 3], capacities=("eu",)) for name in "abc"), (Capacity("eu", 1),))
    ways = compared(problem)

    assert (ways["alone"].objective, ways["alone"].broken) == (3, {"capacity": 3})
    assert (ways["greedy"].objective, ways["greedy"].broken) == (6, {})
    assert (ways["first free"].starts, ways["first free"].broken) == ({"a": 0, "b": 1, "c": 2}, {})


def test_every_kind_of_rule_that_alone_breaks_is_counted():
    requests = (
        change("a", [1, 2, 3], service="pay"),
        change("b", [1, 2, 3], service="pay"),
        change("c", [1, 2, 3], depends_on=("a",), environment="test"),
        change("d", [1, 2, 3], excludes=("c",), environment="test"),
    )
    alone = compared(Problem(3, requests, reserves=(Reserve("live", 0, 1, 1),)))["alone"]

    assert alone.broken == {"dependency": 1, "service": 2, "exclusion": 2, "reserve": 2}


@pytest.mark.parametrize("seed", range(20))
def test_the_plainer_ways_keep_every_rule(seed):
    problem = instance(seed)

    for name in ("greedy", "first free"):
        assert violations(problem, compared(problem)[name].starts) == []
        assert compared(problem)[name].broken == {}

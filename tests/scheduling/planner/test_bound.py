"""The bound is one: no tolls, good or bad, bring it above the best plan."""

import numpy as np
import pytest
from checker import cost, violations
from instances import SHAPES, instance
from solver import least_cost
from test_plan import change, crowd, every_plan

from shipcast.scheduling.planner.bound import Bound
from shipcast.scheduling.planner.model import model_of
from shipcast.scheduling.planner.problem import Capacity, Problem, Reserve


def bounds(problem, target, steps=80):
    """The values along the way to a plan's cost that is out of reach, so that the tolls overshoot."""
    bound = Bound(model_of(problem))
    for _ in range(steps):
        bound.step(target)
        yield bound.latest


@pytest.mark.parametrize("seed", range(40))
def test_no_tolls_give_more_than_the_best_of_all_plans(seed):
    problem = instance(seed, size=1 + seed % 3, slots=6)
    best = min(cost(problem, starts) for starts in every_plan(problem) if not violations(problem, starts))

    assert max(bounds(problem, 2 * best + 1)) <= best + 1e-9


@pytest.mark.parametrize("seed", [*range(len(SHAPES)), 14, 24, 34, 44, 54])
def test_no_tolls_give_more_than_a_solver_finds(seed):
    problem = instance(seed, size=8, slots=24)
    best = least_cost(problem)

    assert max(bounds(problem, 1.2 * best + 1)) <= best + 1e-4


def test_tolls_raise_the_bound_of_a_crowd_near_to_its_cost():
    best = least_cost(crowd())
    values = list(bounds(crowd(), best, steps=300))

    assert values[0] < 0.7 * best
    assert 0.9 * best < max(values) <= best + 1e-4


def test_a_tree_of_dependencies_is_bounded_exactly_without_any_toll():
    prices = [5, 1, 4, 2, 3, 6]
    tree = (
        change("a", prices, 30),
        change("b", prices, depends_on=("a",)),
        change("c", prices, depends_on=("a", "d")),
        change("d", [1, 9, 9, 9, 9, 9], bake_minutes=15),
    )

    assert Bound(model_of(Problem(6, tree))).value == pytest.approx(1 + 2 + 2 + 1)


@pytest.mark.parametrize("weight", [1, 3])
def test_tolls_stand_for_dependencies_that_close_a_circle(weight):
    late, soon = np.arange(8.0)[::-1], np.arange(8.0)
    diamond = (
        change("a", late),
        change("b", soon, depends_on=("a",)),
        change("c", late, depends_on=("a",)),
        change("d", weight * soon, depends_on=("b", "c")),
    )
    problem = Problem(8, diamond)
    best = least_cost(problem)

    assert Bound(model_of(problem)).value < best - 1
    assert max(bounds(problem, best, steps=400)) > best - 0.1
    assert max(bounds(problem, 2 * best)) <= best + 1e-4


def test_a_reserve_and_a_capacity_ask_a_toll():
    requests = tuple(change(name, [1, 9, 9, 9], capacities=("eu",)) for name in "ab")

    shared = Problem(4, requests, (Capacity("eu", 1),))
    reserved = Problem(4, (change("a", [1, 9, 9, 9]),), reserves=(Reserve("live", 0, 1, 1),))

    assert max(bounds(shared, 10, steps=200)) == pytest.approx(10, rel=1e-3)
    assert max(bounds(reserved, 9, steps=200)) == pytest.approx(9, rel=1e-3)

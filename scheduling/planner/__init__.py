"""Many requests at once: each gets a start or is deferred at a price, at the least total.

It knows nothing of calendars, forecasts or files: prices, rules, capacities and reserves come as arrays and numbers.
"""

from shipcast.scheduling.planner.clash import Clash, clash
from shipcast.scheduling.planner.comparison import Comparison, compared
from shipcast.scheduling.planner.engine import Progress
from shipcast.scheduling.planner.errors import CyclicDependency, ProblemRefused
from shipcast.scheduling.planner.plan import Plan, ReservedBlock, plan
from shipcast.scheduling.planner.problem import SLOT_MINUTES, Capacity, Problem, Request, Reserve, Rule, slots_of
from shipcast.scheduling.planner.reasons import Deferral, Obstacle, Reason, deferral, lifted

__all__ = [
    "SLOT_MINUTES",
    "Capacity",
    "Clash",
    "Comparison",
    "CyclicDependency",
    "Deferral",
    "Obstacle",
    "Plan",
    "Problem",
    "ProblemRefused",
    "Progress",
    "Reason",
    "Request",
    "Reserve",
    "ReservedBlock",
    "Rule",
    "clash",
    "compared",
    "deferral",
    "lifted",
    "plan",
    "slots_of",
]

"""What the demo says: the answers a leader and a scheduler get, and how right they were, since the truth is known."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Number, Part, Share
from shipcast.answers.metrics import MetricItem, MetricsAnswer
from shipcast.answers.training import TrainAnswer
from shipcast.answers.windows import WindowsAnswer


class Verification(Part):
    """The advised window held against the simulated company's truth; costs are relative to the mean over the week.

    Parameters
    ----------
    said_cost, true_cost, best_cost
        What the forecast said of the advised window, what it truly costs, and what the best window truly costs.
    regret
        0: the best window was advised; 1: no better than a window drawn by lot.
    said_probability, true_probability
        The chance that the change fails there: forecast, and truth.
    services, median_regret, worst_regret, worst_service
        How many services were asked for the same change, and what their regrets come to.
    """

    said_cost: Number
    true_cost: Number
    best_cost: Number
    regret: Number
    said_probability: Share
    true_probability: Share
    services: Count
    median_regret: Number
    worst_regret: Number
    worst_service: str


class DemoAnswer(Answer):
    """`items` are those of `metrics`; the other answers are whole, each with its own warnings."""

    schema_name: Literal["shipcast/demo/1"] = Field("shipcast/demo/1", alias="schema")
    items: tuple[MetricItem, ...]
    home: str
    rows: Count
    metrics: MetricsAnswer
    idle: MetricsAnswer
    training: TrainAnswer
    windows: WindowsAnswer
    verification: Verification

"""What the answers about one time share: `explain` and `now` say it of starts that `windows` would price alike."""

from __future__ import annotations

from shipcast.answers.answer import Answer, Count, Instant, Number
from shipcast.answers.windows import Blocked, TrainedModel, Unit, Window


class AdviceAnswer(Answer):
    """What is said of starts of one change, and what it rests on.

    Parameters
    ----------
    unit
        Of the costs: requests affected, or minutes of disruption where the load is not known.
    business_zone
        The clock on which the service's week was read.
    n, failures, period_start, period_end
        The settled deployments of this service that the chance of failure rests on, and when they started.
    n_pooled
        Those of all services, from which it borrows.
    model
        The trained model that gave the chances of failure; null: none was trained on what was known by then.
    blocked
        Spans in which no start is allowed.
    """

    service: str
    environment: str
    duration_minutes: Number
    unit: Unit
    business_zone: str
    n: Count
    failures: Count
    n_pooled: Count
    model: TrainedModel | None
    period_start: Instant | None
    period_end: Instant | None
    items: tuple[Window, ...]
    blocked: tuple[Blocked, ...] = ()

"""What each delivery metric means, in words and as the query that counts it."""

from __future__ import annotations

from dataclasses import dataclass

from shipcast.answers.metric_figures import FAMILIES, METRICS
from shipcast.answers.metric_queries import HAS_PROXIES, Scope
from shipcast.answers.reading import Reader

DEFINITIONS = """
select metric, title, unit, definition, numerator, denominator, left_out, weakness
from metric_definitions
"""


@dataclass(frozen=True)
class Definition:
    """One metric; what does not apply to it is null.

    Parameters
    ----------
    numerator, denominator
        What is counted, and out of what.
    query
        The SQL over the published tables that it comes from, of everything in production; `$` names are parameters.
    """

    metric: str
    title: str
    unit: str
    definition: str
    numerator: str | None
    denominator: str | None
    left_out: str | None
    weakness: str | None
    query: str


def definitions(reader: Reader) -> tuple[Definition, ...]:
    """All metrics, in the order in which `metrics` gives them."""
    scope = Scope("production", None, None, None, has_proxies=bool(reader.rows(HAS_PROXIES)[0][0]))
    found = {row["metric"]: row for row in reader.records(DEFINITIONS)}
    return tuple(
        Definition(**found[name], query=FAMILIES[metric.family](scope).strip())
        for name, metric in METRICS.items()
        if name in found
    )

"""Why a planning problem is refused.

InputRefused (settings.errors)   4
└── ProblemRefused                  requests, capacities or reserves that contradict themselves
    └── CyclicDependency            requests that wait for each other, named in order
"""

from __future__ import annotations

from collections.abc import Sequence

from shipcast.settings.errors import InputRefused


class ProblemRefused(InputRefused):
    title = "The requests cannot be planned"


class CyclicDependency(ProblemRefused):
    """`cycle` names the requests, each depending on the next and the last on the first."""

    title = "Requests depend on each other in a circle"

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = tuple(cycle)
        circle = " -> ".join((*self.cycle, self.cycle[0]))
        super().__init__(f"{circle}: each depends on the next. Take one of these out of depends_on.")

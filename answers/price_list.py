"""What every start of many changes would cost, each service's models fitted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import polars as pl

from shipcast.answers.pricing import Forecaster, Models, Question, downtime, hours_begun, quarters
from shipcast.features.change import Change
from shipcast.features.clock import Instants, hours_of_week
from shipcast.models.load import LoadModel
from shipcast.models.odds import expit
from shipcast.models.posterior import Floats
from shipcast.scheduling.risk import OUTAGE_QUARTERS, Medians, of_hours, outages_of
from shipcast.scheduling.windows import SLOT

AT_ONCE = 64  # changes of one service, whose draws are held together


@dataclass(frozen=True)
class Priced:
    """Of one change, for every start: the expected chance of failure, and the expected cost.

    Parameters
    ----------
    has_load
        Whether the cost is in requests; else in minutes of disruption.
    """

    failure: Floats
    costs: Floats
    has_load: bool


def price_list(
    forecaster: Forecaster, questions: Sequence[Question], starts: Instants, *, is_in_minutes: bool = False
) -> list[Priced]:
    """The prices of consecutive quarter hours for each question, in their order.

    They are those of `priced`, which holds the draws of one change, to within rounding.

    Parameters
    ----------
    is_in_minutes
        Price minutes of disruption even where the load is known.
    """
    found: dict[int, Priced] = {}
    for zone in sorted({question.change.zone for question in questions}):
        places = [place for place, question in enumerate(questions) if question.change.zone == zone]
        found |= zip(
            places, of_zone(forecaster, [questions[place] for place in places], starts, is_in_minutes), strict=True
        )
    return [found[place] for place in range(len(questions))]


def of_zone(
    forecaster: Forecaster, questions: Sequence[Question], starts: Instants, is_in_minutes: bool
) -> list[Priced]:
    """The same of services that keep to one clock: the features of all their changes are made at once."""
    first, hour = hours_begun(starts, questions[0].change.zone)
    rows = forecaster.rows([question.change for question in questions], starts[first])
    of_change = list(rows.iter_slices(len(first)))
    found: dict[int, Priced] = {}
    for service in sorted({question.change.service for question in questions}):
        its = [place for place, question in enumerate(questions) if question.change.service == service]
        models = forecaster.models(questions[its[0]].change)
        models = replace(models, load=LoadModel(models.load.zone)) if is_in_minutes else models
        longest = max(questions[place].duration for place in its)
        impacts = Impacts(models, questions[its[0]].change, starts, longest)
        for begin in range(0, len(its), AT_ONCE):
            some = its[begin : begin + AT_ONCE]
            chances = expit(models.failure.draws(pl.concat([of_change[place] for place in some]), is_request=True))
            for place, chance in zip(some, np.split(chances, len(some), axis=1), strict=True):
                found[place] = priced_at(models, impacts, questions[place], starts, chance[:, hour])
    return [found[place] for place in range(len(questions))]


def priced_at(models: Models, impacts: Impacts, question: Question, starts: Instants, failure: Floats) -> Priced:
    """The prices of one change from draws of its chance of failure, one column a start."""
    costs = np.einsum("ds,ds->s", failure, impacts.of(question.duration)) / len(failure)
    down = downtime(models, question.duration, starts)
    if down is not None:
        costs = costs + down * impacts.error(question.duration).mean(axis=0)
    return Priced(failure.mean(axis=0), costs, models.load.is_known)


class Impacts:
    """What failures of one service would cost: draws for every start, of deployments of any length up to the longest.

    Outages of deployments whose lengths differ by quarter hours begin on the same grid, which is made once.
    """

    def __init__(self, models: Models, change: Change, starts: Instants, longest: timedelta) -> None:
        self.models, self.change, self.starts, self.longest = models, change, starts, longest
        self.kept: dict[timedelta, tuple[Floats, Floats]] = {}

    def of(self, duration: timedelta) -> Floats:
        """Requests, or minutes of disruption, that meet an outage after each start: one row a draw."""
        return self.grids(duration)[0]

    def error(self, duration: timedelta) -> Floats:
        """The true load over the predicted one."""
        return self.grids(duration)[1]

    def grids(self, duration: timedelta) -> tuple[Floats, Floats]:
        past_quarter = duration % SLOT
        if past_quarter not in self.kept:
            self.kept[past_quarter] = self.made(past_quarter)
        first = duration // SLOT
        impact, error = (grid[:, first : first + len(self.starts)] for grid in self.kept[past_quarter])
        return impact, error

    def made(self, past_quarter: timedelta) -> tuple[Floats, Floats]:
        count = len(self.starts) + self.longest // SLOT
        begin = quarters(self.starts[0] + np.timedelta64(past_quarter, "us"), count)
        restore, load = self.models.restore, self.models.load
        medians, hours = Medians.of(restore.week_draws(self.change)), hours_of_week(begin, self.change.zone)
        outages = outages_of(restore.spread_, medians.blocks)
        if not load.is_known:
            minutes = of_hours(outages.minutes(medians), hours)
            return minutes, np.ones_like(minutes)
        error = load.draws(begin)
        impact = outages.met(medians, hours, load.predict(quarters(begin[0], count + OUTAGE_QUARTERS)))
        impact *= error
        return impact, error

"""The prices of many changes are those of each alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from test_windows import AS_OF, by_strategy, company

from shipcast.answers.price_list import price_list
from shipcast.answers.pricing import Forecaster, Question, known_change, priced
from shipcast.answers.reading import open_reader
from shipcast.features.history import History
from shipcast.scheduling.windows import week_starts

ASKED = (("web", 30, 5), ("pay", 20, None), ("new", 45, 900), ("pay", 50, 12), ("pay", 75, 3000), ("web", 1, None))


@pytest.mark.parametrize(("name", "tables"), [("company", company), ("company_down", lambda: by_strategy("recreate"))])
def test_each_of_many_changes_costs_what_it_costs_alone(built_once, name, tables):
    home = built_once(name, tables())
    with open_reader(home, AS_OF) as reader:
        history = History(reader.connection, reader.at, "production", "UTC")
        starts = week_starts(reader.at)
        asked = [
            Question(known_change(history, name, lines, None, None), "production", timedelta(minutes=minutes),
                     reader.at, reader.at + timedelta(days=7), 1)
            for name, minutes, lines in ASKED
        ]  # fmt: skip
        found, apart = price_list(Forecaster(history, home), asked, starts), Forecaster(history, home)
        for question, one in zip(asked, found, strict=True):
            alone = priced(reader.at, apart.models(question.change), question, starts)
            assert one.costs == pytest.approx(alone.risk.costs.mean(axis=0)[: len(starts)], rel=1e-9)
            assert one.failure == pytest.approx(alone.risk.failure.mean(axis=0)[: len(starts)], rel=1e-9)
            assert one.has_load == (question.change.service == "pay")
        other = price_list(apart, [replace(asked[1], duration=timedelta(hours=9))], starts)
        assert other[0].costs != pytest.approx(found[1].costs, rel=1e-3)


def test_of_no_changes_there_are_no_prices(built_once):
    with open_reader(built_once("empty", {}), AS_OF) as reader:
        history = History(reader.connection, reader.at, "production", "UTC")
        assert price_list(Forecaster(history, reader.settings), [], week_starts(reader.at)) == []

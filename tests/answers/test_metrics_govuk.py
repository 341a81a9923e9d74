"""The delivery metrics of a year of real deployments, against the oracle on the same files."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from oracle import Oracle

from shipcast.answers.metrics import metrics
from shipcast.answers.reading import open_reader

NOW = datetime(2026, 3, 1, tzinfo=UTC)
YEAR = {"period_from": date(2025, 1, 1), "period_to": date(2026, 1, 1)}
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def tables(govuk_folder):
    names = ("deployments", "incidents", "changes")
    return {name: pl.read_parquet(govuk_folder / f"{name}.parquet").to_dicts() for name in names}


@pytest.fixture(scope="module")
def oracle(tables):
    return Oracle(tables, NOW)


@pytest.fixture(scope="module")
def reader(govuk):
    with open_reader(govuk, NOW) as reader:
        yield reader


def assert_agree(items, expected):
    for one in items:
        for field, value in expected.get(one.metric, {}).items():
            found = getattr(one, field)
            assert found == (value if value is None else pytest.approx(value, rel=1e-5)), (one, field, value)


@pytest.mark.parametrize("environment", ["production", "staging", "integration"])
def test_the_year_agrees_in_every_environment(reader, oracle, environment):
    items = metrics(reader, environment=environment, **YEAR).items

    assert_agree(items, oracle.metrics(START, END, environment))

    by_metric = {one.metric: one for one in items}
    idle = oracle.idle(START, END, environment)

    assert by_metric["environment_idle"].value == pytest.approx(idle["share"])


def test_every_service_agrees(reader, oracle):
    items = metrics(reader, by="service", **YEAR).items

    assert len({one.service for one in items}) > 60
    for service in sorted({one.service for one in items}):
        assert_agree([one for one in items if one.service == service], oracle.metrics(START, END, services={service}))


def test_every_week_agrees(reader, oracle):
    items = metrics(reader, by="week", **YEAR).items
    weeks = {one.week: (one.period_start, one.period_end) for one in items}

    assert len(weeks) == 53
    for week in list(weeks)[::4]:
        assert_agree([one for one in items if one.week == week], oracle.metrics(*weeks[week]))


@pytest.mark.parametrize("as_of", [datetime(2025, 3, 14, 9, 26, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)])
def test_the_past_agrees_with_the_data_cut_then(govuk, tables, as_of):
    start = datetime(2023, 9, 1, tzinfo=UTC)

    with open_reader(govuk, as_of) as reader:
        items = metrics(reader, period_from=start, period_to=as_of).items

    assert_agree(items, Oracle(tables, as_of).metrics(start, as_of))

"""Laws of the delivery metrics, and their agreement with the oracle, on a crowded world drawn at random once."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Oracle, known

from shipcast.answers.metrics import METRICS, metrics
from shipcast.answers.reading import Reader, open_reader

START = datetime(2024, 11, 1, tzinfo=UTC)
DAYS = 80
LATER = START + timedelta(days=2 * DAYS)
SERVICES = ("api", "web", "jobs", "mail")
TEAMS = {"api": "core", "web": "core", "jobs": "edge", "mail": None}
ENVIRONMENTS = {"production": "production", "prod-eu": "production", "live": "staging", "test": None}
SCOPES = ("production", "prod-eu", "live", "test")
RATES = ("change_failure_rate", "rework_rate", "rollback_rate", "success_rate")
COUNTS = ("deployments", "incidents_unattributed")


STATUSES = (*["succeeded"] * 8, "failed", "failed", "rolled_back", "cancelled", "running")


class Draw:
    """Rows at random, crowded enough that everything that can coincide does: five minutes are the finest step."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.pick = self.random.choice

    def at(self):
        return START + timedelta(minutes=5 * self.random.randint(0, DAYS * 288))

    def after(self, instant, minutes):
        return instant + timedelta(minutes=self.pick((0, 5, 10, 30, minutes, 50 * minutes)))

    def deployment(self, number):
        started, status = self.at(), self.pick(STATUSES)
        return {
            "deployment_id": f"d{number}",
            "service": self.pick(SERVICES),
            "environment": self.pick(("production", "production", "prod-eu", "live", "test")),
            "started_at": started,
            "finished_at": None if status == "running" else self.pick((None, *[self.after(started, 20)] * 2)),
            "status": status,
            "commit_sha": f"s{self.random.randint(0, 250)}",
            "change_type": self.pick((None, "normal", "standard", "emergency")),
            "rollback_of": self.pick((*[None] * 6, f"d{self.random.randint(0, 420)}")),
        }

    def incident(self, number, deployments):
        nowhere = {
            "deployment_id": self.pick((None, "unheard")),
            "service": self.pick(SERVICES),
            "started_at": self.at(),
        }
        named = self.pick((*deployments, *[nowhere] * 200))
        started = self.after(named["started_at"], 60)
        return {
            "incident_id": f"i{number}",
            "service": named["service"],
            "environment": self.pick((None, None, "production", "prod-eu", "live", "test")),
            "started_at": started,
            "resolved_at": self.pick((None, *[self.after(started, 90)] * 6)),
            "deployment_id": named["deployment_id"],
        }

    def change(self, number):
        authored = self.at()
        links = self.pick(
            ([None], [None], [f"d{self.random.randint(0, 420)}"], ["d1", f"d{self.random.randint(2, 399)}"])
        )
        change = {
            "change_id": f"c{number}",
            "service": self.pick(SERVICES),
            "commit_sha": f"s{self.random.randint(0, 300)}",
            "authored_at": authored,
            "merged_at": self.pick((None, self.after(authored, 60))),
        }
        return [{**change, "deployment_id": link} for link in links]

    def session(self, number):
        started = START + timedelta(minutes=5 * (number * 380 + self.random.randint(0, 300)))
        return {
            "environment": self.pick(("live", "test")),
            "started_at": started,
            "ended_at": self.pick((None, *[self.after(started, 300)] * 9)),
            "used_by": "ann",
        }


def drawn_tables(seed):
    """Some 400 deployments, and what goes with them."""
    draw = Draw(seed)
    deployments = [draw.deployment(number) for number in range(400)]
    # One of each is there from the start, so that cutting the data loses no name.
    for row, service, environment in zip(deployments, SERVICES, SCOPES, strict=False):
        row |= {"service": service, "environment": environment, "started_at": START, "finished_at": None}
    return {
        "services": [{"service": service, "team": team} for service, team in TEAMS.items()],
        "environments": [
            {"environment": name, "kind": kind, "cost_per_hour": 2.5 if kind else None}
            for name, kind in ENVIRONMENTS.items()
        ],
        "deployments": deployments,
        "incidents": [draw.incident(number, deployments) for number in range(120)],
        "changes": [row for number in range(300) for row in draw.change(number)],
        "environment_usage": [draw.session(number) for number in range(60)],
    }


TABLES = drawn_tables(seed=20250101)


@pytest.fixture(scope="module")
def reader(built):
    with open_reader(built(TABLES), LATER) as reader:
        yield reader


@pytest.fixture(scope="module")
def at(reader):
    """The same snapshot, asked at another time."""
    return lambda as_of: Reader(reader.connection, reader.settings, as_of)


instants = st.builds(lambda minutes: START + timedelta(minutes=5 * minutes), st.integers(1, 288 * (DAYS + 20)))
periods = st.tuples(instants, instants).map(sorted).filter(lambda pair: pair[0] < pair[1])
thorough = settings(max_examples=examples(15), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def by_metric(answer):
    return {one.metric: one for one in answer.items}


def assert_agrees(item, expected):
    for field, value in expected.items():
        found = getattr(item, field)
        assert found == (value if value is None else pytest.approx(value, rel=1e-5)), (item.metric, field)


def apart_from_attribution(warnings):
    """What a window would attribute is known of every open incident, but only at the end of the data."""
    return [line for line in warnings if "unattributed" not in line]


@thorough
@given(period=periods, as_of=instants, environment=st.sampled_from(SCOPES), service=st.sampled_from((None, *SERVICES)))
def test_every_metric_agrees_with_the_oracle_at_any_time(at, period, as_of, environment, service):
    start, end = period
    if start >= as_of:
        start = as_of - timedelta(days=1)
    oracle = Oracle(TABLES, as_of)
    expected = oracle.metrics(start, end, environment, service and {service})
    items = by_metric(metrics(at(as_of), environment=environment, service=service, period_from=start, period_to=end))

    for name, numbers in expected.items():
        assert_agrees(items[name], numbers)


@thorough
@given(period=periods, as_of=instants, environment=st.sampled_from(("prod-eu", "live", "test")))
def test_idle_time_agrees_with_the_oracle_at_any_time(at, period, as_of, environment):
    start, end = period
    if start >= as_of:
        start = as_of - timedelta(days=1)
    expected = Oracle(TABLES, as_of).idle(start, end, environment)
    items = by_metric(metrics(at(as_of), environment=environment, period_from=start, period_to=end))

    assert items["environment_idle"].value == pytest.approx(expected["share"], abs=1e-12)
    assert items["environment_idle_hours"].value == pytest.approx(expected["hours"], abs=1e-9)
    assert items["environment_idle_hours"].cost == (expected["cost"] and pytest.approx(expected["cost"]))


@thorough
@given(period=periods, as_of=instants, key=st.sampled_from(("service", "team", "week")))
def test_the_parts_add_up_to_the_whole(at, period, as_of, key):
    start, end = period
    whole = by_metric(metrics(at(as_of), period_from=start, period_to=end))
    parts = metrics(at(as_of), by=key, period_from=start, period_to=end).items

    for name in (*COUNTS, *RATES, "lead_time", "failed_deployment_recovery"):
        for field in ("n", "numerator", "excluded", "censored"):
            found = [getattr(one, field) or 0 for one in parts if one.metric == name]
            assert sum(found) == (getattr(whole[name], field) or 0), (name, field)


@thorough
@given(period=periods, as_of=instants)
def test_weeks_of_idle_hours_add_up(at, period, as_of):
    start, end = period
    asked = {"metric": "environment_idle_hours", "environment": "test", "period_from": start, "period_to": end}
    (whole,) = metrics(at(as_of), **asked).items
    weeks = metrics(at(as_of), by="week", **asked).items

    assert sum(one.value for one in weeks) == pytest.approx(whole.value, abs=1e-6)


@thorough
@given(period=periods, as_of=instants, by=st.sampled_from((None, "service", "environment", "team", "week")))
def test_values_lie_within_their_intervals_and_shares_within_0_to_1(at, period, as_of, by):
    items = metrics(at(as_of), by=by, period_from=period[0], period_to=period[1]).items

    for one in items:
        if one.unit == "share" and one.value is not None:
            assert 0 <= one.value <= 1
        if one.low is not None:
            assert one.low <= one.value <= one.high


@thorough
@given(period=periods, as_of=instants, by=st.sampled_from((None, "service", "week")))
def test_success_is_what_failure_leaves(at, period, as_of, by):
    items = metrics(at(as_of), by=by, period_from=period[0], period_to=period[1]).items
    failures = [one for one in items if one.metric == "change_failure_rate"]
    successes = [one for one in items if one.metric == "success_rate"]

    for failure, success in zip(failures, successes, strict=True):
        assert (failure.value is None) == (success.value is None)
        assert failure.value is None or failure.value + success.value == pytest.approx(1)
        assert failure.numerator + success.numerator == failure.n


@pytest.mark.parametrize("days", [31.4])
def test_data_cut_at_the_question_gives_the_same_answer(built, at, days):
    as_of = START + timedelta(days=days)

    with open_reader(built(known(TABLES, as_of)), as_of) as cut:
        keys = ("service", "environment", "team", "week")
        for asked in ({}, {"environment": "test"}, *({"by": key} for key in keys)):
            expected, found = metrics(cut, **asked), metrics(at(as_of), **asked)

            assert found.items == expected.items
            assert found.data_as_of == expected.data_as_of
            assert apart_from_attribution(found.warnings) == apart_from_attribution(expected.warnings)


WEEKLY = {
    "deployments": ("value", "deployments"),
    "deployment_frequency": ("n", "landed"),
    "change_failure_rate": ("value", "change_failure_rate"),
    "success_rate": ("value", "success_rate"),
    "rollback_rate": ("numerator", "rolled_back"),
    "rework_rate": ("numerator", "rework"),
    "lead_time": ("value", "lead_time_hours"),
    "failed_deployment_recovery": ("value", "recovery_hours"),
}


@pytest.mark.parametrize("environment", ["prod-eu", "live", "test"])
@pytest.mark.parametrize("service", SERVICES)
def test_the_weekly_mart_says_the_same(reader, environment, service):
    query = "from fct_dora_weekly where service = $service and environment = $environment"
    mart = {row["week_at"]: row for row in reader.records(query, service=service, environment=environment)}
    items = metrics(reader, service=service, environment=environment, by="week").items

    assert len(mart) > 5
    for one in items:
        field, column = WEEKLY.get(one.metric, (None, None))
        row = mart.get(one.period_start.replace(tzinfo=None) - timedelta(days=one.period_start.weekday()))
        if field and row:
            value = row[column]
            assert getattr(one, field) == (value if value is None else pytest.approx(value)), one


def test_every_metric_is_in_the_answer_and_in_the_definitions(reader):
    answer = metrics(reader)

    assert [one.metric for one in answer.items] == list(METRICS)
    assert all(one.how.definition for one in answer.items)

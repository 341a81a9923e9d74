"""What may be asked of the metrics, what is filled in where nothing is said, and what is refused."""

from datetime import UTC, date, datetime, timedelta

import pytest
from jsonschema import Draft202012Validator

from shipcast.answers.answer import json_schema
from shipcast.answers.errors import UnknownName
from shipcast.answers.metrics import METRICS, MetricsAnswer, metrics, said
from shipcast.answers.reading import open_reader
from shipcast.settings.errors import UsageError

NOW = datetime(2025, 2, 1, tzinfo=UTC)


def deployment(number, service, environment, started_at, status="succeeded"):
    return {
        "deployment_id": f"d{number}",
        "service": service,
        "environment": environment,
        "started_at": started_at,
        "status": status,
    }


TABLES = {
    "services": [{"service": "checkout", "team": "money"}, {"service": "search", "team": None}],
    "deployments": [
        deployment(1, "checkout", "staging", "2025-01-02T10:00:00Z"),
        deployment(2, "checkout", "production", "2025-01-05T23:30:00Z"),
        deployment(3, "search", "production", "2025-01-06T10:00:00Z", "failed"),
        deployment(4, "search", "production", "2025-01-08T22:15:00Z"),
    ],
}


@pytest.fixture(scope="module")
def home(built):
    return built(TABLES)


@pytest.fixture(scope="module")
def empty_home(built_once):
    return built_once("empty", {})


@pytest.fixture(scope="module")
def reader(home):
    with open_reader(home, NOW) as reader:
        yield reader


def first(answer):
    return answer.items[0]


def test_the_period_runs_by_default_from_the_first_deployments_day_to_the_end_of_the_newest_records(reader):
    one = first(metrics(reader))

    assert one.period_start == datetime(2025, 1, 5, tzinfo=UTC)  # production's first; staging's was on the 2nd
    assert one.period_end == datetime(2025, 1, 9, tzinfo=UTC)
    assert first(metrics(reader, environment="staging")).period_start == datetime(2025, 1, 2, tzinfo=UTC)


def test_default_days_are_those_of_the_reporting_zone(home):
    with open_reader(home.model_copy(update={"tz": "Europe/Berlin"}), NOW) as reader:
        one = first(metrics(reader))

    assert one.period_start == datetime(2025, 1, 5, 23, tzinfo=UTC)  # 23:30 UTC is 6 January in Berlin
    assert one.period_end == datetime(2025, 1, 8, 23, tzinfo=UTC)


def test_the_default_period_ends_with_the_question(home):
    with open_reader(home, datetime(2025, 1, 8, 23, tzinfo=UTC)) as reader:
        assert first(metrics(reader)).period_end == datetime(2025, 1, 8, 23, tzinfo=UTC)


def test_a_date_is_its_midnight_in_the_reporting_zone_and_the_end_is_excluded(home):
    with open_reader(home.model_copy(update={"tz": "Europe/Berlin"}), NOW) as reader:
        one = first(metrics(reader, period_from=date(2025, 1, 5), period_to=date(2025, 1, 6)))

    assert (one.period_start, one.period_end) == (
        datetime(2025, 1, 4, 23, tzinfo=UTC),
        datetime(2025, 1, 5, 23, tzinfo=UTC),
    )
    assert one.value == 0


def test_days_after_the_question_are_not_counted_and_the_answer_says_so(reader):
    answer = metrics(reader, metric="deployment_frequency", period_from=date(2025, 1, 2), period_to=date(2025, 3, 3))

    assert first(answer).value == pytest.approx(2 / 30)
    assert first(answer).period_end == datetime(2025, 3, 3, tzinfo=UTC)
    assert any("The period ends after 2025-02-01 00:00 UTC" in line for line in answer.warnings)


@pytest.mark.parametrize(
    ("start", "end"),
    [(date(2025, 1, 5), date(2025, 1, 5)), (date(2025, 1, 6), date(2025, 1, 5)), (date(2025, 3, 1), None)],
)
def test_an_empty_period_is_no_question(reader, start, end):
    with pytest.raises(UsageError, match="The period is empty"):
        metrics(reader, period_from=start, period_to=end)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"service": "chekout"}, "No service is called 'chekout'. Did you mean checkout?"),
        ({"team": "mony"}, "No team is called 'mony'. Did you mean money?"),
        ({"environment": "Stagin"}, "No environment is called 'Stagin'. Did you mean staging?"),
        ({"metric": "lead_tim"}, "No metric is called 'lead_tim'. Did you mean lead_time?"),
        ({"service": "xyzzy"}, "No service is called 'xyzzy'. Known: checkout, search."),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(reader, asked, hint):
    with pytest.raises(UnknownName) as refusal:
        metrics(reader, **asked)

    assert str(refusal.value).startswith(hint)
    assert refusal.value.exit_code == 2


def test_an_unknown_key_is_refused(reader):
    with pytest.raises(UsageError, match="service, environment, team, week"):
        metrics(reader, by="month")


def test_idle_time_by_service_is_refused_with_the_question_that_works(reader):
    with pytest.raises(UsageError, match="--metric environment_idle --by environment"):
        metrics(reader, metric="environment_idle", by="service")


def test_what_was_not_known_by_then_does_not_exist(home):
    with open_reader(home, datetime(2025, 1, 3, tzinfo=UTC)) as reader:
        answer = metrics(reader)

    assert answer.data_as_of == datetime(2025, 1, 2, 10, tzinfo=UTC)
    assert first(answer).value == 0


def test_without_by_there_is_one_item_per_metric_over_all_of_production(reader):
    items = metrics(reader).items

    assert [one.metric for one in items] == list(METRICS)
    assert {(one.service, one.environment, one.team, one.week, one.pooled) for one in items} == {
        (None, "production", None, None, True)
    }


def test_an_item_says_what_was_asked(reader):
    one = first(metrics(reader, service="checkout", environment="staging"))

    assert (one.service, one.environment, one.pooled, one.value) == ("checkout", "staging", False, 1)


def test_services_without_a_team_are_an_item_of_their_own(reader):
    items = metrics(reader, metric="deployments", by="team").items

    assert {one.team: one.value for one in items} == {"money": 1, None: 2}


def test_by_environment_covers_all_of_them_unless_one_is_asked_for(reader):
    everywhere = metrics(reader, metric="deployments", by="environment").items
    production = metrics(reader, metric="deployments", by="environment", environment="production").items

    assert {one.environment: one.value for one in everywhere} == {"production": 3, "staging": 1}
    assert {one.environment: one.value for one in production} == {"production": 3}


def test_weeks_without_deployments_appear(reader):
    items = metrics(reader, by="week", period_from=date(2024, 12, 30), period_to=date(2025, 1, 20)).items
    by_name = {(one.week, one.metric): one.value for one in items}

    assert [by_name[week, "deployments"] for week in ("2025-W01", "2025-W02", "2025-W03")] == [1, 2, 0]
    assert by_name["2025-W03", "change_failure_rate"] is None
    assert by_name["2025-W03", "deployment_frequency"] == 0


def test_stale_data_and_changed_settings_are_warned_of(home):
    changed = home.model_copy(update={"settle_days": 7.0, "production_environments": ("prod", "live", "production")})
    with open_reader(changed, NOW) as reader:
        warnings = metrics(reader).warnings

    assert "The data is 23 days old: the newest record is of 2025-01-08T22:15:00Z." in warnings
    assert [line for line in warnings if "settle_days = 14; run `shipcast build`" in line]
    assert not any("production_environments =" in line for line in warnings)


def test_fresh_data_is_not_called_stale(home):
    with open_reader(home, datetime(2025, 1, 15, tzinfo=UTC)) as reader:
        assert not any("old" in line for line in reader.warnings())


def test_outcomes_that_may_change_are_counted_in_a_warning(home):
    with open_reader(home, datetime(2025, 1, 20, tzinfo=UTC)) as reader:
        warnings = metrics(reader).warnings

    assert "1 of 3 deployments ended less than 14 days before: their outcome may still change." in warnings


@pytest.mark.parametrize("by", [None, "service", "environment", "team", "week"])
def test_an_empty_home_answers_with_zeros_and_nulls_and_says_so(empty_home, by):
    with open_reader(empty_home, NOW) as reader:
        answer = metrics(reader, by=by)

    assert answer.data_as_of is None
    assert {one.value for one in answer.items} <= {0, None}
    assert any("Nothing was known at 2025-02-01T00:00:00Z" in line for line in answer.warnings)


def test_an_empty_home_knows_no_name_and_refuses_none(empty_home):
    with open_reader(empty_home, NOW) as reader:
        items = metrics(reader, service="checkout", period_from=date(2025, 1, 1), period_to=date(2025, 2, 1)).items

    assert {one.metric: one.value for one in items}["deployments"] == 0


@pytest.mark.parametrize(
    "asked", [{}, {"by": "service"}, {"by": "week"}, {"by": "environment"}, {"metric": "lead_time"}]
)
def test_answers_fit_the_schema_that_ships(reader, asked):
    schema = Draft202012Validator(json_schema(MetricsAnswer), format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert list(schema.iter_errors(metrics(reader, **asked).as_dict())) == []


def test_the_sentence_says_how_many_when_and_how_well(reader):
    assert metrics(reader).sentence == (
        "3 deployments completed in production from 5 Jan 2025 to 8 Jan 2025: 33 % (6.1 % to 79 %) failed."
    )


def test_a_value_reads_in_its_unit(reader):
    items = {one.metric: one for one in metrics(reader).items}

    assert said(items["change_failure_rate"], items["change_failure_rate"].value) == "33 %"
    assert said(items["deployments"], items["deployments"].value) == "3"
    assert said(items["lead_time"], items["lead_time"].value) == "not enough data"


def test_asking_takes_nothing_from_a_week_that_lies_ahead(home):
    ahead = NOW + timedelta(days=14)
    with open_reader(home, NOW) as reader:
        items = metrics(reader, by="week", period_from=NOW - timedelta(days=1), period_to=ahead).items

    assert {one.value for one in items if one.metric == "deployment_frequency"} == {0}
    assert {one.value for one in items if one.metric == "environment_idle"} == {1.0, None}


LOST = {"incident_id": "i1", "service": "checkout", "started_at": "2025-01-06T00:00:00Z"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["prod"], {"prod": 1}),  # the one that counts as production
        (["prod", "live"], {"prod": 0, "live": 0, None: 1}),  # nobody knows in which of the two
        (["prod", "production"], {"prod": 0, "production": 1}),
    ],
)
def test_an_incident_that_names_no_place_makes_no_environment_up(built, names, expected):
    deployments = [deployment(n, "checkout", name, "2025-01-05T00:00:00Z") for n, name in enumerate(names)]
    with open_reader(built({"deployments": deployments, "incidents": [LOST]}), NOW) as reader:
        items = metrics(reader, by="environment").items
        pooled = metrics(reader, metric="incidents_unattributed").items

    unattributed = {item.environment: item.value for item in items if item.metric == "incidents_unattributed"}
    assert unattributed == expected
    assert [item.metric for item in items if item.environment is None] == (
        ["incidents_unattributed"] if None in expected else []
    )
    assert [item.value for item in pooled] == [1]


def test_what_is_open_is_not_called_left_out(built):
    late = {**deployment(9, "checkout", "production", "2025-01-31T00:00:00Z"), "commit_sha": "abc"}
    change = {"change_id": "c1", "service": "checkout", "commit_sha": "zzz", "authored_at": "2025-01-31T00:00:00Z"}
    with open_reader(built({"deployments": [*TABLES["deployments"], late], "changes": [change]}), NOW) as reader:
        found = {item.metric: item for item in metrics(reader).items}

    for item in found.values():
        if item.metric != "incidents_unattributed":
            assert sum(part.rows for part in item.how.left_out) == (item.excluded or 0)
            assert sum(part.rows for part in item.how.still_open) == (item.censored or 0)
    assert [(part.reason, part.rows) for part in found["lead_time"].how.still_open] == [("not deployed yet", 1)]


def test_rows_that_were_refused_are_said_to_be_missing(built):
    bad = deployment(9, "checkout", "production", "2025-01-31T00:00:00Z", "splendid")
    with open_reader(built({"deployments": [*TABLES["deployments"], bad]}), datetime(2025, 1, 7, tzinfo=UTC)) as reader:
        answer = metrics(reader)

    said = (
        "The data loaded lacks refused rows: 1 of deployments (20 % of those read). "
        "See them with `shipcast quarantine list`."
    )
    assert said in answer.warnings


def test_of_refused_rows_that_are_more_than_a_tenth_of_those_read_the_share_is_said(built):
    good = [deployment(n, "checkout", "production", "2025-01-05T00:00:00Z", "succeeded") for n in range(9)]
    bad = [deployment(n, "checkout", "production", "2025-01-05T00:00:00Z", "splendid") for n in range(10, 12)]
    said = {}
    for count in (1, 2):
        with open_reader(built({"deployments": [*good, *bad[:count]]}), datetime(2025, 1, 7, tzinfo=UTC)) as reader:
            [said[count]] = [one for one in reader.warnings() if "refused rows" in one]

    assert "rows: 1 of deployments. See" in said[1]
    assert "rows: 2 of deployments (18 % of those read). See" in said[2]

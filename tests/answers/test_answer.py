"""The envelope: times in UTC with a Z, nothing that is not a number, schemas that are current."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shipcast.answers.answer import SCHEMAS, answer_types, json_schema, rfc3339, write_schemas
from shipcast.answers.metrics import How, MetricItem, MetricsAnswer

NOON = datetime(2025, 7, 1, 14, tzinfo=timezone(timedelta(hours=2)))


def item(**changes):
    given = {
        "metric": "lead_time",
        "service": "pay",
        "environment": "production",
        "team": None,
        "week": "2025-W27",
        "period_start": NOON,
        "period_end": NOON,
        "value": 1.5,
        "unit": "hours",
        "n": 7,
        "numerator": None,
        "low": None,
        "high": None,
        "excluded": 0,
        "censored": 2,
        "pooled": False,
        "km_median": None,
        "cost": None,
        "proxy": 0,
        "how": How(definition="How long.", rows_in=7),
    }
    return MetricItem(**{**given, **changes})


def answer(*items):
    return MetricsAnswer(generated_at=NOON, as_of=NOON, data_as_of=None, items=items)


def test_times_are_written_in_utc():
    written = answer(item()).as_dict()

    assert written["schema"] == "shipcast/metrics/1"
    assert written["as_of"] == "2025-07-01T12:00:00Z"
    assert written["data_as_of"] is None
    assert written["items"][0]["period_start"] == "2025-07-01T12:00:00Z"
    assert rfc3339(datetime(2025, 1, 1, 0, 0, 0, 1500, UTC)) == "2025-01-01T00:00:00.001500Z"


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValidationError, match="needs its zone"):
        answer(item(period_start=datetime(2025, 7, 1)))  # noqa: DTZ001


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_nan_or_infinite(value):
    with pytest.raises(ValidationError):
        item(value=value)


def test_counts_stay_whole_numbers():
    assert '"value": 3,' in answer(item(value=3)).as_json()


def test_an_answer_cannot_be_changed():
    with pytest.raises(ValidationError):
        answer().sentence = "Otherwise."


def test_an_answer_fits_its_schema_and_another_does_not():
    schema = Draft202012Validator(json_schema(MetricsAnswer), format_checker=Draft202012Validator.FORMAT_CHECKER)
    written = answer(item()).as_dict()

    assert list(schema.iter_errors(written)) == []
    assert list(schema.iter_errors({**written, "as_of": "2025-07-01T12:00:00+02:00"}))
    assert list(schema.iter_errors({key: value for key, value in written.items() if key != "warnings"}))


def test_the_schemas_that_ship_are_those_of_the_answers(tmp_path):
    fresh = {path.name: json.loads(path.read_text()) for path in write_schemas(tmp_path)}

    assert {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")} == fresh
    assert set(fresh) == {f"{verb}.json" for verb in answer_types()}
    for schema in fresh.values():
        Draft202012Validator.check_schema(schema)


def test_a_schema_nobody_answers_with_is_removed(tmp_path):
    (tmp_path / "gone.json").write_text("{}")

    write_schemas(tmp_path)

    assert not (tmp_path / "gone.json").exists()

"""`backtest`: the contract's fields, a forecast for every deployment of the period, and nothing known later in it."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from sklearn.linear_model import LogisticRegression

from shipcast.__main__ import run
from shipcast.answers.answer import json_schema
from shipcast.answers.backtest import BacktestAnswer, Summary, backtest, sentence
from shipcast.answers.errors import UnknownName
from shipcast.answers.reading import open_reader
from shipcast.settings.errors import UsageError

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 7, 1, tzinfo=UTC)
MARCH, JUNE = date(2025, 3, 1), date(2025, 6, 1)
HOUR = timedelta(hours=1)


def history(chance, count=720):
    """Six deployments a day of two services, from New Year to May; some fail at once, some by a later incident."""
    rng = np.random.default_rng(6)
    deployments, incidents = [], []
    for number in range(count):
        start, lines = NEW_YEAR + number * 4 * HOUR, int(rng.integers(1, 1000))
        failed, later = rng.random() < chance(lines), number % 2 == 0
        deployments.append(
            {
                "deployment_id": f"d{number:04}",
                "service": ("pay", "web")[number % 3 == 0],
                "environment": "production",
                "started_at": start.isoformat(),
                "finished_at": (start + HOUR / 6).isoformat(),
                "status": "failed" if failed and not later else "succeeded",
                "lines_changed": lines,
            }
        )
        if failed and later:
            begins = start + 30 * HOUR
            ended = {"started_at": begins.isoformat(), "resolved_at": (begins + HOUR).isoformat()}
            incidents.append({"incident_id": f"i{number}", "service": deployments[-1]["service"],
                              "deployment_id": f"d{number:04}", **ended})  # fmt: skip
    return {"deployments": deployments, "incidents": incidents}


def by_size(lines):
    return lines / 2500


COMPANY = history(by_size)


@pytest.fixture(scope="module")
def home(built):
    return built(COMPANY)


@pytest.fixture(scope="module")
def reader(home):
    with open_reader(home, AS_OF) as opened:
        yield opened


@pytest.fixture(scope="module")
def answer(reader):
    return backtest(reader, period_from=MARCH, period_to=JUNE)


def asked(built, tables, as_of=AS_OF, **question):
    with open_reader(built(tables), as_of) as reader:
        return backtest(reader, **question)


def test_it_has_an_item_per_deployment_of_the_period(answer):
    started = [row for row in COMPANY["deployments"] if row["started_at"] >= "2025-03-01"]

    assert [item.deployment_id for item in answer.items] == [row["deployment_id"] for row in started]
    assert answer.as_dict()["items"][0].keys() == {
        "deployment_id", "started_at", "service", "environment", "failure_probability", "failure_low", "failure_high",
        "failed", "model_cutoff",
    }  # fmt: skip
    assert {item.environment for item in answer.items} == {"production"}
    assert all(item.failure_low <= item.failure_probability <= item.failure_high for item in answer.items)
    assert all(item.model_cutoff <= item.started_at < item.model_cutoff + 28 * 24 * HOUR for item in answer.items)


def test_it_fits_its_schema(answer):
    schema = Draft202012Validator(json_schema(BacktestAnswer), format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert list(schema.iter_errors(answer.as_dict())) == []


def test_what_made_deployments_fail_is_found_and_said(answer):
    found = answer.summary

    assert answer.sentence.startswith("Forecasts from 1 Mar 2025 to 31 May 2025 were ")
    assert " better than the base rate (" in answer.sentence
    assert (found.n, found.failures) == (len(answer.items), sum(item.failed for item in answer.items))
    assert found.skill == pytest.approx(1 - found.log_loss / found.log_loss_base)
    assert found.skill > 0.02
    assert found.auc > 0.65
    assert found.calibration_slope_low < found.calibration_slope < found.calibration_slope_high
    assert sum(group.n for group in found.reliability) == found.n


def test_each_cut_off_says_what_it_learned_from(answer):
    first = answer.cutoffs[0]
    until = (NEW_YEAR + timedelta(days=59 - 14)).isoformat()

    assert [cutoff.model_cutoff.date().isoformat() for cutoff in answer.cutoffs] == [
        "2025-03-01", "2025-03-29", "2025-04-26",
    ]  # fmt: skip
    assert first.n == sum(row["finished_at"] <= until for row in COMPANY["deployments"])
    assert sum(cutoff.forecasts for cutoff in answer.cutoffs) == len(answer.items)


def test_nothing_known_later_moves_a_forecast(built, answer):
    """Every deployment of which something became known after the cut loses it; later ones are other ones."""
    cut = "2025-04-10"
    later = [
        {**row, "lines_changed": 5, "status": "failed" if row["status"] == "succeeded" else "succeeded"}
        if row["started_at"] >= cut else row for row in COMPANY["deployments"]
    ]  # fmt: skip
    incidents = [row for row in COMPANY["incidents"] if row["started_at"] < cut]
    changed = asked(built, {"deployments": later, "incidents": incidents}, period_from=MARCH, period_to=JUNE)
    before, after = (
        [(item.deployment_id, item.failure_probability, item.failure_low, item.failure_high) for item in one.items]
        for one in (answer, changed)
    )
    count = sum(item.started_at.isoformat() < cut for item in answer.items)

    assert count > 200
    assert [row[0] for row in before] == [row[0] for row in after]
    assert np.allclose([row[1:] for row in before[:count]], [row[1:] for row in after[:count]], rtol=1e-9)
    assert not np.allclose([row[1:] for row in before[count:]], [row[1:] for row in after[count:]], rtol=0.01)


def test_a_question_as_of_earlier_has_the_same_forecasts_and_fewer_outcomes(home, answer):
    with open_reader(home, NEW_YEAR + timedelta(days=100, minutes=5)) as earlier:
        found = backtest(earlier, period_from=MARCH, period_to=JUNE)
    same = answer.items[: len(found.items)]

    assert [item.failure_probability for item in found.items] == pytest.approx([i.failure_probability for i in same])
    assert found.items[-1].started_at + HOUR / 6 <= found.as_of
    assert found.period_end == found.as_of
    assert {item.failed for item in found.items[-60:]} == {True, None}
    assert found.summary.n == sum(item.started_at + HOUR / 6 <= found.as_of - 14 * 24 * HOUR for item in found.items)
    assert any("judged up to there" in warning for warning in found.warnings)
    assert any("ended less than 14 days before and are not judged yet" in warning for warning in found.warnings)


def test_by_default_it_looks_a_year_back_from_the_newest_record(reader):
    found = backtest(reader, model="rate")

    assert (found.period_start, found.period_end) == (NEW_YEAR, datetime(2025, 5, 2, tzinfo=UTC))
    assert len(found.items) == len(COMPANY["deployments"])
    assert "At 1 of 5 cut-offs no deployment had settled: the assumed rate, about 6 in 100" in " ".join(found.warnings)


def test_the_rate_gains_nothing_on_itself(reader):
    found = backtest(reader, period_from=MARCH, period_to=JUNE, model="rate")

    assert (found.summary.skill, found.summary.log_loss_difference) == (0, 0)
    assert found.sentence.startswith("The base rate alone was forecast from 1 Mar 2025 to 31 May 2025: ")


def test_an_estimator_of_ones_own_is_judged_alike(reader, answer):
    found = backtest(reader, period_from=MARCH, period_to=JUNE, model=LogisticRegression())

    assert (found.model, found.summary.n) == ("LogisticRegression", answer.summary.n)
    assert found.summary.log_loss_base == answer.summary.log_loss_base
    assert found.summary.skill == pytest.approx(answer.summary.skill, abs=0.1)


def test_where_there_is_too_little_to_boost_it_says_so(reader):
    found = backtest(reader, period_to=MARCH, model="boosting")

    assert [cutoff.is_rate for cutoff in found.cutoffs] == [True, True, False]
    assert any(warning.startswith("At 1 of 3 cut-offs too few deployments") for warning in found.warnings)


@pytest.mark.parametrize(("share", "word"), [(0.0, "None"), (1.0, "All")])
def test_a_period_in_which_all_went_alike_tells_nothing(built, share, word):
    period = {"period_from": date(2025, 1, 10), "period_to": date(2025, 1, 20), "every": timedelta(days=7)}
    found = asked(built, history(lambda lines: share, 120), **period)

    assert found.sentence.startswith(f"{word} of 60 deployments from 10 Jan 2025 to 19 Jan 2025 failed")
    assert (found.summary.n, found.summary.auc, found.summary.calibration_slope) == (60, None, None)


def test_forecasts_of_pure_chance_are_not_called_better(built):
    found = asked(built, history(lambda lines: 0.1), period_from=MARCH, period_to=JUNE)

    assert "not clearly better than the base rate" in found.sentence


def test_nothing_known_is_nothing_judged(built):
    found = asked(built, {})

    assert (found.items, found.summary, found.cutoffs) == ((), Summary(n=0, failures=0), ())
    assert found.sentence == "No deployment to production is known by 1 Jul 2025, so there is no forecast to judge."


def test_what_has_not_settled_is_not_judged(home):
    with open_reader(home, NEW_YEAR + timedelta(days=10)) as early:
        found = backtest(early, model="rate")

    assert (found.summary.n, len(found.items)) == (0, 60)
    assert found.sentence.endswith("has settled yet, so no forecast can be judged.")


def test_a_worse_forecast_is_called_worse(answer):
    worse = answer.summary.model_copy(update={"skill": -0.1, "skill_low": -0.14, "skill_high": -0.02})
    said = sentence(answer.model_copy(update={"summary": worse}), UTC)

    assert "were 10 % worse than the base rate (2 to 14)" in said


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ({"model": "bosting"}, UnknownName),
        ({"environment": "prod"}, UnknownName),
        ({"every": timedelta(hours=1)}, UsageError),
        ({"period_from": JUNE, "period_to": MARCH}, UsageError),
        ({"period_from": date(2026, 1, 1)}, UsageError),
    ],
)
def test_what_cannot_be_asked_is_refused(reader, question, error):
    with pytest.raises(error):
        backtest(reader, **question)


def test_the_verb_prints_a_table_and_the_same_numbers_as_json(home, answer, capsys):
    flags = [
        "--home",
        str(home.home),
        "--as-of",
        "2025-07-01",
        "backtest",
        "--from",
        "2025-03-01",
        "--to",
        "2025-06-01",
    ]
    codes = [run(flags)]
    printed = capsys.readouterr()
    codes.append(run([*flags, "--json", "-q"]))
    written = json.loads(capsys.readouterr().out)

    assert codes == [0, 0]
    assert answer.sentence in " ".join(printed.out.split())
    assert max(map(len, printed.out.splitlines())) <= 100
    assert "… gathering what was known" in printed.err
    assert written["summary"] == answer.as_dict()["summary"]


@pytest.mark.parametrize("every", ["1w", "0d", "400d"])
def test_no_other_step_is_taken(home, every, capsys):
    assert run(["--home", str(home.home), "backtest", "--every", every]) == 2
    assert "--every must be a duration such as 28d" in capsys.readouterr().err

"""Shipcast in Python: the command line's answers, tables as known, own features and estimators, and the guide."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

import shipcast
from shipcast.__main__ import run
from shipcast.answers.errors import UnknownName
from shipcast.features.errors import FeatureFailed, FeatureFileFailed, FeatureMissing
from shipcast.features.feature import CATALOGUE, catalogue
from shipcast.features.own import enter_files, entered
from shipcast.models.candidates import Regression, own
from shipcast.models.errors import NotServable
from shipcast.models.registry import Registry, champion, checked
from shipcast.models.serving import read
from shipcast.settings.errors import UsageError

GUIDE = Path(__file__).parents[2] / "docs" / "data-science.md"
AS_OF = "2025-12-01"
NIGHTS = """
import shipcast

@shipcast.feature("yes/no", "always")
def at_night(rows, past):
    '''Whether it starts between midnight and six.'''
    return rows["hour_of_week"] % 24 < 6
"""


@pytest.fixture(scope="module")
def company(simulated_home):
    return simulated_home


@pytest.fixture(scope="module")
def with_nights(company, tmp_path_factory):
    """A copy of it in which a regression was trained that looks at a feature in a file."""
    copy = shutil.copytree(company, tmp_path_factory.mktemp("nights") / "home")
    with_features(copy, NIGHTS)
    assert run(["--home", str(copy), "-q", "--as-of", AS_OF, "train", "--model", "regression"]) == 0
    enter_files(())
    return copy


@pytest.fixture
def home(company, tmp_path):
    """A copy of it for those who train."""
    return shutil.copytree(company, tmp_path / "home")


@pytest.fixture(autouse=True)
def _known_features():
    """The features of a test end with it."""
    catalogue()
    before = dict(CATALOGUE)
    yield
    CATALOGUE.clear()
    CATALOGUE.update(before)
    entered.clear()


@pytest.fixture
def sc(company):
    with shipcast.open(company, as_of=AS_OF) as opened:
        yield opened


def with_features(home, code):
    (home / "nights.py").write_text(code)
    (home / "shipcast.toml").write_text('features = ["nights.py"]\n')


def test_importing_shipcast_imports_nothing_heavy():
    code = "import sys, shipcast; print(sorted({'polars', 'numpy', 'duckdb', 'pydantic'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
    assert {"open", "feature"} <= set(dir(shipcast))


QUESTIONS = [
    (
        lambda sc: sc.windows("checkout", duration=timedelta(minutes=45), lines=300, latest="2025-12-04"),
        ["windows", "checkout", "--duration", "45m", "--lines", "300", "--latest", "2025-12-04"],
    ),
    (lambda sc: sc.now("checkout", "1h", files=3), ["now", "checkout", "--duration", "1h", "--files", "3"]),
    (
        lambda sc: sc.explain("checkout", datetime(2025, 12, 2, 15, tzinfo=UTC), change_type="normal"),
        ["explain", "checkout", "--at", "2025-12-02T15:00Z", "--type", "normal"],
    ),
    (
        lambda sc: sc.metrics(by="service", period_from=date(2025, 9, 1)),
        ["metrics", "--by", "service", "--from", "2025-09-01"],
    ),
    (lambda sc: sc.forecast("checkout", hours=3), ["forecast", "checkout", "--hours", "3"]),
    (
        lambda sc: sc.cab(service="checkout", before="2025-12-04", period_from=date(2025, 9, 1)),
        ["cab", "--service", "checkout", "--before", "2025-12-04", "--from", "2025-09-01"],
    ),
    (
        lambda sc: sc.backtest("regression", period_from="2025-11-01", every="14d"),
        ["backtest", "--from", "2025-11-01", "--every", "14d"],
    ),
]


@pytest.mark.parametrize(("ask", "command"), QUESTIONS, ids=[command[0] for _, command in QUESTIONS])
def test_an_answer_is_that_of_the_command_line_number_for_number(sc, company, capsys, ask, command):
    answer = ask(sc).as_dict()
    capsys.readouterr()
    code = run(["--home", str(company), "--json", "-q", "--as-of", AS_OF, *command])
    printed = json.loads(capsys.readouterr().out)

    assert code == 0
    assert {**answer, "generated_at": None} == {**printed, "generated_at": None}


def test_a_time_without_a_zone_is_of_the_reporting_zone(company):
    with shipcast.open(company, as_of=datetime.fromisoformat("2025-06-01T02:00"), tz="Europe/Berlin") as sc:
        assert sc.as_of == datetime(2025, 6, 1, 0, tzinfo=UTC)


def test_what_is_closed_answers_nothing(company):
    with shipcast.open(company, as_of=AS_OF) as sc:
        pass

    assert repr(sc).endswith("as of 2025-12-01T00:00:00Z, closed>")
    with pytest.raises(UsageError, match="closed"):
        sc.tables()


def test_an_unknown_table_is_refused_with_the_nearest(sc):
    with pytest.raises(UnknownName, match="fct_deployments"):
        sc.table("fct_deployment")


def hour(number):
    return f"2025-05-05T{number:02}:00:00Z"


def test_a_table_shows_what_was_known_and_no_more(built):
    same = {"service": "pay", "environment": "production"}
    home = built(
        {
            "deployments": [
                {"deployment_id": "ok", **same, "started_at": hour(1), "finished_at": hour(2), "status": "succeeded"},
                {"deployment_id": "bad", **same, "started_at": hour(3), "finished_at": hour(4), "status": "succeeded"},
                {"deployment_id": "slow", **same, "started_at": hour(5), "finished_at": hour(8), "status": "failed"},
                {"deployment_id": "later", **same, "started_at": hour(7), "finished_at": hour(8), "status": "failed"},
            ],
            "incidents": [
                {"incident_id": "i", **same, "started_at": hour(5), "resolved_at": hour(9), "deployment_id": "bad"}
            ],
        }
    ).home
    with shipcast.open(home, as_of=hour(6)) as sc:
        deployments, incidents = sc.table("fct_deployments").sort("started_at"), sc.table("fct_incidents")
    with shipcast.open(home, as_of=hour(10)) as sc:
        failed = sc.table("fct_deployments").drop_nulls("failed_at")["deployment_id"].to_list()

    assert deployments.select("deployment_id", "status", "is_landed").rows() == [
        ("ok", "succeeded", True),
        ("bad", "succeeded", True),
        ("slow", "running", False),
    ]
    assert deployments["failed_at"].null_count() == 3
    assert deployments["finished_at"].null_count() == 1
    assert incidents.select("resolved_at", "deployment_id", "cause_deployment_id").row(0) == (None, None, None)
    assert sorted(failed) == ["bad", "later", "slow"]


def test_every_instant_of_a_table_of_events_lies_at_or_before_the_question(company):
    at = datetime.fromisoformat("2025-09-01")
    with shipcast.open(company, as_of=at) as sc:
        frames = {name: sc.table(name) for name in sc.tables() if name.startswith("fct_")}
    sums = ("fct_dora_weekly", "fct_environment_idle")
    late = [
        f"{name}.{column}"
        for name, frame in frames.items()
        if name not in sums
        for column in frame.columns
        if column.endswith("_at") and (frame[column].max() or at) > at
    ]

    assert late == []
    assert min(len(frame) for name, frame in frames.items() if name in ("fct_deployments", "fct_incidents")) > 0


def test_features_are_documented_as_they_are_computed(sc):
    documented, rows = sc.feature_docs(), sc.features()

    assert documented.columns == ["name", "family", "says", "unit", "known", "assumed"]
    assert set(documented["name"]) <= set(rows.columns)
    assert rows["started_at"].max() <= datetime.fromisoformat(AS_OF)


def test_an_estimator_of_ones_own_is_trained_serves_and_goes_again(home):
    with shipcast.open(home, as_of=AS_OF) as sc:
        first = sc.train("rate")
        mine = sc.train(own(LogisticRegression(C=0.1), name="mine"), promote=True)
        answer = sc.windows("checkout")
        said = sc.roll_back().sentence

    assert (first.is_champion, mine.model, mine.refused, mine.is_champion) == (True, "mine", (), True)
    assert [item.model for item in mine.items] == ["rate", "mine"]
    assert (answer.model.recipe, answer.model.version) == ("mine", 2)
    assert said.startswith("Version 1 (rate) serves again")


class Guess(ClassifierMixin, BaseEstimator):
    """A class of one's own, which no file may bring back."""

    def fit(self, design, failed):
        self.classes_ = [0, 1]
        return self

    def predict_proba(self, design):
        return [[0.9, 0.1]] * len(design)


class Halved(Regression):
    """A candidate of one's own under a name of ours."""


@pytest.mark.parametrize(("model", "why"), [(Guess(), "Guess"), (Halved(), "read as Regression")])
def test_what_could_not_be_read_again_is_not_kept(home, model, why):
    with shipcast.open(home, as_of=AS_OF) as sc, pytest.raises(NotServable, match=why):
        sc.train(model, promote=True)

    assert Registry(home).versions() == []


def test_a_feature_in_a_file_is_trained_on_and_served(with_nights):
    served = champion(with_nights, datetime.fromisoformat(AS_OF))
    windows = run(["--home", str(with_nights), "-q", "--as-of", AS_OF, "windows", "checkout", "--duration", "30m"])
    with shipcast.open(with_nights, as_of=AS_OF) as sc:
        known = sc.feature_docs().filter(name="at_night")["family"].to_list()

    assert "at_night" in read(checked(with_nights, served), served.recipe).feature_names()
    assert (windows, known) == (0, ["nights"])


def test_a_model_whose_feature_is_gone_says_which_and_how_to_go_on(with_nights, tmp_path, capsys):
    home = shutil.copytree(with_nights, tmp_path / "home")
    (home / "shipcast.toml").unlink()

    capsys.readouterr()
    code = run(["--home", str(home), "-q", "--as-of", AS_OF, "windows", "checkout", "--duration", "30m"])
    said = capsys.readouterr().err

    assert code == 8
    assert "at_night" in said
    assert "setting features" in said
    with shipcast.open(home, as_of=AS_OF) as sc:
        with pytest.raises(FeatureMissing):
            sc.now("checkout")
        anew = sc.train("rate", promote=True)
        assert sc.now("checkout").model.recipe == "rate"
    assert any("at_night" in warning for warning in anew.warnings)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def half(:", "SyntaxError"),
        ("import sys; sys.exit()", "SystemExit"),
        (NIGHTS.replace("at_night", "lines"), "already"),
        (NIGHTS.replace("at_night", "started_at"), "the rows have a column 'started_at' already"),
    ],
)
def test_a_file_of_features_that_cannot_be_used_is_named(home, code, words):
    with_features(home, code)

    with shipcast.open(home, as_of=AS_OF) as sc:
        with pytest.raises(FeatureFileFailed, match=words) as caught:
            sc.features()
        assert sc.metrics().items
    assert "nights.py" in str(caught.value)
    assert CATALOGUE["lines"].family == "change"


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ('rows["no_such"]', 'ColumnNotFoundError "no_such" not found'),
        ('rows["hour_of_week"].head(3)', "3 values for"),
        ('rows["service"]', "InvalidOperationError"),
        ("7", "AttributeError"),
        ("__import__('sys').exit()", "SystemExit"),
    ],
)
def test_a_feature_that_breaks_off_is_named(home, returned, words):
    with_features(home, NIGHTS.replace('rows["hour_of_week"] % 24 < 6', returned))

    with shipcast.open(home, as_of=AS_OF) as sc, pytest.raises(FeatureFailed, match=words) as caught:
        sc.features()
    assert str(caught.value).startswith("The feature at_night of nights fails")
    assert caught.value.exit_code == 3


def test_a_feature_that_no_request_has_is_found_out_before_a_model_is_kept(home):
    with_features(home, NIGHTS.replace('rows["hour_of_week"] % 24 < 6', 'rows["failed_at"].is_not_null()'))

    with shipcast.open(home, as_of=AS_OF) as sc, pytest.raises(FeatureFailed, match='"failed_at" not found'):
        sc.train("regression", promote=True)
    assert champion(home, datetime.fromisoformat(AS_OF)) is None


def test_what_is_no_finite_number_is_unknown(home):
    with_features(home, NIGHTS.replace("% 24 < 6", "/ 0 - 1"))

    with shipcast.open(home, as_of=AS_OF) as sc:
        assert sc.features()["at_night"].is_null().all()


def test_a_file_named_like_a_family_of_ours_is_refused(home):
    (home / "change.py").write_text(NIGHTS)
    (home / "shipcast.toml").write_text('features = ["change.py"]\n')

    with shipcast.open(home, as_of=AS_OF) as sc, pytest.raises(FeatureFileFailed, match="'change'"):
        sc.feature_docs()


def test_features_of_one_home_are_not_those_of_another(home, company):
    with_features(home, NIGHTS)
    with shipcast.open(home, as_of=AS_OF) as sc:
        assert "at_night" in sc.features().columns
    with shipcast.open(company, as_of=AS_OF) as sc:
        assert "at_night" not in sc.features().columns


def blocks(page):
    """The Python and TOML blocks of a page, and the file that each is to be saved as; None: it is to be run."""
    for code in re.findall(
        r"^```(?:python|toml)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        name = re.match(r"# (\S+\.(?:py|toml))\n", code)
        yield (name and name[1]), code


def test_the_guide_for_data_scientists_runs_as_written(home, monkeypatch, capsys):
    folder = home.parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SHIPCAST_HOME", str(home))
    names = {"__name__": "guide"}

    for name, code in blocks(GUIDE):
        if name:
            (folder / name).write_text(code)
        else:
            exec(compile(code, GUIDE.name, "exec"), names)
    printed = capsys.readouterr().out

    assert tomllib.loads((folder / "shipcast.toml").read_text()) == {"features": ["habits.py"]}
    assert {"failures_in_2_days", "lines_per_commit"} <= set(names["sc"].features().columns)
    assert names["trained"].is_champion
    assert names["other"].is_champion is not bool(names["other"].refused)
    assert " (regression) serves again" in printed

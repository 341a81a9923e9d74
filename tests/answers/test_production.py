"""The one environment of production by two names: the one that the data has, and the one that questions default to."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from shipcast.__main__ import run
from shipcast.answers.bookings import reserve
from shipcast.answers.calendar_week import bookings_between, calendar_week
from shipcast.answers.errors import UnknownName
from shipcast.answers.reading import open_reader
from shipcast.answers.windows import windows
from shipcast.scheduling.ledger.entries import Booking
from shipcast.scheduling.ledger.errors import EntryRefused
from shipcast.settings import Settings

NOW = datetime(2025, 6, 2, 9, tzinfo=UTC)
AT, END = "2025-06-03T10:00Z", "2025-06-03T10:30Z"
DEPLOYMENTS = [
    {
        "deployment_id": f"d{number}",
        "service": "pay",
        "environment": "staging" if number % 5 == 0 else "PROD",
        "started_at": f"2025-05-{1 + number // 2:02}T{9 + number % 2 * 5:02}:00Z",
        "finished_at": f"2025-05-{1 + number // 2:02}T{9 + number % 2 * 5:02}:20Z",
        "status": "failed" if number % 7 == 0 else "succeeded",
    }
    for number in range(40)
]
FREEZE = '[[freeze]]\nid = "audit"\nstart = 2025-06-03\nend = 2025-06-04\nscope = {{ environment = ["{}"] }}\n'


@pytest.fixture(scope="module")
def company(built):
    tables = {"environments": [{"environment": "PROD", "kind": "production"}], "deployments": DEPLOYMENTS}
    return built(tables).home


@pytest.fixture
def home(company, tmp_path):
    return shutil.copytree(company, tmp_path / "home")


@pytest.fixture
def ask(home, capsys):
    def asked(*words):
        code = run(["--home", str(home), "--as-of", "2025-06-02T09:00Z", "--json", "-q", *words])
        return code, json.loads(capsys.readouterr().out)

    return asked


@pytest.mark.parametrize("written", ["PROD", "production", "prod*"])
@pytest.mark.parametrize("asked", [[], ["--environment", "PROD"]])
def test_a_rule_about_either_name_holds_for_both(home, ask, written, asked):
    (home / "calendar.toml").write_text(FREEZE.format(written))

    code, gate = ask("gate", "pay", "--at", AT, *asked)
    _, checked = ask("calendar", "check", "pay", "--start", AT, "--end", END, *asked)

    assert code == 10
    assert gate["items"][0] | {"verdict": "hold", "check": "calendar"} == gate["items"][0]
    assert [item["decision"] for item in checked["items"]] == ["blocked"]


def test_a_rule_about_another_environment_holds_for_neither(home, ask):
    (home / "calendar.toml").write_text(FREEZE.format("staging"))

    assert ask("calendar", "check", "pay", "--start", AT, "--end", END)[1]["items"][0]["decision"] == "allowed"


def booking(environment):
    start = datetime(2025, 6, 4, 10)  # noqa: DTZ001
    return Booking(service="pay", environment=environment, start=start, end=start + timedelta(minutes=30))


@pytest.mark.parametrize(("first", "second"), [("production", "PROD"), ("PROD", "production")])
def test_a_time_is_booked_by_one_name_alone(home, first, second):
    settings = Settings(home=home)
    reserve(settings, NOW, "ana", booking(first))

    with pytest.raises(EntryRefused, match="booking 1 by ana"):
        reserve(settings, NOW, "ben", booking(second))
    as_of = datetime.now(UTC) + timedelta(minutes=1)  # an entry is known from when it is recorded
    with open_reader(settings, as_of) as reader:
        since, until = NOW, NOW + timedelta(days=7)
        for name in (first, second):
            assert [one.environment for one in bookings_between(reader, since, until, name)] == ["PROD"]
            week = calendar_week(reader, day=since.date(), zone="UTC", environment=name)
            assert [one.number for one in week.booked] == [1]


def test_what_was_booked_before_any_data_came_counts_by_the_name_that_came_with_it(company, tmp_path):
    empty = Settings(home=tmp_path / "home")
    empty.home.mkdir()
    reserve(empty, NOW, "ana", booking("production"))
    shutil.copytree(company, empty.home, dirs_exist_ok=True)

    with pytest.raises(EntryRefused, match="booking 1 by ana"):
        reserve(empty, NOW, "ben", booking("PROD"))


def test_an_environment_that_nobody_knows_is_not_booked(home):
    with pytest.raises(UnknownName, match="'PRODD'"):
        reserve(Settings(home=home), NOW, "ana", booking("PRODD"))


def test_both_names_are_forecast_by_the_same_models(home):
    with open_reader(Settings(home=home), NOW) as reader:
        by_kind, by_name = (
            windows(reader, "pay", duration=timedelta(minutes=30), environment=name) for name in ("production", "PROD")
        )

    assert by_kind.items
    assert by_name.items == by_kind.items


def test_of_two_environments_of_production_each_has_rules_of_its_own_and_a_question_about_both_is_warned(built, capsys):
    tables = {
        "environments": [{"environment": name, "kind": "production"} for name in ("eu", "us")],
        "deployments": [row | {"environment": "eu"} for row in DEPLOYMENTS],
    }
    home = built(tables).home
    (home / "calendar.toml").write_text(FREEZE.format("eu"))
    found = {}
    for name in ("eu", "us", "production"):
        words = ["calendar", "check", "pay", "--start", AT, "--end", END, "--environment", name]
        assert run(["--home", str(home), "--as-of", "2025-06-02T09:00Z", "--json", "-q", *words]) == 0
        answer = json.loads(capsys.readouterr().out)
        found[name] = answer["items"][0]["decision"], [one for one in answer["warnings"] if "Production" in one]

    warned = ["Production is eu and us; rules about one of these were left out (audit): name it."]
    assert found == {"eu": ("blocked", []), "us": ("allowed", []), "production": ("allowed", warned)}

"""`shipcast cab` as its users type it: its answer in JSON and in words, and what it says where something is missing."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from shipcast.__main__ import run
from shipcast.answers.answer import SCHEMAS

PAGE = Path(__file__).parents[2] / "docs" / "cab.md"
CALENDAR = re.search(r"^```toml calendar.toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)[1]
AS_OF = datetime(2025, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONG = "committee for the orderly introduction of changes of every kind"


def deployments():
    for number in range(300):
        service = "payments" if number % 3 else "a service with a name that goes on and on"
        started = AS_OF - 20 * DAY - number * DAY
        yield {
            "deployment_id": f"d{number}",
            "service": service,
            "environment": "production",
            "started_at": started,
            "finished_at": started + HOUR,
            "status": "succeeded" if number % 3 else "failed",
            "change_type": "normal",
            "lines_changed": 40,
        }


def approvals():
    for number in range(120):
        asked = AS_OF - 20 * DAY - number * DAY
        is_owner = number % 4 == 0
        yield {
            "approval_id": f"a{number}",
            "deployment_id": f"d{number}",
            "change_id": None,
            "role": "owner" if is_owner else LONG,
            "decision": "rejected" if number % 40 == 0 else "approved",
            "requested_at": asked - (3 if is_owner else 10 + number % 60) * HOUR,
            "decided_at": asked,
        }
    for number in range(30):
        yield {
            "approval_id": f"p{number}",
            "deployment_id": None,
            "change_id": f"c{number}",
            "role": LONG,
            "decision": "pending",
            "requested_at": AS_OF - (number + 1) * HOUR,
            "decided_at": None,
        }


@pytest.fixture(scope="module")
def home(built):
    change = {"service": "payments", "authored_at": AS_OF - 2 * DAY}
    tables = {
        "services": [{"service": "payments", "team": "payments"}],
        "deployments": [*deployments()],
        "approvals": [*approvals()],
        "changes": [{**change, "change_id": f"c{number}", "commit_sha": f"s{number}"} for number in range(29)],
    }
    return built(tables).home


@pytest.fixture
def ask(home, capsys, tmp_path, monkeypatch):
    """Run the verb in a folder that has the calendar: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calendar.toml").write_text(CALENDAR)

    def asked(*arguments, as_of="2025-12-01"):
        capsys.readouterr()
        code = run(["--home", str(home), "--as-of", as_of, "cab", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return asked


def in_words(said):
    return " ".join(said.split())


def test_the_answer_keeps_its_schema(ask):
    code, out, err = ask("--json")
    answer = json.loads(out)
    schema = json.loads((SCHEMAS / "cab.json").read_text(encoding="utf-8"))

    assert code == 0, err
    jsonschema.validate(answer, schema, format_checker=jsonschema.FormatChecker())
    assert (answer["schema"], len(answer["items"]), len(answer["meetings"])) == ("shipcast/cab/1", 30, 2)


@pytest.mark.parametrize("arguments", [(), ("-v",), ("--service", "payments", "--tz", "Pacific/Auckland")], ids=str)
def test_everything_reads_in_a_hundred_columns(ask, arguments):
    code, out, _ = ask(*arguments)

    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 100
    assert "next: shipcast --home" in out


def test_the_tables_say_what_was_measured_what_waits_and_what_is_proposed(ask):
    said = ask()[1]

    assert "30 changes wait, 29 of them for the next meeting, on Mon 1 Dec 09:00 (UTC)" in in_words(said)
    assert re.search(r"^owner +30 +3\.0 h \(3\.0 to 3\.0 h\)", said, re.M)
    assert re.search(r"^Mon 1 Dec 09:00 +payments board +29 +Mon 1 Dec 07:00 +7\.0 h +payments$", said, re.M)
    assert re.search(r"^payments +normal +small +200 +0 +0 % +0 to 1\.9 % +\d+ +propose$", said, re.M)
    assert "These are the 20 that have waited longest of 59; --json gives all." in said
    assert "They failed so seldom after a look" in in_words(said)
    assert "The service of 1 waiting change is not known yet" in in_words(said)


def test_no_kind_of_change_is_called_safe(ask):
    assert not re.search(r"\b(is|are) safe\b", ask("-v")[1])


def test_a_planned_start_before_any_meeting_is_said(ask):
    said = ask("--before", "2025-12-01T08:00Z")[1]

    assert "30 changes wait, and no meeting can decide in time" in in_words(said)
    assert "none in time" in said


def test_without_a_board_nothing_is_said_of_meetings(ask, tmp_path):
    (tmp_path / "other.toml").write_text('[[freeze]]\nid = "x"\nstart = 2026-01-01\nend = 2026-01-02\ntz = "UTC"\n')
    said = in_words(ask("--calendar", str(tmp_path / "other.toml"))[1])

    assert "30 changes wait; " in said
    assert "The calendar has no [[cab]], so that no meeting can be named" in said


def test_a_board_for_a_region_is_not_named_where_no_region_is_known(ask, tmp_path):
    (tmp_path / "eu.toml").write_text(
        '[[cab]]\nid = "eu"\ncron = "0 9 * * *"\ntz = "UTC"\nscope = { region = ["eu"] }\n'
    )
    code, said, err = ask("--calendar", str(tmp_path / "eu.toml"))

    assert code == 0, err
    assert "No region is known of payments: boards for regions were left out." in in_words(said)
    assert "hand in by" not in said


def test_where_nothing_waits_that_is_said(ask):
    said = ask(as_of="2025-11-29")[1]

    assert "; nothing waits; " in in_words(said)
    assert "hand in by" not in said


def test_before_anything_was_known_it_says_what_is_missing(ask, tmp_path):
    (tmp_path / "calendar.toml").unlink()
    code, said, _ = ask(as_of="2020-01-01")
    said = in_words(said)

    assert code == 0
    assert "no decision was made; nothing waits; no kind of change can be proposed" in said
    assert "No approval was known at 2020-01-01T00:00:00Z. Load them as a table approvals" in said
    assert "There is no calendar.toml in the home or in this folder" in said
    assert "No production deployment of the period has settled" in said


def test_what_was_filtered_away_is_no_lack_of_data(ask):
    assert (
        "Of 150 known approvals none was asked for in the period."
        in ask("--from", "2024-01-01", "--to", "2024-02-01")[1]
    )


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("--service", "paymnts"), 2, "Did you mean payments?"),
        (("--safe-below", "7"), 2, "--safe-below"),
        (("--before", "2025-11-01"), 2, "--before must not lie before 2025-12-01T00:00:00Z"),
        (("--from", "2025-12-01", "--to", "2025-11-01"), 2, "The period is empty"),
        (("--calendar", "nowhere.toml"), 3, "nowhere.toml"),
    ],
    ids=str,
)
def test_a_mistake_is_said_in_words_with_its_exit_code(ask, arguments, code, word):
    found, out, err = ask(*arguments)

    assert (found, out) == (code, "")
    assert word in err


def test_the_commands_of_its_page_run_as_written(home, ask):
    found = re.findall(r"^shipcast (cab.*)$", PAGE.read_text(encoding="utf-8"), re.M)

    assert len(found) == 2
    assert [run(["--home", str(home), *command.split()]) for command in found] == [0, 0]

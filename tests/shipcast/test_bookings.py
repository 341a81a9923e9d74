"""`shipcast reserve`, `freeze add`, `approve`, `override`, `undo` and `audit` as their users type them."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest
from icalendar import Calendar

from shipcast.__main__ import run
from shipcast.answers.answer import SCHEMAS
from shipcast.scheduling.ledger.chain import HEAD_FILE, LEDGER_FILE, Head, read_chain
from shipcast.settings.account import account
from shipcast.settings.files import write_sealed

CALENDAR = """
[[freeze]]
id = "year-end"
start = 2026-12-18
end = 2027-01-03
emergency = "allow"
tz = "UTC"
reason = "the books are closed"

[[window]]
id = "lunch"
kind = "deny"
cron = "0 12 * * *"
minutes = 60
tz = "UTC"
effect = "approval"

[[capacity]]
id = "two"
concurrent = 2
"""
MORNING = ["--start", "2027-02-01T09:00Z", "--duration", "45m"]
NOON = ["--start", "2027-02-01T12:15Z", "--end", "2027-02-01T12:45Z"]
LATER = ["--start", "2027-02-01T09:30Z", "--end", "2027-02-01T11:00Z"]
FROZEN = ["--start", "2026-12-20T09:00Z", "--duration", "45m"]
STAGING = ["--environment", "staging", *MORNING, "--for", "load test"]
AUDIT = ["freeze", "add", "--id", "audit", "--from", "2027-02-01", "--to", "2027-02-01"]


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    """Run a verb in an empty folder that has a calendar: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calendar.toml").write_text(CALENDAR)

    def asked(*arguments):
        capsys.readouterr()
        code = run([*arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return asked


def answered(ask, *arguments, code=0):
    said, out, err = ask("--json", *arguments)
    assert said == code, out or err
    answer = json.loads(out)
    schema = json.loads((SCHEMAS / f"{answer['schema'].split('/')[1]}.json").read_text(encoding="utf-8"))
    jsonschema.validate(answer, schema, format_checker=jsonschema.FormatChecker())
    return answer


def written():
    path = Path(".shipcast") / LEDGER_FILE
    return path.read_bytes() if path.exists() else b""


def refused(ask, *arguments, code=4):
    """The error in one line, and the same as a problem object; nothing was recorded."""
    before = written()
    said, out, err = ask(*arguments)
    assert (said, out) == (code, "")
    problem = json.loads(ask("--json", *arguments)[1])
    assert problem["status"] == code
    assert written() == before
    return " ".join(err.split()), problem


def entry(ask, *arguments):
    [found] = answered(ask, *arguments)["items"]
    return found


def checked(ask, *arguments):
    [found] = answered(ask, "calendar", "check", *arguments)["items"]
    return found


def test_a_booking_says_what_who_and_when(ask):
    booked = entry(ask, "reserve", "pay", *MORNING, "--for", "hotfix", "--who", "ana")

    assert {key: booked[key] for key in ("number", "kind", "who", "says", "start", "end", "undone_by")} == {
        "number": 1, "kind": "booking", "who": "ana", "says": "pay to production (hotfix)",
        "start": "2027-02-01T09:00:00Z", "end": "2027-02-01T09:45:00Z", "undone_by": None,
    }  # fmt: skip
    assert booked["account"] == account()
    assert answered(ask, "audit", "list")["items"] == [booked]


def test_a_second_booking_is_refused_and_told_whom_it_meets_and_when_it_could_go(ask):
    ask("reserve", "pay", *MORNING, "--who", "ana")
    said, problem = refused(ask, "reserve", "pay", *LATER)

    assert "booking 1 by ana: pay to production, Mon 1 Feb 2027 09:00 to 09:45." in said
    assert "It can go Mon 1 Feb 2027 09:45 to 11:15 (UTC)." in said
    [conflict] = problem["conflicts"]
    assert (conflict["kind"], conflict["rule"], conflict["start"], conflict["end"]) == (
        "booking", None, "2027-02-01T09:30:00Z", "2027-02-01T09:45:00Z",
    )  # fmt: skip
    assert [(party["number"], party["who"]) for party in conflict["parties"]] == [(1, "ana")]


def test_what_a_refusal_advises_runs_as_it_stands(ask):
    booked = ["--home", "my data", "reserve", "pay", *MORNING, "--for", "hot fix"]
    ask(*booked)
    _, _, err = ask(*booked)
    undo, again = (shlex.split(line.partition("shipcast ")[2]) for line in err.replace("\\\n", "").splitlines()[-2:])

    assert (undo, ask(*again)[0]) == (["--home", "my data", "undo", "1"], 0)
    assert (
        entry(ask, "--home", "my data", "audit", "list", "--service", "pay", "--from", "2027-02-01T09:45Z")["number"]
        == 2
    )


def test_an_override_goes_against_rules_and_capacities_in_one_entry(ask):
    for service in ("web", "api"):
        assert ask("reserve", service, *FROZEN, "--type", "emergency")[0] == 0
    said, _ = refused(ask, "reserve", "pay", *FROZEN)
    assert "year-end blocks it (the books are closed)" in said
    assert "capacity two is full: booking 1 by" in said

    answer = answered(ask, "reserve", "pay", *FROZEN, "--override", "--reason", "outage")
    [booked] = answer["items"]
    assert booked["body"]["override"] == {"rules": ["year-end", "two"], "reason": "outage"}
    assert [one["rule"] for one in answer["conflicts"]] == ["year-end", "two"]
    assert checked(ask, "pay", "--start", booked["start"], "--end", booked["end"])["lifted_by"] == [3]
    assert ask("undo", "3")[0] == 0
    assert checked(ask, "pay", "--start", booked["start"], "--end", booked["end"])["lifted_by"] == []


def test_no_override_helps_against_who_was_there_first(ask):
    ask("reserve", "pay", *MORNING)
    said, _ = refused(ask, "reserve", "pay", *MORNING, "--override", "--reason", "outage")

    assert "No override helps against who was there first" in said


def test_an_override_of_nothing_is_not_recorded(ask):
    answer = answered(ask, "reserve", "pay", *MORNING, "--override", "--reason", "outage")

    assert answer["items"][0]["body"]["override"] is None
    assert answer["warnings"] == ["Nothing stood against it, so no override was recorded."]


def test_what_needs_an_approval_goes_with_one(ask):
    assert "Have it approved" in refused(ask, "reserve", "pay", *NOON)[0]
    given = answered(ask, "approve", "pay", *NOON, "--rule", "lunch", "--role", "lead", "--who", "eve")
    check = checked(ask, "pay", *NOON)

    assert (given["items"][0]["says"], given["conflicts"]) == ("pay to production, of lunch (lead)", [])
    assert (check["decision"], check["rule"], check["lifted_by"]) == ("needs-approval", "lunch", [1])
    assert "It may all the same: approval 1 by eve lifts lunch (as lead)." in " ".join(
        ask("calendar", "check", "pay", *NOON)[1].split()
    )
    assert entry(ask, "reserve", "pay", *NOON)["number"] == 2
    assert answered(ask, "undo", "1")["warnings"] == ["Booking 2 rested on it."]


def test_an_approval_says_what_it_does_not_lift_and_when_it_is_in_vain(ask):
    ask(*AUDIT)
    blocked = answered(ask, "approve", "pay", *NOON)
    in_vain = answered(ask, "approve", "pay", *FROZEN[:2], "--end", "2026-12-20T10:00Z")

    assert [one["rule"] for one in blocked["conflicts"]] == ["audit"]
    assert in_vain["warnings"] == ["No rule asks for this approval at that time."]


def test_a_booking_that_a_later_freeze_met_is_approved_by_its_number(ask):
    ask("reserve", "pay", *MORNING)
    met = answered(ask, *AUDIT, "--effect", "approval")
    given = answered(ask, "approve", "1", "--rule", "audit")

    assert met["sentence"].endswith("1 booking lies in it.")
    assert [(one["kind"], one["rule"], one["parties"][0]["number"]) for one in met["conflicts"]] == [
        ("approval", "audit", 1)
    ]
    assert (given["items"][0]["says"], given["conflicts"], given["warnings"]) == ("booking 1, of audit", [], [])


def test_an_override_lets_a_change_go_against_the_rule_it_names(ask):
    ask(*AUDIT)
    given = answered(ask, "override", "pay", *NOON, "--rule", "audit", "--reason", "outage")

    assert [one["rule"] for one in given["conflicts"]] == ["lunch"]
    assert ask("reserve", "pay", *MORNING)[0] == 4
    assert ask("override", "pay", *LATER, "--rule", "audit", "--reason", "outage")[0] == 0
    assert ask("reserve", "pay", *LATER)[0] == 0


def test_a_freeze_counts_in_every_answer_of_the_calendar_from_when_it_was_added(ask, tmp_path):
    period = ["--from", "2027-02-01", "--to", "2027-02-02"]
    added = entry(ask, *AUDIT, "--service", "pay-*", "--reason", "auditors", "--tz", "Asia/Tokyo")
    before = ["--as-of", "2026-01-01"]

    assert (added["start"], added["end"]) == ("2027-01-31T15:00:00Z", "2027-02-01T15:00:00Z")
    check = checked(ask, "pay-api", *NOON)
    assert (check["decision"], check["rule"], check["reason"]) == ("blocked", "audit", "auditors")
    assert checked(ask, "pay-api", *NOON, *before)["rule"] == "lunch"
    assert checked(ask, "web", *NOON)["rule"] == "lunch"
    assert [item["rule"] for item in answered(ask, "calendar", "list", *period)["items"]] == ["audit", "lunch"]
    assert [item["rule"] for item in answered(ask, "calendar", "list", *period, *before)["items"]] == ["lunch"]
    assert "X-SHIPCAST-RULE:audit" in ask("calendar", "export", *period)[1]
    (tmp_path / "calendar.toml").unlink()
    assert answered(ask, "calendar", "check", "web", *NOON)["warnings"] == []


def test_an_id_is_given_once(ask, tmp_path):
    ask(*AUDIT)
    for taken, word in (
        ("audit", "entry 1 of the ledger"),
        ("two", "a rule of the calendar"),
        ("reservation-7", "one of"),
    ):
        assert word in refused(ask, *AUDIT[:3], taken, *AUDIT[4:])[0]
    event = "BEGIN:VEVENT\nUID:1\nDTSTART:20261201T100000Z\nDURATION:PT1H\nSUMMARY:x\nEND:VEVENT"
    (tmp_path / "a.ics").write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{event}\nEND:VCALENDAR\n")
    ask(*AUDIT[:3], "a/x", *AUDIT[4:])
    assert "'a/x' is taken" in ask("calendar", "import", "a.ics")[2]

    (tmp_path / "calendar.toml").write_text(CALENDAR.replace("year-end", "audit"))
    code, _, err = ask("calendar", "check", "pay", *NOON)
    assert (code, "calendar.toml:3: the id 'audit' is taken by entry 1 of the ledger." in err) == (3, True)
    assert ask("undo", "1")[0] == 0
    assert ask("calendar", "check", "pay", *NOON)[0] == 0


def test_an_environment_is_kept_for_a_team(ask):
    kept = entry(ask, "reserve", *STAGING, "--team", "perf", "--who", "carl")
    asked = ["pay", "--environment", "staging", "--start", "2027-02-01T09:00Z", "--end", "2027-02-01T09:10Z"]
    stranger, owner = checked(ask, *asked), checked(ask, *asked, "--team", "perf")

    assert kept["says"] == "staging for perf (load test)"
    assert (stranger["decision"], stranger["rule"], stranger["reason"]) == (
        "blocked", "reservation-1", "reserved by perf: load test",
    )  # fmt: skip
    assert owner["decision"] == "allowed"
    booking = ["reserve", "pay", *MORNING, "--environment", "staging"]
    assert "reservation 1 by carl: staging for perf (load test), Mon 1 Feb" in refused(ask, *booking)[0]
    assert ask(*booking, "--team", "perf")[0] == 0
    assert "reservation 1 by carl" in refused(ask, "reserve", *STAGING, "--team", "data")[0]


def test_an_undone_entry_holds_no_more_and_stays_in_the_ledger(ask):
    ask("reserve", "pay", *MORNING)
    undone = entry(ask, "undo", "1", "--reason", "moved", "--who", "bob")

    assert (undone["number"], undone["kind"], undone["says"]) == (2, "undo", "of entry 1 (moved)")
    assert ask("reserve", "pay", *MORNING)[0] == 0
    assert [item["undone_by"] for item in answered(ask, "audit", "list")["items"]] == [2, None, None]
    for number, word in (("1", "undone already, by entry 2"), ("2", "is not undone itself"), ("9", "the last is 3")):
        assert word in refused(ask, "undo", number)[0]


def test_a_ledger_lists_what_was_asked_for(ask):
    ask("reserve", "pay", *MORNING)
    ask("reserve", "web", *LATER)
    ask(*AUDIT)
    ask("approve", "pay", *NOON)
    ask("undo", "1")

    def listed(*flags):
        return [item["number"] for item in answered(ask, "audit", "list", *flags)["items"]]

    assert listed() == [1, 2, 3, 4, 5]
    assert listed("--kind", "booking") == [1, 2]
    assert listed("--kind", "booking", "--in-force") == [2]
    assert listed("--in-force") == [2, 3, 4]
    assert listed("--service", "pay") == [1, 3, 4]
    assert listed("--from", "2027-02-01T12:00Z") == [3, 4]
    assert listed("--to", "2027-02-01T09:30Z") == [1, 3]
    assert listed("--as-of", "2026-01-01") == []


def test_who_it_was_is_said_by_a_flag_or_a_setting_or_the_system(ask, tmp_path, monkeypatch):
    (tmp_path / "shipcast.toml").write_text('who = "ana"\n')
    assert entry(ask, "reserve", "a", *MORNING)["who"] == "ana"
    monkeypatch.setenv("SHIPCAST_WHO", "bob")
    assert entry(ask, "reserve", "b", *MORNING)["who"] == "bob"
    assert entry(ask, "reserve", "c", *NOON, "--who", "eve", "--calendar", "/dev/null")["who"] == "eve"
    monkeypatch.setenv("SHIPCAST_WHO", "")
    assert entry(ask, "reserve", "d", "--start", "2027-03-01", "--duration", "1h")["who"] == account()


def test_what_is_known_of_the_service_is_booked_with_it(built, ask):
    services = [{"service": "pay", "team": "money", "business_zone": None, "regions": "eu;us"}]
    home = ["--home", str(built({"services": services}).home)]
    known = entry(ask, *home, "reserve", "pay", *MORNING)["body"]
    said = entry(ask, *home, "reserve", "pay", *NOON, "--region", "us", "--team", "shop", "--calendar", "/dev/null")[
        "body"
    ]
    late = answered(ask, *home, "reserve", "pay", "--start", "2020-02-01", "--duration", "1h")

    assert (known["team"], known["regions"]) == ("money", ["eu", "us"])
    assert (said["team"], said["regions"]) == ("shop", ["us"])
    assert late["warnings"] == ["It starts in the past."]
    code, _, err = ask(*home, "reserve", "pya", "--start", "2027-02-01", "--duration", "1h")
    assert (code, "No service is called 'pya'." in err, "Did you mean pay?" in err) == (2, True, True)


MISTAKES = [
    (["reserve", "pay", "--duration", "45m"], 2, "--start"),
    (["reserve", "pay", "--start", "2027-02-01"], 2, "Give a --duration"),
    (["reserve", "pay", *MORNING, "--end", "2027-02-02"], 2, "Give a --duration"),
    (["reserve", "pay", "--start", "2027-02-02", "--end", "2027-02-01"], 2, "must lie after the start"),
    (["reserve", "pay", "--start", "2027-02-02", "--end", "2028-02-04"], 2, "more than 366 days"),
    (["reserve", "pay", *MORNING, "--type", "urgent"], 2, "--type: "),
    (["reserve", "", *MORNING], 2, "SERVICE: must have 1 to 200 characters"),
    (["reserve", "pay", *MORNING, "--environment", ""], 2, "--environment: must have"),
    (["reserve", "pay", *MORNING, "--for", "x" * 1001], 2, "--for: must have 1,000 characters at most"),
    (["reserve", "pay", *MORNING, "--who", " "], 2, "--who must have 1 to 200"),
    (["reserve", "pay", *MORNING, "--override"], 2, "--override and --reason TEXT go together"),
    (["reserve", "pay", *MORNING, "--reason", "outage"], 2, "--override and --reason TEXT go together"),
    (["reserve", "pay", *MORNING, "--override", "--reason", ""], 2, "--reason: must not be empty"),
    (["reserve", "pay", *MORNING, "--as-of", "2026-01-01"], 2, "leave out --as-of"),
    (["reserve", *MORNING], 2, "Name the SERVICE to book"),
    (["reserve", *MORNING, "--environment", "staging"], 2, "Name the SERVICE to book"),
    (["reserve", *STAGING, "--override", "--reason", "outage"], 2, "--override: of use only to a deployment"),
    (["reserve", "pay", *MORNING, "--calendar", "nowhere.toml"], 3, "nowhere.toml"),
    (["freeze", "add", "--from", "2027-02-01", "--to", "2027-02-02"], 2, "--id"),
    (["freeze", "add", "--id", "x", "--from", "2027-02-03", "--to", "2027-02-02"], 2, "swap them"),
    (["freeze", "add", "--id", "x", "--from", "noon", "--to", "2027-02-02"], 2, "must be a date such as"),
    (["freeze", "add", "--id", "default", "--from", "2027-02-01", "--to", "2027-02-02"], 2, "choose another id"),
    (["approve", "pay"], 2, "Give the NUMBER of a booking, or a SERVICE"),
    (["approve", "7"], 4, "There is no booking 7 that holds"),
    (["approve", "pay", *NOON, "--rule", "lanch"], 2, "Did you mean lunch?"),
    (["override", "pay", *NOON, "--rule", "lanch", "--reason", "x"], 2, "Did you mean lunch?"),
    (["override", "pay", *NOON, "--rule", "lunch", "--reason", " "], 2, "--reason: must not be empty"),
    (["undo", "1"], 4, "There is no entry 1: nothing was recorded yet"),
    (["undo", "0"], 2, "NUMBER: must be 1 or more"),
    (["approve", "0"], 2, "NUMBER: must be 1 or more"),
    (["approve", "9" * 5000], 2, "Give the NUMBER of a booking"),
    (["audit", "verify", "--expect", "abc"], 2, "64 digits"),
]


@pytest.mark.parametrize(("arguments", "code", "word"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_is_said_in_words_and_records_nothing(ask, arguments, code, word):
    assert word in refused(ask, *arguments, code=code)[0]


def test_every_answer_reads_in_at_most_a_hundred_columns(ask):
    purpose = ["--for", "the long awaited change of the currency in which the prices of the shop are shown"]
    asked = [
        ["reserve", "checkout", *MORNING, *purpose],
        ["reserve", "checkout", *MORNING, *purpose],
        ["reserve", "web", *MORNING, *purpose],
        ["reserve", "api", *MORNING, *purpose],
        ["freeze", "add", "--id", "audit", "--from", "2027-02-01", "--to", "2027-02-01", "--reason", purpose[1]],
        ["approve", "checkout", *NOON, "--role", purpose[1]],
        ["override", "checkout", *NOON, "--rule", "audit", "--reason", purpose[1]],
        ["undo", "1", "--reason", purpose[1]],
        ["audit", "list"],
        ["audit", "verify"],
    ]
    for arguments in asked:
        code, out, err = ask(*arguments)
        assert max(len(line) for line in (out + err).splitlines()) <= 100, arguments
        assert len(err.splitlines()) <= 10
        assert code or "next: " in out


def test_a_refusal_that_is_too_long_says_so_and_the_problem_object_holds_all(ask):
    for service in "abcdefghij":
        assert ask("reserve", service, *MORNING, "--override", "--reason", "outage")[0] == 0
    said, problem = refused(ask, "reserve", "pay", *MORNING)

    assert "and more; --json names all" in said
    assert "Go against the rules with: --override --reason TEXT." in said
    assert [party["says"][0] for party in problem["conflicts"][0]["parties"]] == [*"abcdefghij"]


@pytest.fixture
def broken(ask, tmp_path):
    """The home of a ledger whose second entry was changed."""
    home = tmp_path / ".shipcast"
    for service in ("pay", "web", "api"):
        ask("reserve", service, "--start", "2027-03-01", "--duration", "1h", "--calendar", "/dev/null")
    path = home / LEDGER_FILE
    path.write_text(path.read_text().replace('"web"', '"wiki"'))
    return home


def test_a_broken_ledger_is_named_and_neither_written_to_nor_believed(ask, broken, tmp_path):
    before = (broken / LEDGER_FILE).read_bytes()
    for arguments in (["reserve", "cms", *MORNING], AUDIT, ["undo", "1"], ["calendar", "check", "pay", *NOON]):
        code, out, err = ask(*arguments)
        assert (code, out) == (7, "")
        assert "entry 2 was changed after it was written" in err
        assert "shipcast audit verify" in err
    listed = answered(ask, "audit", "list")
    verified = answered(ask, "audit", "verify", code=7)
    doctor = answered(ask, "doctor", code=7)

    assert [item["number"] for item in listed["items"]] == [1]
    assert "entry 2 was changed" in listed["warnings"][0]
    assert [(item["number"], item["what"]) for item in verified["items"]] == [(2, "changed")]
    assert ("ledger", "broken") in [(item["subject"], item["state"]) for item in doctor["items"]]
    assert ask("backup", str(tmp_path / "copy.tar"))[0] == 7
    assert not (tmp_path / "copy.tar").exists()
    assert (broken / LEDGER_FILE).read_bytes() == before


def test_a_head_that_was_noted_finds_a_ledger_that_was_rewritten_with_its_head(ask, tmp_path):
    home = tmp_path / ".shipcast"
    ask("reserve", "pay", *MORNING)
    noted = answered(ask, "audit", "verify")["head"]
    ask("reserve", "web", *MORNING)
    grown = answered(ask, "audit", "verify", "--expect", noted.upper())
    (home / LEDGER_FILE).unlink()
    write_sealed(home / HEAD_FILE, asdict(Head()))
    ask("reserve", "pay", *MORNING, "--for", "another")

    assert (grown["entries"], grown["items"]) == (2, [])
    assert answered(ask, "audit", "verify")["items"] == []
    [found] = answered(ask, "audit", "verify", "--expect", noted, code=7)["items"]
    assert (found["number"], found["what"]) == (None, "not expected")


def test_what_a_crash_left_behind_the_last_entry_is_said(ask, tmp_path):
    ask("reserve", "pay", *MORNING)
    with (tmp_path / ".shipcast" / LEDGER_FILE).open("a") as file:
        file.write('{"account":')

    assert "11 bytes of one that was not finished" in answered(ask, "audit", "verify")["warnings"][0]
    assert ask("reserve", "web", *MORNING)[0] == 0
    assert answered(ask, "audit", "verify")["warnings"] == []


def test_a_home_that_cannot_be_written_is_said_in_a_sentence(ask, tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = ask("--home", str(tmp_path / "file" / "home"), *AUDIT)

    assert (code, out) == (7, "")
    assert "Choose a folder you may write" in err


def test_a_backup_holds_the_ledger_and_a_restore_brings_it_back(ask, tmp_path):
    ask("reserve", "pay", *MORNING)
    chain = read_chain(tmp_path / ".shipcast")
    assert ask("backup", "copy.tar")[0] == 0
    assert ask("restore", "copy.tar", "--home", "other")[0] == 0

    assert read_chain(tmp_path / "other") == chain
    assert ask("reserve", "pay", *MORNING, "--home", "other")[0] == 4
    assert [item["state"] for item in answered(ask, "doctor")["items"] if item["subject"] == "ledger"] == ["good"]


FEBRUARY = ["--from", "2027-02-01", "--to", "2027-02-08"]


def listed(ask, *arguments, verb="list"):
    return [
        item for item in answered(ask, "calendar", verb, *FEBRUARY, *arguments)["items"] if item["kind"] == "booking"
    ]


def test_a_booking_is_in_the_calendar_of_its_service_environment_and_region_until_it_is_undone(ask):
    ask("reserve", "pay", *MORNING, "--for", "new prices", "--who", "ana", "--region", "eu", "--region", "us")
    [item] = listed(ask)

    assert item == {
        "rule": "booking 1", "kind": "booking", "effect": None, "start": "2027-02-01T09:00:00Z",
        "end": "2027-02-01T09:45:00Z", "tz": "UTC", "note": "by ana: new prices",
        "scope": {"service": ["pay"], "environment": ["production"], "region": ["eu", "us"]},
    }  # fmt: skip
    assert listed(ask, "--service", "pay") == listed(ask, "--service", "pay", "--region", "us") == [item]
    assert listed(ask, "--service", "web") == listed(ask, "--service", "pay", "--region", "asia") == []
    assert listed(ask, "--service", "pay", "--environment", "staging") == []
    ask("undo", "1")
    assert listed(ask) == []


def test_the_calendar_names_what_stands_against_its_bookings(ask, tmp_path):
    ask("reserve", "pay", *MORNING)
    ask("reserve", "web", *LATER)
    ask(*AUDIT, "--reason", "the auditors", "--environment", "production", "--from", "2027-02-01T10:00")
    (tmp_path / "calendar.toml").write_text(CALENDAR.replace("concurrent = 2", "concurrent = 1"))
    answer = answered(ask, "calendar", "list", *FEBRUARY)

    assert answer["sentence"].endswith("2 bookings, of which 2 conflicts are named.")
    assert [(one["rule"], [party["number"] for party in one["parties"]]) for one in answer["conflicts"]] == [
        ("audit", [2, 3]), ("two", [1, 2]),
    ]  # fmt: skip
    said = " ".join(ask("calendar", "list", *FEBRUARY)[1].split())
    assert "audit blocks it (the auditors), freeze 3 by" in said
    assert "- capacity two is exceeded: booking 1 by" in said
    elsewhere = answered(ask, "calendar", "list", *FEBRUARY, "--service", "api")
    assert (elsewhere["conflicts"], "booking" in elsewhere["sentence"]) == ([], False)


def events(path):
    found = Calendar.from_ical(path.read_bytes()).walk("VEVENT")
    return {str(one["SUMMARY"]): one for one in found if one["X-SHIPCAST-KIND"] == "booking"}


def test_a_booking_that_was_undone_stays_in_its_file_as_cancelled(ask, tmp_path):
    path, export = tmp_path / "out.ics", ["calendar", "export", "out.ics", *FEBRUARY]
    ask("reserve", "pay", *MORNING, "--for", "new prices", "--who", "ana")
    ask(*export)
    made = events(path)["Ship pay to production"]
    ask("undo", "1")
    ask(*export)
    gone = events(path)["Ship pay to production"]
    whole = path.read_bytes()
    ask(*export)

    assert (made["CATEGORIES"].cats, made["TRANSP"], made["SEQUENCE"]) == (["DEPLOYMENT"], "OPAQUE", 0)
    assert made["DESCRIPTION"] == "by ana: new prices"
    assert made["DTEND"].dt.isoformat() == "2027-02-01T09:45:00+00:00"
    assert "STATUS" not in made
    assert (gone["UID"], gone["STATUS"], gone["SEQUENCE"]) == (made["UID"], "CANCELLED", 1)
    assert path.read_bytes() == whole
    path.unlink()
    ask(*export)
    assert events(path) == {}  # nobody who reads the new file ever saw it


def test_bookings_are_left_out_of_an_import_and_counted(ask):
    ask("reserve", "pay", *MORNING)
    ask("calendar", "export", "out.ics", *FEBRUARY)
    answer = answered(ask, "calendar", "import", "out.ics", "--name", "copy")

    assert [item["rule"] for item in answer["items"]] == ["copy/lunch"]
    assert "Left out, since they are bookings and keep nobody else away: 1 events." in answer["warnings"]
    assert checked(ask, "web", *MORNING[:2], "--end", MORNING[1])["decision"] == "allowed"


MARK = ["unusable", "pay", *MORNING, "--reason", "stock count", "--who", "ana"]


def test_a_mark_says_what_it_is_about_and_names_bookings_on_either_side(ask):
    ask("reserve", "pay", "--start", "2027-02-01T09:30Z", "--duration", "30m")
    answer = answered(ask, *MARK)
    [marked] = answer["items"]

    assert (marked["kind"], marked["says"], marked["end"]) == (
        "unusable", "pay to production: stock count", "2027-02-01T09:45:00Z",
    )  # fmt: skip
    assert "1 booking lies in it." in answer["sentence"]
    assert [(one["start"], one["parties"][0]["number"]) for one in answer["conflicts"]] == [("2027-02-01T09:30:00Z", 1)]
    assert answered(ask, "audit", "list", "--kind", "unusable", "--service", "pay")["items"] == [marked]
    late = answered(ask, "reserve", "pay", "--start", "2027-02-01T09:00Z", "--duration", "15m")
    assert any(one.startswith("It was marked: unusable 2 by ana: pay to") for one in late["warnings"])
    assert ask("undo", "2")[0] == 0
    assert answered(ask, "reserve", "pay", "--start", "2027-02-01T09:15Z", "--duration", "15m")["warnings"] == []
    refused(ask, *MARK[:-4], code=2)
    assert "must not be empty" in refused(ask, *MARK[:-4], "--reason", " ", code=2)[0]


@pytest.mark.parametrize("place", ["--id", "--service", "--region"])
def test_a_name_with_control_characters_is_refused_and_never_printed_raw(ask, place):
    given = {"--id": "audit", "--service": "pay", "--region": "eu", place: "a\nb\x1b[1m"}
    flags = [word for pair in given.items() for word in pair]

    said, _ = refused(ask, "freeze", "add", *flags, "--from", "2027-02-01", "--to", "2027-02-01", code=2)

    assert said == rf"error: {place} must have no control characters. Got 'a\nb\x1b[1m' instead."


def test_an_error_keeps_to_its_lines_whatever_a_file_is_called(ask):
    code, out, err = ask("calendar", "list", "--calendar", "a\nb")

    assert (code, out) == (3, "")
    assert err.splitlines()[0] == "error: a?b: No such file or directory."


def test_an_override_does_not_count_the_booking_that_it_is_for(ask):
    for service in ("web", "api"):
        assert ask("reserve", service, *MORNING)[0] == 0
    ask(*AUDIT)
    span = ["--start", "2027-02-01T09:00Z", "--end", "2027-02-01T09:45Z"]
    given = ["--rule", "audit", "--reason", "outage", "--who", "ana"]

    assert answered(ask, "override", "web", *span, *given)["conflicts"] == []
    assert [one["rule"] for one in answered(ask, "override", "pay", *span, *given)["conflicts"]] == ["two"]
    said = " ".join(ask("calendar", "check", "web", *span)[1].split())
    assert "It may all the same: override 4 by ana lifts audit (outage)." in said


BOARD = """
[[cab]]
id = "board"
cron = "0 10 * * 2"
tz = "UTC"
deadline_hours = 24
"""


def test_a_booking_says_which_board_has_to_decide_on_it_still_and_by_when(ask, tmp_path):
    (tmp_path / "calendar.toml").write_text(BOARD)
    normal = ["reserve", "pay", *MORNING, "--type", "normal"]
    booked = answered(ask, *normal)
    [needed] = booked["approvals"]

    assert needed["rule"] == "board"
    assert needed["deadline"] < needed["meeting"] < "2027-02-01T09:00:00Z"
    assert "Board decides on" in booked["sentence"]
    assert "hand it in by" in booked["sentence"]
    ask("approve", "1")
    ask("undo", "1")
    given = ["--start", "2027-02-01T09:00Z", "--end", "2027-02-01T10:00Z", "--rule", "board"]
    assert answered(ask, "approve", "pay", *given)["items"]
    assert answered(ask, *normal)["approvals"] == []


def test_a_booking_of_no_said_type_is_told_of_the_board(ask, tmp_path):
    (tmp_path / "calendar.toml").write_text(BOARD)

    assert answered(ask, "reserve", "pay", *MORNING)["warnings"] == [
        "The type is not said: of normal changes board would have to decide."
    ]

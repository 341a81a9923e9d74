"""`shipcast calendar` as its users type it, on homes that hold nothing and on one that knows its services."""

import io
import json

import jsonschema
import pytest
import yaml

from shipcast.__main__ import run
from shipcast.answers.answer import SCHEMAS

CALENDAR = """
[[window]]
id = "night"
kind = "allow"
cron = "0 22 * * *"
minutes = 120
tz = "Europe/Berlin"
scope = { region = ["eu"] }

[[freeze]]
id = "year-end"
start = 2026-12-18
end = 2027-01-03
tz = "Europe/Berlin"
scope = { team = ["money"] }
reason = "the books are closed"

[[cab]]
id = "board"
cron = "0 10 * * 2"
tz = "Europe/Berlin"
deadline_hours = 24
"""
OPEN = ["--start", "2026-12-01T21:00Z", "--end", "2026-12-01T22:00Z"]
SHUT = ["--start", "2026-12-01T10:00Z", "--end", "2026-12-01T11:00Z"]


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


def answered(ask, *arguments):
    code, out, err = ask("--json", *arguments)
    assert code == 0, err
    answer = json.loads(out)
    schema = json.loads((SCHEMAS / f"{answer['schema'].split('/')[1]}.json").read_text(encoding="utf-8"))
    jsonschema.validate(answer, schema, format_checker=jsonschema.FormatChecker())
    return answer


def batch(folder, *questions):
    path = folder / "questions.jsonl"
    path.write_text("\n".join(json.dumps(one) if isinstance(one, dict) else one for one in questions))
    return str(path)


ASKED = {"service": "pay", "regions": ["eu"], "start": "2026-12-01T21:00:00Z", "end": "2026-12-01T22:00:00Z"}


def test_a_check_is_answered_on_an_empty_home_and_leaves_nothing_behind(ask, tmp_path):
    [item] = answered(ask, "calendar", "check", "pay", "--region", "eu", *OPEN)["items"]
    wanted = {"decision": "allowed", "rule": "night", "until": "2026-12-01T23:00:00Z", "next_allowed": ASKED["start"]}

    assert {key: item[key] for key in wanted} == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["calendar.toml"]


def test_many_questions_are_answered_in_their_order(ask, tmp_path):
    questions = batch(tmp_path, ASKED, "", {**ASKED, "start": ASKED["end"], "id": 7}, {**ASKED, "regions": None})
    items = answered(ask, "calendar", "check", "--batch", questions)["items"]

    assert [(item["decision"], item["rule"], item["id"]) for item in items] == [
        ("allowed", "night", None),
        ("allowed", "night", "7"),
        ("allowed", "default", None),
    ]


def test_questions_may_come_from_the_standard_input(ask, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ASKED) + "\n"))

    assert len(answered(ask, "calendar", "check", "--batch", "-")["items"]) == 1


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("{", "it is no JSON"),
        ("[1]", "it must be one object such as"),
        ('{"service": "pay", "service": "web"}', "the key 'service' stands twice"),
        ({**ASKED, "service": None}, "lacks the service"),
        ({"service": "pay", "end": ASKED["end"]}, "lacks the start"),
        ({**ASKED, "start": "noon"}, "start must be a time"),
        ({**ASKED, "start": 5}, "start must be text"),
        ({**ASKED, "end": "2026-11-01T00:00Z"}, "lies before start"),
        ({**ASKED, "end": "2036-11-01T00:00Z"}, "more than 366 days"),
        ({**ASKED, "regions": [1]}, "regions must be a list of names"),
        ({**ASKED, "change_type": "urgent"}, "standard, normal or emergency"),
    ],
    ids=str,
)
def test_a_line_that_is_no_question_is_named_and_none_is_answered(ask, tmp_path, line, word):
    code, out, err = ask("calendar", "check", "--batch", batch(tmp_path, ASKED, line))

    assert (code, out) == (4, "")
    assert "questions.jsonl:2: " in err
    assert word in err


def test_keys_of_no_use_are_named_once(ask, tmp_path):
    questions = batch(tmp_path, {**ASKED, "colour": "red"}, {**ASKED, "colour": "blue"})

    assert answered(ask, "calendar", "check", "--batch", questions)["warnings"] == [
        "Keys of no use to a question were left out: colour."
    ]


MISTAKES = [
    (["calendar", "check", "pay", "--start", "2026-12-01"], 2, "--end"),
    (["calendar", "check", "--batch", "q.jsonl", "pay"], 2, "leave out SERVICE"),
    (["calendar", "check", "--batch", "nowhere.jsonl"], 4, "nowhere.jsonl"),
    (["calendar", "check", "pay", *OPEN[2:], "--start", "2026-12-02"], 2, "before start"),
    (["calendar", "check", "pay", *OPEN, "--type", "urgent"], 2, "standard, normal or emergency"),
    (["calendar", "check", "pay", *OPEN, "--calendar", "nowhere.toml"], 3, "nowhere.toml"),
    (["calendar", "list", "--from", "2026-12-02", "--to", "2026-12-01"], 2, "--from must lie before --to"),
    (["calendar", "export", "--format", "argocd", "--from", "2027-01-01", "--to", "2028-01-02"], 2, "a year at most"),
    (["calendar", "import", "nowhere.ics"], 3, "nowhere.ics"),
    (["calendar", "import", "calendar.toml", "--name", "../up"], 2, "cannot name a calendar"),
    (["calendar", "import", "calendar.toml", "--format", "argocd"], 3, "neither YAML nor JSON"),
    (["calendar", "import", "nowhere.yml"], 3, "nowhere.yml"),
    (["calendar", "import", "shop.yaml", "--effect", "block"], 2, "Sync windows say themselves"),
]


@pytest.mark.parametrize(("arguments", "code", "word"), MISTAKES, ids=lambda value: str(value))
def test_a_mistake_is_said_in_words_with_its_exit_code(ask, arguments, code, word):
    said = ask(*arguments)

    assert (said[0], said[1]) == (code, "")
    assert word in said[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "pay", "--region", "eu", *OPEN],
        ["check", "pay", "--region", "eu", "--type", "normal", "--as-of", "2026-11-20", *SHUT],
        ["list", "--from", "2026-12-01", "--to", "2027-01-01"],
    ],
    ids=" ".join,
)
def test_an_answer_reads_in_at_most_a_hundred_columns(ask, arguments):
    code, out, _ = ask("calendar", *arguments)

    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 100
    assert "next: shipcast" in out


def test_no_word_of_the_list_is_broken_over_two_lines(ask, tmp_path):
    office = '[[business_hours]]\nid = "us-office"\nregion = "us"\ntz = "America/New_York"\nopen = "09:00"\n'
    blocked = '[[freeze]]\nid = "black-week"\nstart = 2026-12-02T00:00:00\nend = 2026-12-02T18:00:00\ntz = "UTC"\n'
    scope = 'scope = { service = ["portal", "search-api"], environment = ["production"] }\nreason = "few are there"\n'
    (tmp_path / "calendar.toml").write_text(f'{CALENDAR}{office}close = "17:00"\n{blocked}{scope}')

    _, out, _ = ask("calendar", "list", "--from", "2026-11-30", "--to", "2027-01-10", "--as-of", "2026-11-29")
    words = " ".join(out.split())

    assert " us-office business hours Mon 30 Nov 14:00 to 22:00 block us " in words
    assert " board cab Tue 1 Dec 09:00 all; deadline Mon 30 Nov 09:00 " in words
    assert {"black-week", "search-api", "production;", "year-end", "closed"} <= set(out.split())
    assert max(len(line) for line in out.splitlines()) <= 100


def test_a_refusal_says_why_until_when_and_when_next(ask):
    asked = ["calendar", "check", "pay", "--region", "eu", "--tz", "Europe/Berlin", "--as-of", "2026-11-20", *SHUT]
    said = " ".join(ask(*asked)[1].split())

    assert "pay may not ship to production at Tue 1 Dec 11:00 (Europe/Berlin)" in said
    assert "until Tue 1 Dec 22:00. It may from Tue 1 Dec 22:00." in said


@pytest.mark.parametrize(("asked", "year"), [("2026-12-23", " 2027"), ("2027-01-02", "")])
def test_a_time_of_another_year_than_the_question_is_told_with_its_year(ask, asked, year):
    frozen = ["--start", "2027-01-03T22:30Z", "--end", "2027-01-03T22:45Z", "--as-of", asked]
    said = " ".join(ask("calendar", "check", "pay", "--team", "money", *frozen)[1].split())
    listed = ask("calendar", "list", "--from", "2027-01-03", "--to", "2027-01-05", "--as-of", asked)[1]

    assert f"at Sun 3 Jan{year} 22:30 (UTC): by year-end (the books are closed) until Sun 3 Jan{year} 23:00." in said
    assert f"It may from Sun 3 Jan{year} 23:00." in said
    assert (f" Jan{year} " in listed, " 2027 " in listed) == (True, bool(year))


def test_a_normal_change_is_told_which_meeting_can_decide_on_it(ask):
    later = ["--start", "2026-12-10T21:00Z", "--end", "2026-12-10T22:00Z", "--region", "eu", "--type"]
    [in_time] = answered(ask, "calendar", "check", "pay", *later, "normal", "--as-of", "2026-11-30T09:00Z")["items"]
    [too_late] = answered(ask, "calendar", "check", "pay", *later, "normal", "--as-of", "2026-12-07T09:00:01Z")["items"]
    [standard] = answered(ask, "calendar", "check", "pay", *later, "standard")["items"]

    assert in_time["approvals"] == [
        {"rule": "board", "meeting": "2026-12-01T09:00:00Z", "deadline": "2026-11-30T09:00:00Z"}
    ]
    assert too_late["approvals"] == [{"rule": "board", "meeting": None, "deadline": None}]
    assert standard["approvals"] == []


def test_without_a_calendar_nothing_is_forbidden_and_that_is_said(ask, tmp_path):
    (tmp_path / "calendar.toml").unlink()
    answer = answered(ask, "calendar", "check", "pay", *SHUT)

    assert answer["items"][0]["rule"] == "default"
    assert "nothing is forbidden" in answer["warnings"][0]


def test_the_home_s_calendar_comes_before_the_folder_s(ask, tmp_path):
    (tmp_path / ".shipcast").mkdir()
    (tmp_path / ".shipcast" / "calendar.toml").write_text("")

    assert answered(ask, "calendar", "check", "pay", "--region", "eu", *SHUT)["items"][0]["rule"] == "default"


def test_an_export_comes_back_as_rules_beside_one_s_own(ask, tmp_path):
    period = ["--from", "2026-12-01", "--to", "2027-01-10"]
    before = answered(ask, "calendar", "list", *period)["items"]
    assert ask("calendar", "export", "out.ics", *period)[0] == 0
    assert answered(ask, "calendar", "import", "out.ics", "--name", "copy")["items"]
    (tmp_path / "calendar.toml").unlink()
    after = answered(ask, "calendar", "list", *period)["items"]

    kept = [item for item in before if item["kind"] != "cab"]
    assert [(item["start"], item["end"], item["effect"]) for item in after] == [
        (item["start"], item["end"], item["effect"]) for item in kept
    ]


def test_an_export_to_the_standard_output_is_the_file_itself(ask):
    said = ask("calendar", "export", "--from", "2026-12-01", "--to", "2026-12-05")[1]

    assert said.startswith("BEGIN:VCALENDAR")
    assert answered(ask, "calendar", "export", "--from", "2026-12-01", "--to", "2026-12-05")["ics"].startswith("BEGIN")


def test_an_export_for_argo_cd_holds_its_windows_below_what_they_cannot_say(ask, tmp_path):
    period = ["--from", "2026-12-01", "--to", "2027-12-01", "--format", "argocd"]
    code, out, _ = ask("calendar", "export", *period)
    answer = answered(ask, "calendar", "export", "windows.yaml", *period, "--service", "pay", "--region", "eu")
    windows = yaml.safe_load((tmp_path / "windows.yaml").read_text(encoding="utf-8"))["spec"]["syncWindows"]

    assert code == 0
    assert out.startswith("# Argo CD knows no regions and teams: night, year-end left out.")
    assert yaml.safe_load(out)["spec"]["syncWindows"] == []
    assert [(one["kind"], one["schedule"], one["applications"]) for one in windows] == [
        ("allow", "0 22 * * *", ["pay"])
    ]
    assert (answer["format"], answer["argocd"], answer["ics"]) == ("argocd", None, None)
    assert "Sync windows cannot say board: left out." in answer["warnings"]


PROJECT = """
kind: AppProject
metadata: {name: shop}
spec:
  syncWindows:
  - {kind: deny, schedule: "0 9 * * *", duration: 3h, applications: [pay], description: stock count}
  - {kind: allow, schedule: "0 0 * * *", duration: 24h, namespaces: [test], manualSync: true}
"""


@pytest.mark.parametrize(("name", "flags"), [("shop.yaml", []), ("shop.json", ["--format", "argocd"])])
def test_sync_windows_of_a_manifest_say_what_may_go(ask, tmp_path, name, flags):
    text = PROJECT if name.endswith("yaml") else json.dumps(yaml.safe_load(PROJECT))
    (tmp_path / name).write_text(text)
    answer = answered(ask, "calendar", "import", name, *flags)
    [item] = answered(ask, "calendar", "check", "pay", *SHUT)["items"]

    assert [(one["rule"], one["cron"], one["effect"], one["scope"]) for one in answer["items"]] == [
        ("shop/stock count", "0 9 * * *", "block", {"service": ["pay"]}),
        ("shop/allow-1", "0 0 * * *", "approval", {"environment": ["test"]}),
    ]
    assert (item["decision"], item["rule"], item["until"]) == ("blocked", "shop/stock count", "2026-12-01T12:00:00Z")
    assert "shop/allow-1" in ask("calendar", "import", name, *flags)[1]


def test_an_import_that_changes_nothing_leaves_its_file_alone(ask, tmp_path):
    (tmp_path / "shop.yaml").write_text(PROJECT)
    path = tmp_path / ".shipcast" / "calendars" / "shop.json"
    ask("calendar", "import", "shop.yaml")
    first = path.stat()
    ask("calendar", "import", "shop.yaml")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)

    (tmp_path / "shop.yaml").write_text(PROJECT.replace("3h", "4h"))
    ask("calendar", "import", "shop.yaml")
    assert '"minutes": 240' in path.read_text()


def test_an_import_under_a_taken_id_changes_nothing(ask, tmp_path):
    event = "BEGIN:VEVENT\nUID:1\nDTSTART:20261201T100000Z\nDURATION:PT1H\nSUMMARY:x\nEND:VEVENT"
    (tmp_path / "a.ics").write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{event}\nEND:VCALENDAR\n")
    own = CALENDAR.replace('"night"', '"a/x"')
    (tmp_path / "calendar.toml").write_text(own)
    code, _, err = ask("calendar", "import", "a.ics")

    assert (code, "'a/x' is taken" in err) == (3, True)
    assert (tmp_path / "calendar.toml").read_text() == own
    assert not (tmp_path / ".shipcast").exists()


def test_regions_and_team_are_those_of_the_home_unless_the_question_says_otherwise(built, ask):
    services = [
        {"service": "pay", "team": "money", "business_zone": "Asia/Tokyo", "regions": "eu;us"},
        {"service": "web", "team": None, "business_zone": None, "regions": None},
    ]
    home = ["--home", str(built({"services": services}).home), "calendar", "check"]
    warned = " ".join(answered(ask, *home, "pay", "--region", "mars", *SHUT)["warnings"])
    assert "mars is a region in which no service is known (known: " in warned
    frozen = ["--start", "2026-12-24T21:00Z", "--end", "2026-12-24T22:00Z"]
    [known] = answered(ask, *home, "pay", *frozen)["items"]
    [said] = answered(ask, *home, "pay", "--region", "us", "--team", "shop", *frozen)["items"]
    lacking = answered(ask, *home, "web", *frozen)
    stranger = answered(ask, *home, "pya", "--region", "us", *frozen)

    assert (known["rule"], known["regions"], known["team"]) == ("year-end", ["eu", "us"], "money")
    assert known["reason"] == "the books are closed"
    assert (said["rule"], said["regions"], said["team"]) == ("default", ["us"], "shop")
    assert lacking["warnings"] == ["No region is known of web: rules about regions were left out."]
    assert stranger["warnings"] == ["The data knows no service 'pya'; did you mean pay?"]
    assert "(Asia/Tokyo)" in ask(*home, "pay", *frozen)[1]


def test_the_calendar_of_this_folder_counts_for_a_home_elsewhere_until_that_has_one_of_its_own(ask, tmp_path):
    home = tmp_path / "elsewhere"
    home.mkdir()
    listed = ask("--home", str(home), "calendar", "list", "--from", "2026-12-20")[1]
    (home / "calendar.toml").touch()
    of_its_own = ask("--home", str(home), "calendar", "list", "--from", "2026-12-20")[1]

    assert f"Read from {tmp_path / 'calendar.toml'}." in " ".join(listed.split())
    assert "year-end" in listed
    assert f"Read from {home / 'calendar.toml'}." in " ".join(of_its_own.split())
    assert "year-end" not in of_its_own

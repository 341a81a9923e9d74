"""`shipcast gate` as pipelines run it: exit codes, JSON, JUnit XML and a Markdown summary."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import jsonschema
import pytest

from shipcast.__main__ import run
from shipcast.answers.answer import SCHEMAS

AT = ["--as-of", "2026-12-20T10:00Z"]
FREEZE = (
    '[[freeze]]\nid = "year-end"\nstart = 2026-12-18\nend = 2027-01-03\ntz = "UTC"\nreason = "the books are closed"\n'
)
HOSTILE = 'a|b\n<script>alert(1)</script> `x` & "q" \x1b[31m\u202e](http://evil) ' + "é" * 50
NAME = re.compile(r"\S(.*\S)?")


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    """Run a verb in an empty folder, where nothing is known: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def asked(*arguments):
        capsys.readouterr()
        code = run(["gate", *AT, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return asked


@pytest.fixture
def frozen(tmp_path):
    (tmp_path / "calendar.toml").write_text(FREEZE, encoding="utf-8")


def test_the_exit_code_is_the_verdict(ask, tmp_path):
    assert ask("pay")[0] == 11
    assert ask("pay", "--on-unknown", "go")[0] == 0
    assert ask("pay", "--on-unknown", "hold")[0] == 10
    (tmp_path / "calendar.toml").write_text(FREEZE, encoding="utf-8")
    assert ask("pay")[0] == 10
    assert ask("pay", "--on-unknown", "go")[0] == 10
    assert ask("pay", "--at", "2027-01-04")[0] == 11
    assert [path.name for path in tmp_path.iterdir()] == ["calendar.toml"]


def test_a_verdict_about_the_present_is_kept_once_it_is_given(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / ".shipcast" / "advice.jsonl"
    kept.parent.mkdir()

    assert run(["gate", "pay"]) == 11
    assert run(["gate", "pay", "--on-unknown", "go"]) == 0
    assert run(["gate", "pay", "--junit", "nowhere/gate.xml"]) == 7
    assert run(["gate", *AT, "pay"]) == 11
    assert [json.loads(line)["verdict"] for line in kept.read_text().split()] == ["unknown", "go"]
    assert "not kept" not in capsys.readouterr().out

    kept.unlink()
    kept.mkdir()
    assert run(["gate", "pay"]) == 11
    assert "This advice was not kept for later comparison: Is a directory." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--max-level", "mild"], 2, "'--max-level': 'mild' is not one of 'calm'"),
        (["--on-unknown", "maybe"], 2, "--on-unknown"),
        (["--type", "urgent"], 2, "standard, normal or emergency"),
        (["--at", "2026-12-19"], 2, "lies before the time of the question"),
        (["--duration", "soon"], 2, "--duration must be a duration"),
        (["--calendar", "nowhere.toml"], 3, "nowhere.toml"),
        (["--junit", "nowhere/gate.xml"], 7, "nowhere/gate.xml cannot be written: No such file or directory."),
        (["--summary", "."], 7, ". cannot be written: Is a directory. No verdict is given."),
    ],
    ids=str,
)
def test_what_is_set_up_wrongly_is_no_verdict(ask, arguments, code, words):
    said = ask("pay", *arguments)

    assert said[:2] == (code, "")
    assert words in said[2]


def test_a_verdict_reads_in_at_most_a_hundred_columns_and_says_until_when(ask, frozen):
    code, out, _ = ask("pay", "--type", "standard", "--tz", "Europe/Berlin")
    said = " ".join(out.split())

    assert code == 10
    assert max(len(line) for line in out.splitlines()) <= 100
    assert said.startswith(
        "Hold: pay may not ship to production at Sun 20 Dec 11:00 (Europe/Berlin). Blocked by year-end"
    )
    assert "(the books are closed) until Mon 4 Jan 2027 01:00 (Europe/Berlin). It may from Mon 4 Jan 2027 01:00" in said
    assert re.findall(r"^(\w+) +(go|hold|unknown) ", out, flags=re.MULTILINE) == [
        ("calendar", "hold"), ("approvals", "go"), ("level", "unknown"), ("holds", "unknown")
    ]  # fmt: skip
    assert "next: shipcast doctor" in said


@pytest.mark.parametrize("more", [[], ["--on-unknown", "go"], ["--at", "2027-01-04", "--duration", "1h"]], ids=str)
def test_the_json_answer_is_valid_against_its_shipped_schema(ask, frozen, more):
    code, out, _ = ask("--json", "pay", *more)
    answer = json.loads(out)

    schema = json.loads((SCHEMAS / "gate.json").read_text(encoding="utf-8"))
    jsonschema.validate(answer, schema, format_checker=jsonschema.FormatChecker())
    assert code == {"go": 0, "hold": 10, "unknown": 11}[answer["verdict"]]
    assert answer["reasons"]


def suite_of(path):
    """The one test suite of a file, held against the form that Apache Ant's schema asks for."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "testsuites"
    [suite] = root
    assert suite.attrib.keys() == {
        "name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
    assert [part.tag for part in suite] == ["properties", *["testcase"] * 4, "system-out", "system-err"]
    assert all(part.attrib.keys() == {"name", "value"} for part in suite.find("properties"))
    cases = suite.findall("testcase")
    for case in cases:
        assert case.attrib.keys() == {"name", "classname", "time"}
        assert NAME.fullmatch(case.get("name"))
        for became in case:
            assert became.attrib.keys() == {"message"} | ({"type"} if became.tag != "skipped" else set())
    tags = [became.tag for case in cases for became in case]
    counted = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {
        "tests": 4, "failures": tags.count("failure"), "errors": tags.count("error"), "skipped": tags.count("skipped")
    }  # fmt: skip
    return suite


def became(suite):
    """What became of each check's test."""
    return {
        case.get("name").rpartition(": ")[2]: case[0].tag if len(case) else "passed"
        for case in suite.findall("testcase")
    }


def test_junit_shows_a_hold_as_a_failure_and_what_cannot_be_said_as_an_error(ask, frozen, tmp_path):
    ask("pay", "--junit", "gate.xml")
    suite = suite_of(tmp_path / "gate.xml")

    assert became(suite) == {"calendar": "failure", "approvals": "passed", "level": "error", "holds": "error"}
    assert suite.find("testcase/failure").get("message").startswith("Blocked by year-end")
    assert {one.get("name"): one.get("value") for one in suite.find("properties")}["verdict"] == "hold"


def test_junit_skips_what_was_asked_to_count_as_go(ask, tmp_path):
    ask("pay", "--junit", "gate.xml", "--on-unknown", "go")

    assert became(suite_of(tmp_path / "gate.xml")) == {
        "calendar": "passed", "approvals": "passed", "level": "skipped", "holds": "skipped"
    }  # fmt: skip


def test_the_summary_is_appended_behind_what_is_there(ask, frozen, tmp_path):
    (tmp_path / "summary.md").write_text("before", encoding="utf-8")
    ask("pay", "--summary", "summary.md")
    ask("web", "--summary", "summary.md")
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")

    assert text.startswith("before\n### ⛔ Hold: pay may not ship")
    assert text.count("\n### ") == 2
    assert text.count("| ⛔ hold | calendar | Blocked by year-end (the books are closed)") == 2


def test_hostile_names_break_neither_file(ask, tmp_path):
    calendar = FREEZE.replace('"year-end"', json.dumps(HOSTILE)).replace('"the books are closed"', json.dumps(HOSTILE))
    (tmp_path / "calendar.toml").write_text(calendar, encoding="utf-8")
    code, out, _ = ask(HOSTILE, "--junit", "gate.xml", "--summary", "summary.md")
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]

    assert code == 10
    assert became(suite_of(tmp_path / "gate.xml"))["calendar"] == "failure"
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [4] * 6
    assert not re.search(r"[<>`\x1b\u202e]|\]\(|//evil", text)
    assert not re.search(r"[\x1b\u202e]", out)


def test_the_verdict_stands_where_nobody_reads_the_answer(frozen, tmp_path):
    shipcast = [sys.executable, "-m", "shipcast", "gate", "pay", *AT]
    with subprocess.Popen(shipcast, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        process.stdout.close()
        said = process.stderr.read()
        process.wait()

    assert (process.returncode, said) == (10, b"")

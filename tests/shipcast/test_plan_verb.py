"""`shipcast plan` as its user runs it: words, exit codes, and Ctrl-C."""

import json
import signal
import subprocess
import sys

import pytest

from shipcast.__main__ import run

LIST = [
    {"id": name, "service": name, "duration_minutes": 15, "cost": [4, 2, 3], "latest": "2026-01-05T00:45Z"}
    for name in "ab"
]


@pytest.fixture
def asked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def ask(requests, *flags):
        (tmp_path / "r.json").write_text(json.dumps({"as_of": "2026-01-05T00:00Z", "requests": requests}))
        code = run(["plan", "r.json", "--iterations", "5", *flags])
        return code, *capsys.readouterr()

    return ask


def test_on_an_empty_home_requests_with_costs_are_planned(asked):
    code, out, _ = asked(LIST)

    assert code == 0
    assert out.startswith("2 of 2 changes have a start: 4 is what they cost. No plan costs less.\n")
    assert "Mon 5 Jan 00:15" in out


def test_what_has_no_start_is_explained(asked):
    code, out, _ = asked([LIST[0], {**LIST[1], "service": "a", "deferral_cost": 1}])

    assert code == 0
    assert "No start for b (a): of its starts 1 while a runs, of the same service and environment," in out


@pytest.mark.parametrize(
    ("change", "flags", "code", "said"),
    [
        ({"depends_on": ["b"]}, [], 4, "a -> b -> a"),
        ({}, ["--without", "nothing"], 3, "The calendar has no rule 'nothing'."),
        ({}, ["--calendar", "missing.toml"], 3, "missing.toml"),
        ({"cost": None}, [], 7, ""),
    ],
)
def test_what_cannot_be_planned_ends_in_words(asked, change, flags, code, said):
    ended, out, err = asked([{**LIST[0], **change}, {**LIST[1], "depends_on": ["a"]}], *flags)

    assert (ended, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_ctrl_c_takes_the_best_plan_so_far(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"as_of": "2026-01-05T00:00Z", "requests": crowd()}))
    command = [sys.executable, "-P", "-m", "shipcast", "--json", "plan", "r.json", "--time-limit", "300"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline().startswith("… planning: ")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    answer = json.loads(out)
    assert answer["status"] == "interrupted"
    assert len(answer["items"]) + len(answer["unscheduled"]) == len(crowd())


def crowd():
    """Requests of one service that all want the same time, so that no plan is soon proven to be the best."""
    prices = [10 + 7 * (number % 13) + number % 5 for number in range(96)]
    return [
        {
            "id": f"r{number}", "service": f"s{number % 3}", "duration_minutes": 45 + 15 * (number % 4),
            "cost": [price * (1 + number % 7) for price in prices], "latest": "2026-01-06T00:00Z",
            "depends_on": [f"r{number - 9}"] if number % 4 == 3 and number > 9 else [],
        }
        for number in range(60)
    ]  # fmt: skip

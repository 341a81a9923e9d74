"""The command line as its users type it: one small company, every verb, every kind of mistake."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from shipcast.__main__ import run
from shipcast.answers.answer import SCHEMAS
from shipcast.answers.metrics import METRICS
from shipcast.cli import command
from shipcast.verbs.questions import LABELS

AS_OF = "2025-12-01T00:00:00Z"
ASKED = ["--as-of", AS_OF]


@pytest.fixture(scope="module")
def company(tmp_path_factory, simulated_exports, simulated_home):
    """Exports of a simulated company, and a home that holds them."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "exports").symlink_to(simulated_exports)
    shutil.copytree(simulated_home, folder / "home")
    return folder


@pytest.fixture
def ask(company, capsys):
    """Run a verb on that home: exit code, stdout, stderr."""

    def asked(*arguments):
        capsys.readouterr()
        code = run(["--home", str(company / "home"), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return asked


def schema_of(answer):
    return json.loads((SCHEMAS / f"{answer['schema'].split('/')[1]}.json").read_text(encoding="utf-8"))


def assert_valid(answer):
    assert answer.keys() >= {"schema", "generated_at", "as_of", "data_as_of", "items", "warnings"}
    jsonschema.validate(answer, schema_of(answer), format_checker=jsonschema.FormatChecker())


JSON_VERBS = [
    ["version"],
    ["doctor", *ASKED],
    ["metrics", *ASKED],
    ["metrics", *ASKED, "--by", "service"],
    ["metrics", *ASKED, "--by", "week"],
    ["metrics", *ASKED, "--by", "team"],
    ["metrics", *ASKED, "--by", "environment"],
    ["windows", "checkout", "--duration", "45m", *ASKED],
    ["now", "checkout", *ASKED],
    ["explain", "checkout", "--at", "2025-12-02T15:10Z", "--lines", "800", *ASKED],
    ["explain", "checkout", "--at", "2025-12-03", "--duration", "45m", *ASKED],
    ["explain", "checkout", *ASKED],
    ["forecast", "checkout", *ASKED],
    ["forecast", "--hours", "3", *ASKED],
    ["backtest", *ASKED],
    ["quality", *ASKED],
    ["backtest", "--model", "rate", "--every", "7d", "--environment", "staging", *ASKED],
    ["quarantine", "list"],
]


@pytest.mark.parametrize("arguments", JSON_VERBS, ids=" ".join)
def test_every_json_answer_is_valid_against_its_shipped_schema(ask, arguments):
    code, out, _ = ask("--json", *arguments)

    assert code == 0
    assert_valid(json.loads(out))


def width(said):
    assert said.strip()
    return max(len(line) for line in said.splitlines() if not line.startswith("note: "))


@pytest.mark.parametrize("arguments", JSON_VERBS, ids=" ".join)
def test_every_answer_reads_in_at_most_a_hundred_columns(ask, arguments):
    code, out, _ = ask(*arguments)

    assert code == 0
    assert width(out) <= 100


@pytest.mark.parametrize("by", ["service", "environment", "team", "week"])
def test_by_something_gives_a_row_each_with_a_column_for_every_metric(ask, by):
    answer = json.loads(ask("--json", "metrics", *ASKED, "--by", by)[1])
    keys = {item[by] or "(none)" for item in answer["items"]}
    lines = [line for line in ask("-q", "metrics", *ASKED, "--by", by)[1].splitlines() if line.split("  ")[0] in keys]
    rows = {}
    for line in lines:
        rows.setdefault(line.split("  ")[0], []).extend(line.replace(" %", "%").split("  ")[1:])

    assert rows.keys() == keys
    metrics = {item["metric"] for item in answer["items"]}
    assert {len([cell for cell in cells if cell.strip()]) for cells in rows.values()} == {len(metrics)}


def test_a_hint_is_about_the_same_home_and_time(ask, company):
    said = " ".join(ask("metrics", *ASKED)[1].replace("\\\n", "").split())

    assert f"next: shipcast --home {company / 'home'} --as-of {AS_OF} metrics --by service" in said


@pytest.mark.parametrize(
    ("arguments", "hinted"),
    [
        (
            ["metrics", "--environment", "staging", "--from", "2025-06-01"],
            "--environment staging --from 2025-06-01, or",
        ),
        (["metrics", "--service", "checkout"], "metrics --by week --service checkout, or"),
        (
            ["metrics", "--by", "week", "--service", "checkout"],
            "--metric lead_time --service checkout, for one of them",
        ),
        (["outlook", "--environment", "staging", "--top", "2"], " --environment staging"),
        (["calendar", "list", "--service", "checkout"], "calendar check checkout --start TIME --end TIME"),
    ],
)
def test_a_hint_keeps_what_the_question_was_narrowed_by(ask, arguments, hinted):
    _, said, _ = ask(*arguments, *ASKED)

    assert hinted in " ".join(said.partition("next:")[2].replace("\\\n", "").split())


def test_one_metric_by_something_keeps_its_intervals(ask):
    assert "95 % interval" in ask("metrics", *ASKED, "--by", "service", "--metric", "change_failure_rate")[1]
    assert "95 % interval" in ask("metrics", *ASKED, "--by", "service", "-v")[1]


def test_every_metric_has_a_label_of_its_own():
    assert LABELS.keys() == METRICS.keys()
    assert len(set(LABELS.values())) == len(LABELS)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("metrics --by t", ["team"]),
        ("metrics --metric lead", ["lead_time"]),
        ("windows che", ["checkout"]),
        ("explain che", ["checkout"]),
        ("now che", ["checkout"]),
        ("metrics --service che", ["checkout"]),
        ("metrics --environment prod", ["production"]),
    ],
)
@pytest.mark.parametrize("there", [True, False], ids=["a home", "no home"])
def test_completion_offers_metrics_keys_and_names(company, tmp_path, monkeypatch, capsys, typed, offered, there):
    home = company / "home" if there else tmp_path / "nowhere"
    words = f"shipcast --home {home} {typed}"
    for name, value in asked_by_a_shell(words).items():
        monkeypatch.setenv(name, value)

    assert run([]) == 0
    said = capsys.readouterr()
    assert said.out.split() == (offered if there or "che" not in typed else [])
    assert said.err == ""


def asked_by_a_shell(words):
    """The environment in which Bash asks how the last of these words goes on."""
    return {"_SHIPCAST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}


def test_a_shell_completes_a_name_that_the_home_knows(company):
    environment = asked_by_a_shell(f"shipcast --home {company / 'home'} windows che")
    done = subprocess.run(
        [sys.executable, "-m", "shipcast"], capture_output=True, text=True, env={**os.environ, **environment}
    )

    assert (done.stdout.split(), done.stderr) == (["checkout"], "")


def test_now_leads_to_why_with_the_same_flags(ask):
    said = ask("now", "checkout", "--duration", "45m", "--lines", "300", *ASKED)[1]
    said = " ".join(said.replace("\\\n", "").split())

    assert f"--as-of {AS_OF} explain checkout --at 2025-12-0" in said
    assert "Z --duration=45m --lines=300" in said


def test_why_shows_the_factors_and_how_the_most_alike_deployments_ended(ask):
    said = ask("explain", "checkout", "--at", "2025-12-02T15:00Z", "--duration", "45m", *ASKED)[1]

    for words in ("chance of failure", "minutes to restore", "requests per hour", "usual 100 %", "most alike", "next:"):
        assert words in said
    assert said.count("failure\n") >= 5


def test_common_flags_count_before_and_after_the_verb(ask):
    before = json.loads(ask("--json", "--as-of", AS_OF, "--tz", "Asia/Tokyo", "metrics")[1])
    after = json.loads(ask("metrics", "--tz", "Asia/Tokyo", "--json", "--as-of", AS_OF)[1])

    assert before["as_of"] == AS_OF
    assert before["items"] == after["items"]


def test_common_flags_count_within_a_verb_of_two_words(ask):
    assert json.loads(ask("quarantine", "--json", "list")[1]) | {"generated_at": None, "as_of": None} == json.loads(
        ask("quarantine", "list", "--json")[1]
    ) | {"generated_at": None, "as_of": None}


def test_an_empty_home_is_no_home(capsys):
    assert run(["--home", "", "doctor"]) == 2
    assert "--home is empty" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["init"], ["build"], ["metrics"], ["ingest", "files", "{exports}"]], ids=" ".join)
def test_a_home_that_is_a_file_is_a_storage_error(company, tmp_path, capsys, verb):
    (tmp_path / "file").write_text("")

    code = run(["--home", str(tmp_path / "file"), *(word.format(exports=company / "exports") for word in verb)])

    assert code == 7
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_of_a_load_ends_it_and_a_rerun_works(tmp_path, number, code):
    rows = (f"d{i},pay,prod,2025-01-01T00:00Z,succeeded\n" for i in range(200_000))
    (tmp_path / "deployments.csv").write_text("id,service,environment,started_at,status\n" + "".join(rows))
    home = tmp_path / "home"
    command = [sys.executable, "-m", "shipcast", "--home", str(home), "ingest", "files", str(tmp_path)]
    loading = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (home / "scratch.duckdb").exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"ended with {loading.wait(timeout=0.01)}")
    loading.send_signal(number)
    _, said = loading.communicate()

    assert loading.returncode == code, said
    assert "bug" not in said
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_a_reader_that_goes_away_is_no_error(company):
    asked = f"{sys.executable} -m shipcast --home {company / 'home'} metrics --by week --as-of {AS_OF} | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {asked}"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_the_flag_after_the_verb_wins(ask):
    answer = json.loads(ask("--json", "--as-of", "2020-01-01", "metrics", "--as-of", AS_OF)[1])

    assert answer["as_of"] == AS_OF


def test_simulated_data_says_so_wherever_it_answers(ask):
    for arguments in (["metrics", *ASKED], ["windows", "checkout", "--duration", "45m", *ASKED]):
        assert "simulated" in ask(*arguments)[1]
        assert any("simulated" in warning for warning in json.loads(ask("--json", *arguments)[1])["warnings"])


def test_loading_the_same_exports_again_changes_nothing(ask, company):
    items = json.loads(ask("--json", "ingest", "files", str(company / "exports"))[1])["items"]

    assert sum(item["read"] for item in items) > 1000
    assert all(item["unchanged"] + item["merged"] == item["read"] for item in items)


def test_the_quarantine_is_counted_first_and_its_rows_are_to_be_corrected_before_a_retry(tmp_path, capsys):
    rows = (f"d{number},pay,live,2025-01-01,fine\n" for number in range(30))
    (tmp_path / "deployments.csv").write_text("id,service,environment,started_at,status\n" + "".join(rows))
    home = ["--home", str(tmp_path / "home")]
    run([*home, "ingest", "files", str(tmp_path)])
    capsys.readouterr()

    run([*home, "quarantine", "list", "--limit", "2"])
    words = " ".join(capsys.readouterr().out.replace("\\\n", "").split())
    run([*home, "--json", "quarantine", "list", "--limit", "2"])
    answer = json.loads(capsys.readouterr().out)

    assert "the first 2 here. table rule column rows" in words
    assert "deployments unknown_status status 30 deployments.csv:2: d0: status 'fine'" in words
    assert f"next: correct the rows in {tmp_path / 'deployments.csv'}, then: shipcast" in words
    assert [(each["rule"], each["rows"]) for each in answer["refused"]] == [("unknown_status", 30)]
    assert_valid(answer)


MISTAKES = [
    (["metrics", "--metric", "lead_tiem"], 2, "lead_time"),
    (["metrics", "--by", "colour"], 2, "colour"),
    (["metrics", "--from", "2025-12-01", "--to", "2025-11-01"], 2, "--from"),
    (["metrics", "--as-of", "noon"], 2, "--as-of"),
    (["windows", "chekout", "--duration", "45m"], 2, "checkout"),
    (["windows", "checkout", "--duration", "soon"], 2, "--duration"),
    (["windows", "checkout"], 2, "--duration"),
    (["now", "chekout"], 2, "checkout"),
    (["explain", "checkout", "--at", "noon"], 2, "--at"),
    (["explain", "checkout", "--at", "2025-11-30", "--as-of", AS_OF], 2, "--as-of 2025-11-30T00:00:00Z"),
    (["explain", "checkout", "--at", "2026-02-01", "--as-of", AS_OF], 2, "35 days"),
    (["forecast", "checkout", "--hours", "900"], 2, "--hours"),
    (["backtest", "--model", "regresion"], 2, "regression"),
    (["backtest", "--from", "2025-12-01", "--to", "2025-11-01"], 2, "--from"),
    (["sail"], 2, "sail"),
    (["metrics", "--as-of", "0001-01-01"], 2, "--as-of"),
    (["metrics", "--tz", "Mars/Olympus"], 3, "Mars/Olympus"),
    (["run"], 3, "[[sources]]"),
    (["ingest", "files", "nowhere"], 4, "nowhere"),
]


@pytest.mark.parametrize(("arguments", "code", "word"), MISTAKES, ids=lambda value: str(value))
def test_a_mistake_is_said_in_words_with_its_exit_code(ask, arguments, code, word):
    said = ask(*arguments)

    assert said[0] == code
    assert said[1] == ""
    assert word in said[2]
    assert len(said[2].splitlines()) <= 10
    assert "Traceback" not in said[2]


@pytest.mark.parametrize(("arguments", "code", "word"), MISTAKES, ids=lambda value: str(value))
def test_a_mistake_is_a_problem_object_with_json(ask, arguments, code, word):
    said = ask("--json", *arguments)
    problem = json.loads(said[1])

    assert said[0] == problem["status"] == code
    assert problem.keys() == {"type", "title", "status", "detail", "instance"}
    assert word in problem["detail"]


WITHOUT_DATA = ["metrics", "windows checkout --duration 45m", "now checkout", "explain checkout --at 2125-01-01"]


@pytest.mark.parametrize("arguments", [words.split() for words in WITHOUT_DATA], ids=" ".join)
def test_a_home_without_data_says_what_to_do(arguments, tmp_path, capsys):
    assert run(["--home", str(tmp_path / "home"), *arguments]) == 7
    assert "ingest files DIR" in capsys.readouterr().err


def test_init_writes_once_and_never_overwrites(tmp_path, capsys):
    home = tmp_path / "home"

    assert run(["--home", str(home), "init"]) == 0
    (home / "shipcast.toml").write_text("settle_days = 3\n")
    assert run(["--home", str(home), "init"]) == 0

    assert (home / "shipcast.toml").read_text() == "settle_days = 3\n"
    assert "left as it is" in capsys.readouterr().out


def test_the_demo_ends_in_an_answer_says_that_it_is_simulated_and_writes_into_its_home_alone(
    parsed, tmp_path, monkeypatch, capsys
):
    home = tmp_path / "elsewhere" / "home"
    parsed(home / "demo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert run(["--home", str(home), "--json", "demo", *ASKED]) == 0
    answer = json.loads(capsys.readouterr().out)

    jsonschema.validate(answer, schema_of(answer))
    assert "simulated" in answer["warnings"][0]
    assert {item["metric"] for item in answer["metrics"]["items"]} >= {"lead_time", "rollback_rate", "environment_idle"}
    assert answer["windows"]["items"][0]["reasons"]
    assert answer["verification"]["services"] == 12
    assert {path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(home)} == set()


def test_the_demo_does_not_touch_a_folder_that_no_demo_made(tmp_path, capsys):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("mine")

    assert run(["--home", str(tmp_path), "demo"]) == 4
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "mine"


def test_simulate_does_not_write_over_files_that_were_not_simulated(tmp_path, capsys):
    (tmp_path / "deployments.csv").write_text("mine")

    assert run(["simulate", str(tmp_path)]) == 4
    assert (tmp_path / "deployments.csv").read_text() == "mine"


def items(home, capsys):
    capsys.readouterr()
    assert run(["--home", str(home), "--json", "metrics", *ASKED]) == 0
    return json.loads(capsys.readouterr().out)["items"]


def test_a_home_is_copied_and_put_back(company, tmp_path, capsys):
    home, new = str(company / "home"), str(tmp_path / "new")

    assert run(["--home", home, "backup", str(tmp_path / "copy.tar")]) == 0
    assert run(["--home", new, "restore", str(tmp_path / "copy.tar")]) == 0
    assert run(["--home", new, "restore", str(tmp_path / "copy.tar")]) == 7
    assert items(new, capsys) == items(home, capsys)


def test_a_damaged_snapshot_is_an_error_in_words_until_it_is_repaired(company, tmp_path, capsys):
    home = tmp_path / "home"
    shutil.copytree(company / "home", home)
    for path in (home / "snapshots").iterdir():
        content = bytearray(path.read_bytes())
        for block in range(3 * 4096, len(content), 2**18):
            content[block + 9000] ^= 1
        path.write_bytes(content)

    assert run(["--home", str(home), "metrics"]) == 7
    error = capsys.readouterr().err
    assert "damaged" in error
    assert f"shipcast --home {home} doctor --repair" in error.replace("\\\n  ", "")
    assert "Traceback" not in error
    assert run(["--home", str(home), "doctor"]) == 7
    assert run(["--home", str(home), "doctor", "--repair"]) == 0
    assert items(home, capsys) == items(company / "home", capsys)


def test_every_verb_is_tried_here_or_in_the_documentation():
    root = Path(__file__).parent.parent.parent
    pages = (root / "README.md", root / "docs" / "bookings.md", *Path(__file__).parent.glob("test_*.py"))
    told = " ".join(path.read_text(encoding="utf-8") for path in pages)

    assert [name for name in command().commands if name not in told] == []

"""`run` as its users type it: every source that is there, a build, a publication, and a training that is due."""

import contextlib
import io
import json
import shutil
import subprocess
from datetime import timedelta

import pytest
from company import CUT, instant

from shipcast.__main__ import run
from shipcast.features.errors import FeatureFileFailed

LATER = instant(CUT + timedelta(days=28))
PERSON = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
REPOSITORY = '[[sources]]\nkind = "git"\npath = "shop"\n'
SOURCES = f"""
[[sources]]
path = "gone"

[[sources]]
kind = "export"
path = "deep.json"
mapping = "incidents.toml"

[[sources]]
path = "input"

{REPOSITORY}releases = "merges"
"""


MAPPING = """
table = "incidents"

[columns]
incident_id = "key"
service = "service"
started_at = "key"
"""


@pytest.fixture(scope="module")
def home(trained_home, tmp_path_factory):
    """The home of `company`, whose sources are its tables, a repository of another service, and one that is gone."""
    home = shutil.copytree(trained_home.home, tmp_path_factory.mktemp("run") / "home")
    subprocess.run(["git", "init", "-q", str(home / "shop")], check=True)
    subprocess.run(["git", *PERSON, "commit", "-q", "--allow-empty", "-m", "first"], cwd=home / "shop", check=True)
    (home / "shipcast.toml").write_text(SOURCES, encoding="utf-8")
    (home / "deep.json").write_text(f'[{{"key": "A-1", "service": {"[" * 700}{"]" * 700}}}]', encoding="utf-8")
    (home / "incidents.toml").write_text(MAPPING, encoding="utf-8")
    return home


def ask(home, *arguments):
    """The exit code of a verb, and its answer."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = run(["--home", str(home), "--json", "-q", "--as-of", LATER, *arguments])
    return code, json.loads(said.getvalue())


@pytest.fixture(scope="module")
def ran(home):
    """A run four weeks after the training."""
    return ask(home, "run")


def test_a_source_that_is_gone_is_named_and_stops_no_other(home, ran):
    code, answer = ran

    assert code == 4
    assert any(str(home / "gone") in warning for warning in answer["warnings"])
    assert any("this is a bug (RecursionError at " in warning for warning in answer["warnings"])
    assert {item["table"] for item in answer["items"]} >= {"deployments", "incidents", "load"}
    assert ask(home, "metrics")[0] == 0


def test_repositories_are_read_too(ran):
    _, answer = ran

    assert {item["table"]: item["inserted"] for item in answer["items"] if item["file"].startswith("shop")} == {
        "deployments": 1,
        "changes": 1,
        "releases": 1,
    }
    assert any("marked as a proxy" in warning for warning in answer["warnings"])


def test_it_trains_when_the_model_is_old_and_says_so(home, ran):
    _, answer = ran
    _, windows = ask(home, "windows", "pay", "--duration", "30m")

    assert answer["training"].startswith("Retrained: the champion is 28 days old. Trained version 2 ")
    assert windows["model"]["version"] == 2


def test_a_training_that_fails_is_said_beside_what_was_read_and_published(trained_home, tmp_path):
    home = shutil.copytree(trained_home.home, tmp_path / "home")
    (home / "own.py").write_text("1 / 0\n", encoding="utf-8")
    (home / "shipcast.toml").write_text('features = ["own.py"]\n[[sources]]\npath = "input"\n', encoding="utf-8")
    code, answer = ask(home, "run")

    assert code == FeatureFileFailed.exit_code
    assert {item["table"] for item in answer["items"]} >= {"deployments", "incidents"}
    assert answer["training"] is None
    assert answer["warnings"][-1].startswith("A training was due and failed: ")
    assert "own.py" in answer["warnings"][-1]


def test_what_is_wrong_with_how_a_repository_is_configured_is_said(home, parsed, tmp_path):
    parsed(tmp_path)
    shutil.copytree(home / "shop", tmp_path / "shop")
    (tmp_path / "shipcast.toml").write_text(f'{REPOSITORY}tags = "v"\n')
    code, answer = ask(tmp_path, "run")

    assert code == 3
    assert any("does not say once where the version stands" in warning for warning in answer["warnings"])


BROKEN = "incident_id,service,started_at\nI-1,pay,never\n"


def test_a_quiet_run_says_what_failed_and_nothing_when_nothing_did(home, ran, tmp_path, capsys):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder, rows in ((good, BROKEN + "I-2,pay,2025-06-01T10:00Z\n"), (bad, BROKEN)):
        folder.mkdir()
        (folder / "incidents.csv").write_text(rows)
    (home / "own.py").write_text("1 / 0\n")
    said = {}
    for name, sources in {"good": [good], "bad": [good, bad, tmp_path / "gone"]}.items():
        entries = "".join(f'[[sources]]\npath = "{path}"\n' for path in sources)
        training = "retrain_days = 0" if name == "good" else 'features = ["own.py"]'
        (home / "shipcast.toml").write_text(f"{training}\n{entries}")
        said[name] = run(["--home", str(home), "run", "--once", "-q"]), *capsys.readouterr()

    assert said["good"] == (0, "", "")
    code, out, err = said["bad"]
    assert (code, out) == (4, "")
    assert f"error: {tmp_path / 'gone'}" in err
    assert "all 1 row quarantined, the first:" in err
    assert f"error: {home / 'own.py'}" in err
    assert all(line.startswith("error: ") for line in err.splitlines())

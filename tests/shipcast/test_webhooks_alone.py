"""A source that webhooks alone tell of: runs do not ask it, and nobody is told that it fails."""

import json

import pytest
from test_arrival import SHIPPED, told
from vendor import TOKEN, Reader

from shipcast.__main__ import run
from shipcast.answers.doctor import remote_finding
from shipcast.ingest.cursors import Cursor, keep
from shipcast.ingest.hooks.inbox import Inbox
from shipcast.pipeline import load_source
from shipcast.settings import Settings
from shipcast.settings.sources import ArgocdSource, GithubSource
from shipcast.warehouse.connection import open_work

ENTRY = '[[sources]]\nkind = "github"\nrepository = "acme/shop"\nhook_env = "HOOK"\n'
SHOP = GithubSource(repository="acme/shop", hook_env="HOOK")


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setenv("HOOK", "canary")


def ask(capsys, *arguments):
    code = run([*arguments, "--json", "-q"])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_takes_what_was_told_and_asks_for_nothing(parsed, tmp_path, monkeypatch, capsys):
    home = parsed(tmp_path / "home")
    (home / "shipcast.toml").write_text(f"retrain_days = 0\n{ENTRY}")
    monkeypatch.setenv("SHIPCAST_HOME", str(home))
    Inbox(home).add(told(SHOP, SHIPPED))

    code, answer = ask(capsys, "run")
    _, sources = ask(capsys, "sources")
    run(["sources"])

    assert (code, answer["warnings"]) == (0, [])
    assert answer["sentence"].startswith("github acme/shop is told of by webhooks alone. Read 1 row: 1 inserted.")
    assert [(item["state"], item["rows"], item["asked"]) for item in sources["items"]] == [("good", 1, False)]
    assert "github acme/shop is told of by webhooks alone" in capsys.readouterr().out


def test_an_environment_that_its_entry_calls_production_is_one(tmp_path):
    reader = Reader(tmp_path / "home")
    source = SHOP.model_copy(update={"production": ("live-eu",)})
    kinds = "select environment, kind from raw.environments"

    load_source(reader.settings, source, print)
    assert reader.rows(kinds) == [("live-eu", "production")]
    Inbox(reader.settings.home).add(told(SHOP, SHIPPED))
    report = load_source(reader.settings, source.model_copy(update={"production": ("live-eu", "live-us")}), print)

    assert [(item.table, item.inserted) for item in report.items] == [("environments", 1), ("deployments", 1)]
    assert reader.rows(f"{kinds} order by 1") == [("live-eu", "production"), ("live-us", "production")]


def test_the_doctor_misses_no_token(tmp_path):
    found = remote_finding(SHOP, None)

    assert (found.state, found.remedy) == ("good", None)
    assert "told of by webhooks alone, since GITHUB_TOKEN is not set" in found.finding


def test_a_token_that_is_there_or_named_is_used(monkeypatch):
    named = GithubSource(repository="acme/shop", hook_env="HOOK", token_env="NOWHERE")
    deaf = ArgocdSource(url="https://argo.example.com", hook_env="HOOK")

    assert SHOP.is_told_alone
    assert [each.is_told_alone for each in (named, deaf, GithubSource(repository="acme/shop"))] == [False] * 3
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    assert not SHOP.is_told_alone


def test_that_it_was_asked_before_is_said(tmp_path):
    settings = Settings(home=tmp_path)
    with open_work(tmp_path, settings) as connection:
        keep(connection, Cursor(f"{SHOP.label}: deployments", "", "{}", "", 0))

    [warning] = load_source(settings, SHOP, print).warnings
    assert "was asked before and is now told of by webhooks alone" in warning


def test_there_is_nothing_to_connect(capsys, tmp_path):
    home = ["--home", str(tmp_path / "home")]
    code, said = ask(capsys, *home, "connect", "github", "acme/shop", "--with", "hook_env=HOOK")

    assert code == 2
    assert "export GITHUB_TOKEN=..., or write its entry into shipcast.toml as docs/hooks.md shows." in said["detail"]

"""Sync windows of a server of Argo CD hold in the calendar, from one reading of the source to the next."""

import json
from datetime import UTC, datetime

import pytest
from test_argocd import Application, Server, sha
from vendor import TOKEN, Vendor, serving

from shipcast.__main__ import run
from shipcast.pipeline import load_source
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.settings import Settings, load_settings
from shipcast.settings.errors import ConfigurationError, SourceUnreachable
from shipcast.settings.sources import ArgocdSource

MORNING = ["--start", "2026-12-01T10:00Z", "--end", "2026-12-01T11:00Z"]
DENY = {"kind": "deny", "schedule": "0 9 * * *", "duration": "3h", "applications": ["pay-*"], "description": "stock"}
NIGHT = {"kind": "allow", "schedule": "0 22 * * *", "duration": "2h", "namespaces": ["bank"], "manualSync": True}


@pytest.fixture
def server():
    return Server(
        [
            Application("pay-production", project="bank", destination={"namespace": "bank"}).sync(1, sha("a")),
            Application("pay-test", project="bank", destination={"namespace": "try"}).sync(2, sha("b")),
        ],
        {"bank": [DENY]},
    )


@pytest.fixture
def argocd(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ARGOCD_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".shipcast").mkdir()
    with serving(Vendor(server.answer)) as vendor:
        yield vendor


@pytest.fixture
def read(argocd, tmp_path):
    """Read the source as a run does."""
    source = ArgocdSource(url=argocd.url, sync_windows=True)
    return lambda: load_source(Settings(home=tmp_path / ".shipcast"), source, lambda _: None)


def configured(tmp_path, argocd, wanted="true", others=""):
    """The settings that name the source; not wanted: without a word of its sync windows."""
    wants = f"sync_windows = {wanted}\n" if wanted else ""
    text = f'retrain_days = 0\n[[sources]]\nkind = "argocd"\nurl = "{argocd.url}"\n{wants}{others}'
    (tmp_path / ".shipcast" / "shipcast.toml").write_text(text)


@pytest.fixture
def check(capsys, argocd, tmp_path):
    """What the calendar says of a morning: the decision and the rule."""
    configured(tmp_path, argocd)

    def said(service, *arguments):
        capsys.readouterr()
        assert run(["--json", "calendar", "check", service, *MORNING, *arguments]) == 0
        [item] = json.loads(capsys.readouterr().out)["items"]
        return item["decision"], item["rule"].partition("/")[2] or item["rule"]

    return said


def kept(tmp_path):
    [path] = (tmp_path / ".shipcast" / "calendars" / "sources").glob("*.json")
    return path


def test_what_was_not_read_yet_under_its_present_name_is_said(read, argocd, server, tmp_path, capsys):
    def warned(*words):
        capsys.readouterr()
        run(["--json", *words])
        return "were not read yet" in capsys.readouterr().out

    asked = ("calendar", "check", "pay", *MORNING)
    server.projects["bank"] = None
    configured(tmp_path, argocd)
    assert warned(*asked)
    assert warned("doctor")

    read()
    assert not warned(*asked)
    assert not warned("doctor")

    configured(tmp_path, argocd, others='project = "bank"\n')
    assert warned(*asked)
    configured(tmp_path, argocd, wanted="")
    assert not warned(*asked)


def test_a_window_blocks_what_it_matches_until_it_is_changed_or_gone(read, check, server, tmp_path):
    read()
    assert check("pay") == ("blocked", "stock")
    assert check("web") == ("allowed", "default")

    server.projects["bank"] = [NIGHT]
    read()
    assert check("pay") == ("needs-approval", "no-allow-window")
    assert check("pay", "--environment", "test") == ("allowed", "default")

    server.projects["bank"] = None
    read()
    assert check("pay") == ("allowed", "default")
    assert json.loads(kept(tmp_path).read_text()) == {"window": []}


def test_a_server_that_lists_no_application_takes_no_window_away(read, check, server):
    read()
    server.applications = []
    report = read()

    assert any("the last sync windows stay" in warning for warning in report.warnings)
    assert check("pay") == ("blocked", "stock")


@pytest.mark.parametrize("wanted", ["", "false", None])
def test_windows_hold_only_as_long_as_the_settings_want_them(read, check, argocd, tmp_path, capsys, wanted):
    read()
    assert check("pay") == ("blocked", "stock")

    if wanted is None:
        (tmp_path / ".shipcast" / "shipcast.toml").unlink()
    else:
        configured(tmp_path, argocd, wanted)
    assert check("pay") == ("allowed", "default")
    run(["--json", "doctor"])
    assert "calendar" not in {item["subject"] for item in json.loads(capsys.readouterr().out)["items"]}

    configured(tmp_path, argocd)
    assert check("pay") == ("blocked", "stock")


def test_what_was_imported_by_hand_holds_whatever_the_sources_are(read, check, argocd, tmp_path):
    read()
    [rule] = json.loads(kept(tmp_path).read_text())["window"]
    by_hand = tmp_path / ".shipcast" / "calendars" / kept(tmp_path).name
    by_hand.write_text(json.dumps({"window": [{**rule, "id": "argocd/by hand"}]}))
    configured(tmp_path, argocd, "")

    assert check("pay") == ("blocked", "by hand")


def test_of_a_server_without_windows_it_is_known_that_it_has_none(read, server, tmp_path):
    server.projects["bank"] = []
    read()

    assert json.loads(kept(tmp_path).read_text()) == {"window": []}


def test_what_did_not_change_is_not_written_and_ids_stay(read, server, tmp_path):
    server.projects["bank"] = [DENY, NIGHT]
    read()
    first = kept(tmp_path).stat()
    read()
    assert (kept(tmp_path).stat().st_ino, kept(tmp_path).stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)

    server.projects = {"airline": [DENY], "bank": [DENY, NIGHT]}
    server.applications.append(Application("fly-production", project="airline").sync(3, sha("c")))
    before = json.loads(kept(tmp_path).read_text())["window"]
    read()
    assert json.loads(kept(tmp_path).read_text())["window"] == before


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (lambda server, argocd: setattr(server, "seen", set()), ConfigurationError, "projects, get, *, allow"),
        (lambda server, argocd: argocd.faults.extend([None, "html"]), SourceUnreachable, "a web page"),
        (lambda server, argocd: server.projects["bank"].append({**DENY, "schedule": "@daily"}), CalendarError,
         "window 1 of the project bank, schedule: '@daily' is no cron expression"),
    ],
    ids=["no right", "a sign-in page", "a schedule that cannot be read"],
)  # fmt: skip
def test_a_reading_that_fails_leaves_the_last_windows_in_force(read, check, server, argocd, spoil, kind, said):
    read()
    spoil(server, argocd)

    with pytest.raises(kind) as raised:
        read()

    assert said in str(raised.value)
    assert check("pay") == ("blocked", "stock")


def test_an_id_that_is_taken_is_said_and_the_rows_are_stored(read, argocd, tmp_path):
    read()
    [rule] = json.loads(kept(tmp_path).read_text())["window"]
    kept(tmp_path).unlink()
    (tmp_path / "calendar.toml").write_text(f'[[freeze]]\nid = "{rule["id"]}"\nstart = 2026-12-01\nend = 2026-12-02\n')

    with pytest.raises(CalendarError, match="is taken already") as raised:
        read()

    assert str(raised.value).startswith(
        f"argocd {argocd.url.removeprefix('http://')}: its sync windows were not taken."
    )


def test_connect_says_what_windows_there_are_and_how_to_take_them(argocd, server, capsys):
    def connected(*more):
        code = run(["--json", "connect", "argocd", "--url", argocd.url, *more])
        assert code == 0
        return json.loads(capsys.readouterr().out)["sentence"]

    assert "It has 1 sync window, which sync_windows = true in its entry keeps" in connected("--dry-run")
    server.seen = set()
    assert "sync window" not in connected("--dry-run")
    assert "Its token may not see projects yet" in connected("--dry-run", "--with", "sync_windows=true")
    server.seen = None
    assert "Its 1 sync window will be kept in the calendar." in connected("--with", "sync_windows=true")
    assert [source.sync_windows for source in load_settings({}).sources] == [True]


def test_a_run_shows_the_failure_among_the_sources_and_goes_on(argocd, server, check, read, parsed, tmp_path, capsys):
    read()
    parsed(tmp_path / ".shipcast")
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "services.csv").write_text("service\nweb\n")
    configured(tmp_path, argocd, others=f'[[sources]]\npath = "{tmp_path / "input"}"\n')
    server.seen = set()

    code = run(["--json", "-q", "run"])
    items = json.loads(capsys.readouterr().out)["items"]
    run(["--json", "sources", "--as-of", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"])
    states = json.loads(capsys.readouterr().out)["items"]

    assert (code, [item["table"] for item in items]) == (3, ["services"])
    assert [item["state"] for item in states] == ["failing", "good"]
    assert "p, role:shipcast, projects, get, *, allow" in states[0]["failure"]
    assert check("pay") == ("blocked", "stock")

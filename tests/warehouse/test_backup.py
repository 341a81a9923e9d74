"""A backup holds what the home held, is verified before it is used, and replaces nothing in silence."""

import json
import random
import shutil
import tarfile
from datetime import UTC, datetime

import pytest

from shipcast.answers.tokens import add_token
from shipcast.ingest.hooks.inbox import Event, Inbox
from shipcast.models.registry import Registry, artefact
from shipcast.models.serving import served
from shipcast.pipeline import FONTS
from shipcast.scheduling.calendar.files import calendar_files
from shipcast.settings import Settings
from shipcast.settings.files import SEAL, seal
from shipcast.warehouse.backup import LAYOUT, MANIFEST, backup, restore
from shipcast.warehouse.connection import open_built, open_work
from shipcast.warehouse.errors import BackupRefused, NewerHome
from shipcast.warehouse.snapshot import open_current, publish


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("made")
    (home / "shipcast.toml").write_text('tz = "Asia/Tokyo"\n')
    with open_work(home) as connection:
        connection.execute("insert into raw.holds (service) values ('pay')")
    with open_built(home) as connection:
        connection.execute("create table marts.answers as select 42 as answer")
    for _ in range(2):
        publish(home, keep=2)
    return home


@pytest.fixture
def home(made, tmp_path):
    return shutil.copytree(made, tmp_path / "home")


@pytest.fixture(scope="module")
def made_copy(made, tmp_path_factory):
    return backup(made, tmp_path_factory.mktemp("copy") / "copy.tar").path


@pytest.fixture
def copy(made_copy, tmp_path):
    """A backup of `home`."""
    return shutil.copy(made_copy, tmp_path / "copy.tar")


@pytest.fixture(scope="module")
def made_state(made):
    return state(made)


@pytest.fixture
def new(tmp_path):
    """Where to restore to."""
    folder = tmp_path / "new"
    folder.mkdir()
    return folder


def state(home):
    with open_work(home) as connection, open_current(home) as snapshot:
        return (
            connection.execute("select service from raw.holds").fetchall(),
            snapshot.execute("select answer from answers").fetchall(),
            (home / "shipcast.toml").read_text(),
        )


def files(home):
    return {path.relative_to(home): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_what_was_copied_comes_back(home, copy, new):
    restored = restore(copy, new)

    assert sorted(restored.files) == sorted(backup_names(copy))
    assert state(new) == state(home)


def backup_names(copy):
    with tarfile.open(copy) as archive:
        return [name for name in archive.getnames() if name != MANIFEST]


def test_it_holds_the_published_snapshot_and_no_other_and_nothing_that_a_crash_left(home, tmp_path):
    for name in ("scratch.duckdb", ".current.json.unfinished", "run.holder"):
        (home / name).write_text("left")
    (home / "dbt" / "target").mkdir(parents=True)
    (home / "dbt" / "target" / "manifest.json").write_text("{}")
    published = json.loads((home / "current.json").read_text())["file"]

    names = backup_names(backup(home, tmp_path / "copy.tar").path)

    assert names == ["current.json", "shipcast.toml", f"snapshots/{published}", "work.duckdb"]


def test_it_holds_nothing_that_a_server_writes_meanwhile_nor_who_may_ask_it(home, tmp_path):
    add_token(home, datetime.now(UTC), "reader", ["read"], 1)
    Inbox(home).add([Event("events ci", "1", "deployments", "x", "2026-01-05T10:00:00Z", "{}")])

    copied = backup(home, tmp_path / "other.tar").path

    with tarfile.open(copied) as archive:
        names = archive.getnames()
    assert not [name for name in names if "inbox" in name or "tokens" in name]


def test_a_restored_home_has_the_same_models_and_calendars(trained_home, tmp_path, new):
    home = shutil.copytree(trained_home.home, tmp_path / "trained")
    (home / "calendars").mkdir()
    (home / "calendars" / "provider.json").write_text('{"window": []}')
    (home / "models" / FONTS).mkdir(exist_ok=True)
    (home / "models" / FONTS / "fonts.json").write_text("of this machine")
    before = served(home, datetime.fromisoformat("2025-07-01"))

    restored = restore(backup(home, tmp_path / "copy.tar").path, new)
    again = served(new, datetime.fromisoformat("2025-07-01"))

    assert again.entry == before.entry
    assert again.model.describe() == before.model.describe()
    assert {name: artefact(new, again.entry, name).read_bytes() for name in again.entry.kept} == {
        name: artefact(home, before.entry, name).read_bytes() for name in before.entry.kept
    }
    assert Registry(new).versions() == Registry(home).versions()
    assert calendar_files(Settings(home=new)) == (new / "calendars" / "provider.json",)
    assert not [name for name in restored.files if FONTS in name]


def test_in_a_folder_it_is_named_after_the_time(home, tmp_path):
    (tmp_path / "backups").mkdir()
    made = backup(home, tmp_path / "backups")

    assert [made.path] == list((tmp_path / "backups").glob("shipcast-2*Z.tar"))


@pytest.mark.parametrize("seed", range(20))
def test_a_changed_byte_restores_nothing_or_the_same(made_state, copy, new, tmp_path, seed):
    draw = random.Random(seed)
    content = bytearray(copy.read_bytes())
    # Every other one in the last blocks, where the manifest lies.
    place = draw.randrange(len(content)) if seed % 2 else len(content) - 1 - draw.randrange(12_000)
    content[place] ^= 1 << draw.randrange(8)
    copy.write_bytes(content)

    try:
        restore(copy, new)
    except BackupRefused:
        assert list(new.iterdir()) == []
        assert not list(tmp_path.glob(".*unfinished"))
    else:
        assert state(new) == made_state


@pytest.mark.parametrize("kept", [0, 100, 5000, -12_000])
def test_a_backup_that_breaks_off_is_refused(copy, new, kept):
    copy.write_bytes(copy.read_bytes()[:kept])

    with pytest.raises(BackupRefused, match=r"copy\.tar"):
        restore(copy, new)


def test_a_home_that_is_not_empty_is_replaced_only_by_force_and_then_set_aside(home, copy, tmp_path):
    with open_work(home) as connection:
        connection.execute("insert into raw.holds (service) values ('later')")
    before = files(home)

    with pytest.raises(BackupRefused, match="not empty"):
        restore(copy, home)
    assert files(home) == before

    restored = restore(copy, home, force=True)

    assert state(home)[0] == [("pay",)]
    assert files(restored.replaced) == before


def test_a_file_that_leads_out_of_the_home_is_refused(new, tmp_path):
    (tmp_path / "evil").write_text("evil")
    listed = {"../evil": {"sha256": "", "bytes": 4}}
    facts = {"layout": LAYOUT, "format": 1, "written_by": "shipcast 0.1", "files": listed}
    (tmp_path / MANIFEST).write_text(json.dumps({**facts, SEAL: seal(facts)}))
    with tarfile.open(tmp_path / "copy.tar", "w") as archive:
        archive.add(tmp_path / "evil", "../evil")
        archive.add(tmp_path / MANIFEST, MANIFEST)

    with pytest.raises(BackupRefused, match="manifest"):
        restore(tmp_path / "copy.tar", new)


def test_a_backup_of_a_later_version_is_refused(home, new, tmp_path, monkeypatch):
    monkeypatch.setattr("shipcast.warehouse.backup.FORMAT", 99)
    path = backup(home, tmp_path / "copy.tar").path
    monkeypatch.undo()

    with pytest.raises(NewerHome, match="99"):
        restore(path, new)


@pytest.mark.parametrize("where", ["home/copy.tar", "home"])
def test_a_backup_within_the_home_is_refused(home, tmp_path, where):
    with pytest.raises(BackupRefused, match="lies in the home"):
        backup(home, tmp_path / where)


def test_a_damaged_home_is_not_copied(home, tmp_path):
    (home / "work.duckdb").write_bytes((home / "work.duckdb").read_bytes()[:300_000])

    with pytest.raises(BackupRefused, match=r"work\.duckdb"):
        backup(home, tmp_path / "copy.tar")
    assert not list(tmp_path.glob("*copy*"))


def test_an_empty_home_and_a_target_that_exists_are_refused(home, copy, tmp_path):
    with pytest.raises(BackupRefused, match="already"):
        backup(home, copy)
    with pytest.raises(BackupRefused, match="nothing yet"):
        backup(tmp_path / "none", tmp_path / "other.tar")

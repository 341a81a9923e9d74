"""One process writes at a time, and the second is told who is at work."""

import subprocess
import sys

import pytest

from shipcast.settings.errors import Locked, StorageError
from shipcast.warehouse.lock import ledger_lock, run_lock

HOLD = """
import sys
from pathlib import Path
from shipcast.warehouse.lock import ledger_lock, run_lock
with run_lock(Path(sys.argv[1]), "build"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the home until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path, holder):
    with pytest.raises(Locked) as caught, run_lock(tmp_path, "run"):
        pass

    assert "shipcast build" in str(caught.value)
    assert caught.value.facts["pid"] == holder.pid
    assert caught.value.facts["since"].endswith("Z")
    assert caught.value.exit_code == 6


def test_a_killed_holder_leaves_the_home_free(tmp_path, holder):
    holder.kill()
    holder.wait()

    with run_lock(tmp_path, "run"):
        assert "run" in (tmp_path / "run.holder").read_text()

    assert not (tmp_path / "run.holder").exists()


def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="file"), run_lock(tmp_path / "file" / "home", "run"):
        pass


def test_a_booking_waits_for_no_run_and_not_for_ever_for_another(tmp_path, monkeypatch):
    monkeypatch.setattr("shipcast.warehouse.lock.LEDGER_SECONDS", 0)
    second = pytest.raises(Locked, match="another command has held")
    with run_lock(tmp_path, "run"), ledger_lock(tmp_path), second, ledger_lock(tmp_path):
        pass

    with ledger_lock(tmp_path):
        pass

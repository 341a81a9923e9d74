"""Runs that follow each other, and what is kept of how the sources fared."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipcast.__main__ import run
from shipcast.answers.sources import sources_answer
from shipcast.ingest.health import FILE, health, record
from shipcast.pipeline import PASSED_OVER, in_order
from shipcast.service import repeat, until_next
from shipcast.settings import Settings
from shipcast.settings.errors import (
    ConfigurationError,
    InputRefused,
    Locked,
    ModelError,
    ShipcastError,
    SourceUnreachable,
    StorageError,
    UsageError,
)
from shipcast.settings.sources import FilesSource, PagerdutySource, PrometheusSource

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


@given(st.floats(0, 1e6), st.floats(60, 1e5))
def test_the_next_run_is_due_at_a_multiple_of_the_pace(passed, every):
    pause = until_next(passed, every)

    assert 0 < pause <= every
    assert (passed + pause) % every == pytest.approx(0, abs=1e-3) or (passed + pause) % every == pytest.approx(every)


class Enough(BaseException):
    """Ends a repetition from within, as a signal does."""


def repeated(*outcomes):
    """The failures that were told while the work ended as given, once after the other."""
    waiting, told = list(outcomes), []

    def work():
        if not waiting:
            raise Enough
        if error := waiting.pop(0):
            raise error

    with pytest.raises(Enough):
        repeat(timedelta(microseconds=1), work, told.append)
    return told


def test_a_failure_is_told_and_the_next_run_is_due_all_the_same():
    locked, wrong = Locked("another run"), ConfigurationError("tz is wrong")

    bug = OverflowError("nobody thought of it")

    assert repeated(None, locked, wrong, bug, None) == [locked, wrong, bug]


def test_what_is_wrong_from_the_start_ends_it():
    with pytest.raises(ConfigurationError):
        repeat(timedelta(minutes=1), lambda: (_ for _ in ()).throw(ConfigurationError("no source")), print)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--every", "5"], None),
        (["--every", "0m"], "--every must be a duration such as 15m or 1h, at most 31 days"),
        (["--every", "400d"], "such as 15m or 1h, at most 31 days"),
        (["--every", "5s"], "Seconds do not count: say whole minutes."),
        (["--every", "15m", "--once"], "exclude each other"),
        (["--every", "15m", "--as-of", "2025-01-01"], "Leave --as-of out"),
    ],
)
def test_a_pace_that_cannot_be_kept_is_refused(tmp_path, capsys, arguments, words):
    code = run(["--home", str(tmp_path / "home"), "run", *arguments])

    said = capsys.readouterr().err
    assert (code, words is None or words in said) == ((3 if words is None else 2), True)


def test_the_page_says_what_each_exit_code_of_a_run_means():
    table = (ROOT / "docs" / "service.md").read_text(encoding="utf-8").split("## Exit codes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.*?) ?\| (.*?) ?\|$", table, flags=re.MULTILINE)
    kinds = (ShipcastError, UsageError, ConfigurationError, InputRefused, SourceUnreachable, Locked, StorageError)

    assert {int(code) for code, _, _ in rows} == {0, *(kind.exit_code for kind in (*kinds, ModelError))}
    of_sources = {0, ShipcastError.exit_code, *(kind.exit_code for kind in PASSED_OVER)}
    assert {int(code) for code, source, _ in rows if source} == of_sources


def test_an_image_takes_nothing_from_a_checkout_that_git_does_not_keep():
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()}
    left_out = {line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()}

    assert ignored | {".git"} <= left_out


def test_a_signal_ends_it_between_two_runs_and_what_was_published_stays(parsed, tmp_path):
    home = parsed(tmp_path / "home")
    (home / "shipcast.toml").write_text(f'retrain_days = 0\n[[sources]]\npath = "{tmp_path / "gone"}"\n')
    command = [sys.executable, "-P", "-m", "shipcast", "--home", str(home), "run", "--every", "60m", "--json", "-q"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ})
    answer = json.loads(b"".join(iter_object(child.stdout)))
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)

    assert answer["schema"] == "shipcast/run/1"
    assert child.returncode == 143
    assert run(["--home", str(home), "sources"]) == 0


def iter_object(stream):
    """The lines of the first JSON object of a stream."""
    for line in stream:
        yield line
        if line == b"}\n":
            return


def test_how_a_source_fared_is_kept_and_its_last_good_reading_with_it(tmp_path):
    later = AT + timedelta(hours=1)
    record(tmp_path, [("a", 7)], AT)
    record(tmp_path, [("a", SourceUnreachable("no answer.", next_step="wait"))], later)

    [found] = health(tmp_path).values()
    assert (found.read_at, found.good_at, found.rows, found.failure) == (later, AT, 7, "no answer. wait")


def test_a_damaged_record_tells_of_nothing(tmp_path):
    record(tmp_path, [("a", 7)], AT)
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace("7", "8", 1))

    assert health(tmp_path) == {}


def states(home, as_of):
    settings = Settings(home=home, stale_days=7, sources=(FilesSource(path="a"), FilesSource(path="b")))
    return [item.state for item in sources_answer(settings, as_of).items]


def test_a_source_is_good_then_stale_and_failing_once_it_fails(tmp_path):
    record(tmp_path, [("a", 7), ("b", SourceUnreachable("no answer."))], AT)

    assert states(tmp_path, AT + timedelta(days=7)) == ["good", "failing"]
    assert states(tmp_path, AT + timedelta(days=7, seconds=1)) == ["stale", "failing"]
    assert states(tmp_path, AT - timedelta(seconds=1)) == ["unread", "unread"]


def test_what_names_services_is_read_after_what_deploys_them():
    pagerduty = PagerdutySource(kind="pagerduty")
    prometheus = PrometheusSource(kind="prometheus", url="http://127.0.0.1:9", query="up")
    tables, more = FilesSource(path="a"), FilesSource(path="b")

    assert in_order([pagerduty, tables, prometheus, more]) == [tables, more, pagerduty, prometheus]

"""What a drawing rests on: one snapshot, the newest, and answers that are kept while nothing changes."""

import shutil
import threading
from datetime import UTC, datetime, timedelta

import pytest
from company import COMPANY, CUT
from drawing import drawn, headline, is_broken, words

from shipcast.answers.metrics import metrics
from shipcast.dashboards.view import last_change, source
from shipcast.settings import Settings
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import FOLDER, POINTER, publish


@pytest.fixture
def home(built_once, tmp_path):
    """A home of one's own, with its snapshot."""
    shutil.copytree(built_once("page_company", COMPANY).home, tmp_path / "home")
    return Settings(home=tmp_path / "home")


def published(home):
    with run_lock(home.home, "test"):
        return publish(home.home, keep=1)


def test_an_answer_is_computed_once_while_nothing_changes(home):
    asked = []

    def question(reader):
        asked.append(reader.as_of)
        return len(asked)

    before = [source(home, CUT).ask(question) for _ in range(3)]
    (home.home / "calendar.toml").write_text("", encoding="utf-8")
    after = source(home, CUT).ask(question)
    published(home)

    assert before == [1, 1, 1]
    assert after == 2
    assert source(home, CUT).ask(question) == 3
    assert source(home, CUT + timedelta(hours=1)).ask(question) == 4


def test_a_publication_appears_and_a_drawing_that_has_begun_keeps_to_its_snapshot(home):
    begun = source(home, CUT)
    before = begun.ask(metrics).items
    newer = published(home)

    assert begun.ask(metrics, by="service").items
    assert begun.snapshot != newer
    assert source(home, CUT).snapshot == newer
    assert source(home, CUT).ask(metrics).items == before


def test_while_snapshots_are_published_over_and_over_a_page_never_breaks(home):
    over = threading.Event()

    def publish_on():
        while not over.is_set():
            published(home)

    publisher = threading.Thread(target=publish_on)
    publisher.start()
    try:
        pages = [drawn(home, "delivery", CUT) for _ in range(5)]
    finally:
        over.set()
        publisher.join()

    assert [words(page) for page in pages if is_broken(page)] == []
    assert len({headline(page) for page in pages}) == 1


def test_a_snapshot_that_is_gone_or_damaged_is_said_calmly_with_what_mends_it(home):
    (snapshot,) = (home.home / FOLDER).glob("*.duckdb")
    snapshot.write_bytes(b"no database")
    damaged = drawn(home, "delivery")
    (home.home / POINTER).write_text("{", encoding="utf-8")
    unreadable = drawn(home, "delivery")

    for page in (damaged, unreadable):
        assert not page.exception
        assert headline(page) == "The data cannot be read at the moment."
        assert "shipcast doctor" in words(page)
        assert "Traceback" not in words(page)


def test_questions_are_asked_at_the_last_quarter_or_the_last_change_of_the_home():
    now = datetime.now(UTC)
    changed = now - timedelta(seconds=2)

    assert last_change(()).minute % 15 == 0
    assert timedelta() <= now - last_change(()) < timedelta(minutes=15, seconds=5)
    assert last_change((("ledger.jsonl", int(changed.timestamp() * 1e9), 10),)) >= changed

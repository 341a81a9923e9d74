"""What a drawing rests on: one snapshot, the newest, and answers that are kept while nothing changes."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from company import CUT
from drawing import drawn, headline, is_broken, words

from shipcast.answers import ahead
from shipcast.answers.ahead import Ahead
from shipcast.answers.choices import choices
from shipcast.answers.metrics import metrics
from shipcast.answers.outlook import outlook
from shipcast.answers.pricing import forecaster
from shipcast.answers.source import last_change
from shipcast.answers.usual import busiest
from shipcast.dashboards.ahead import likely
from shipcast.dashboards.served import drawing, is_drawing
from shipcast.dashboards.view import source
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import FOLDER, POINTER, publish


def published(settings, keep=1):
    with run_lock(settings.home, "test"):
        return publish(settings.home, keep)


def test_an_answer_is_computed_once_while_nothing_changes(own_home):
    asked = []

    def question(reader):
        asked.append(reader.as_of)
        return len(asked)

    before = [source(own_home, CUT).ask(question) for _ in range(3)]
    (own_home.home / "calendar.toml").write_text("", encoding="utf-8")
    after = source(own_home, CUT).ask(question)
    published(own_home)

    assert before == [1, 1, 1]
    assert after == 2
    assert source(own_home, CUT).ask(question) == 3
    assert source(own_home, CUT + timedelta(hours=1)).ask(question) == 4


def test_a_publication_appears_and_a_drawing_that_has_begun_keeps_to_its_snapshot(own_home):
    begun = source(own_home, CUT)
    before = begun.ask(metrics).items
    newer = published(own_home)

    assert begun.ask(metrics, by="service").items
    assert begun.snapshot != newer
    assert source(own_home, CUT).snapshot == newer
    assert source(own_home, CUT).ask(metrics).items == before


def test_while_snapshots_are_published_over_and_over_a_page_never_breaks(own_home):
    over = threading.Event()

    def publish_on():
        while not over.is_set():
            published(own_home, own_home.keep_snapshots)

    publisher = threading.Thread(target=publish_on)
    publisher.start()
    try:
        pages = [drawn(own_home, "delivery", CUT) for _ in range(5)]
    finally:
        over.set()
        publisher.join()

    assert [words(page) for page in pages if is_broken(page)] == []
    assert len({headline(page) for page in pages}) == 1


def test_a_snapshot_that_is_gone_or_damaged_is_said_calmly_with_what_mends_it(own_home):
    (snapshot,) = (own_home.home / FOLDER).glob("*.duckdb")
    snapshot.write_bytes(b"no database")
    damaged = drawn(own_home, "delivery")
    (own_home.home / POINTER).write_text("{", encoding="utf-8")
    unreadable = drawn(own_home, "delivery")

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


def test_what_viewers_ask_first_is_ready_before_they_do_and_the_models_of_every_service(trained_home):
    found = source(trained_home, CUT)
    for ask in likely(found):
        ask()
    ready = forecaster(found.reader(), "production").kept

    assert {("models", service) for service in found.ask(choices).services} <= set(ready)
    assert found.ask(busiest)[0] == "web"
    known = len(ready)
    assert found.ask(outlook, service="web").items[0].service == "web"
    assert len(forecaster(found.reader(), "production").kept) == known


@pytest.mark.parametrize(("waits", "looks"), [(0, 1), (2, 3), (9, 4)])
def test_what_is_asked_ahead_gives_way_to_who_waits_but_not_for_ever(own_home, monkeypatch, waits, looks):
    monkeypatch.setattr(ahead, "PATIENCE", 4)
    found, looked, asked = source(own_home, CUT), [], []

    def is_waited_for():
        looked.append(len(looked))
        return len(looked) <= waits

    one = Ahead(lambda _: found, lambda _: iter([lambda: asked.append(len(looked))]), CUT, is_waited_for=is_waited_for)
    one.ask(found, None)

    assert asked == [looks]


def test_a_page_is_waited_for_while_it_is_drawn():
    seen = []
    with drawing():
        with drawing():
            seen.append(is_drawing())
        seen.append(is_drawing())

    assert [*seen, is_drawing()] == [True, True, False]

"""Data health on the page: refused rows come as text, and only when somebody asks."""

import shutil

import pytest
from drawing import drawn, html, is_broken, words
from places import AS_OF, PLACES

from shipcast.ingest.health import record
from shipcast.settings import Settings
from shipcast.settings.errors import InputRefused
from shipcast.warehouse.lock import run_lock

ROW = "=d3,2025-05-09T12:00Z"


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("places", PLACES)


def test_refused_rows_are_shown_when_asked_for_and_as_text(home):
    page = drawn(home, "data", AS_OF)
    assert not is_broken(page), words(page)
    assert ROW not in words(page)
    page.toggle(key="refused_rows").set_value(True).run()

    assert ROW in words(page)
    assert "<script>" not in html(page)
    assert "&lt;script&gt;pay&lt;/script&gt;" in html(page)


def test_while_a_command_writes_the_page_says_so_and_shows_the_rest(home):
    with run_lock(home.home, "build"):
        page = drawn(home, "data", AS_OF, refused_rule="unknown_status")
        page.toggle(key="refused_rows").set_value(True).run()

    assert not is_broken(page)
    assert "shipcast build" in words(page)
    assert "Wait for it to end" in words(page)
    assert "6 rows of 3 tables are known; 2 wait in quarantine" in words(page)


def test_a_source_that_fails_is_shown_with_why(home, tmp_path):
    own = Settings(home=shutil.copytree(home.home, tmp_path / "home"), sources=[{"kind": "files", "path": "gone"}])
    record(own.home, [("gone", InputRefused("gone: there is no such folder."))], AS_OF)

    page = drawn(own, "data", AS_OF)

    assert not is_broken(page), words(page)
    assert "1 of 1 source needs attention: gone (failing)." in words(page)
    assert "there is no such folder" in html(page) + words(page)


def test_where_no_source_is_connected_the_page_says_how(home):
    assert "No source is connected" in words(drawn(home, "data", AS_OF))

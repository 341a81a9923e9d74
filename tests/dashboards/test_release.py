"""Plan a release: the answers of the command line, a link that restores them, and a booking."""

from datetime import timedelta

import pytest
from company import CUT
from drawing import drawn, empties, headline, is_broken, words

from shipcast.answers.reading import open_reader
from shipcast.answers.window_words import chance_said, reasons_in_words
from shipcast.answers.windows import windows
from shipcast.answers.words import local_time
from shipcast.scheduling.ledger.ledger import state_at

FREEZE = '[[freeze]]\nid = "audit"\nstart = 2025-06-01\nend = 2025-06-11\ntz = "UTC"\nreason = "the auditors"\n'


def asked(settings, **given):
    with open_reader(settings, CUT) as reader:
        return windows(reader, **{"top": 5, "what_if": True, **given})


def clicked(page, label):
    next(button for button in page.button if button.label == label).click()
    return page.run()


def advice(settings):
    path = settings.home / "advice.jsonl"
    return [line for line in path.read_text().splitlines() if line] if path.exists() else []


def test_the_address_is_the_question_and_the_answer_the_command_lines(page_home):
    page = drawn(page_home, "plan", CUT, ship="pay", minutes="45", lines="300", latest="2025-06-05T18:00")
    found = asked(
        page_home, service="pay", duration=timedelta(minutes=45), lines=300, latest=CUT.replace(day=5, hour=18)
    )

    assert not is_broken(page), words(page)
    assert headline(page) == found.sentence
    for one in found.items:
        for said in (local_time(one.start, "UTC", CUT), chance_said(one), reasons_in_words(one)):
            assert said in words(page)


def test_the_filters_service_and_its_usual_length_are_asked_about_where_nothing_is_said(page_home):
    page = drawn(page_home, "plan", CUT, service="web")

    assert headline(page) == asked(page_home, service="web", duration=timedelta(minutes=20)).sentence
    assert "Ship half of it, and no more" in words(page)


def test_where_nothing_fits_the_rule_and_the_nearest_slot_are_named(own_home):
    (own_home.home / "calendar.toml").write_text(FREEZE)
    page = drawn(own_home, "plan", CUT, service="web")

    assert headline(page).startswith("No window for web: of 671 starts all are blocked: audit (671).")
    assert "The next allowed start is Thu 12 Jun 00:00 (UTC)." in headline(page)
    assert "none" in empties(page)
    assert not is_broken(page)


@pytest.mark.parametrize("address", [{"latest": "2025-12-01T00:00"}, {"earliest": "2025-06-09T00:00"}])
def test_a_question_that_cannot_be_is_said_in_the_words_of_the_form(page_home, address):
    page = drawn(page_home, "plan", CUT, **address)

    assert not page.exception
    assert headline(page).endswith(".")
    assert "--" not in words(page)


def test_the_past_offers_no_booking(page_home):
    started = drawn(page_home, "plan", CUT, service="web")
    asked_about = drawn(page_home, "plan", service="web", as_of=CUT.isoformat())

    assert "Book this window" not in [button.label for page in (started, asked_about) for button in page.button]
    assert "nothing can be booked on it" in words(started)
    assert "Clear “As of” above" in words(asked_about)


def test_a_window_is_booked_by_clicks_seen_and_taken_back_and_its_advice_is_kept_once(own_home):
    page = drawn(own_home, "plan", service="web")
    assert state_at(own_home.home).bookings == ()
    page.text_input(key="purpose").input("release <b>2.4</b>")

    clicked(page, "Book this window")

    [entry] = state_at(own_home.home).bookings
    assert (entry.who, entry.body.service, entry.body.purpose) == ("ana", "web", "release <b>2.4</b>")
    assert "Booked web to production" in words(page)
    assert "1 booking to production in this time" in words(page)
    assert len(advice(own_home)) == 1
    assert "Book this window" not in [button.label for button in page.button]  # a click too many finds nothing

    clicked(page, "Undo this booking")

    assert state_at(own_home.home).bookings == ()
    assert "Undid booking 1 by ana" in words(page)
    assert "Book this window" in [button.label for button in page.button]
    assert not is_broken(page), words(page)


def test_a_home_that_cannot_be_written_says_so_and_still_answers(own_home):
    (own_home.home / "ledger.lock").mkdir()
    (own_home.home / "advice.jsonl").mkdir()
    page = drawn(own_home, "plan", service="web")
    assert "This advice was not kept" in words(page)

    clicked(page, "Book this window")

    assert "Nothing was booked" in words(page)
    assert not is_broken(page), words(page)

"""The page as its readers have it: in a real browser, from a real server."""

import json
import shutil
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import (
    TELEPHONE,
    WIDER,
    beyond,
    charted,
    choose,
    chromium,
    looked_at,
    overlapping,
    serving,
    settled,
    window,
)
from company import CUT, instant
from icalendar import Calendar

from shipcast.__main__ import run
from shipcast.answers.bookings import reserve
from shipcast.dashboards.frame import PAGES
from shipcast.scheduling.ledger.entries import Booking
from shipcast.scheduling.ledger.ledger import state_at
from shipcast.settings import Settings
from shipcast.warehouse.snapshot import POINTER

STANDARD = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
FIRST = next(iter(PAGES))
TABS = 60
CHARTED = "[...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(one => one.querySelector('canvas'))"


@pytest.fixture(scope="module")
def wide():
    """A window that stays open, so that what pages are drawn with is fetched once."""
    with chromium() as started, window(started) as opened:
        yield opened


@pytest.fixture
def browser(wide):
    """The same window, whose tabs are shut again."""
    others = wide.pages
    yield wide
    for page in wide.pages:
        if page not in others:
            page.close()


@pytest.fixture(scope="module")
def front(wide, address):
    """The first page, for those who leave it as it is."""
    return looked_at(wide, url(address, FIRST))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The folder that the server is started in, and its user's home."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def served(trained_home, wide, elsewhere):
    with serving(trained_home.home, instant(CUT), elsewhere) as found:
        yield found


@pytest.fixture(scope="module")
def address(served):
    return served[0]


@pytest.fixture(scope="module")
def other(wide, tmp_path_factory):
    """A home for a test to fill, and the address of its page."""
    home = tmp_path_factory.mktemp("other") / "home"
    with serving(home) as (address, _):
        yield home, address


@pytest.fixture
def other_home(other):
    """That home, of which nothing is left."""
    home, address = other
    shutil.rmtree(home, ignore_errors=True)
    return home, address


@pytest.fixture
def answered(trained_home, capsys):
    """A function that gives what the command line answers, as JSON."""

    def answer(*words):
        capsys.readouterr()
        assert run(["--home", str(trained_home.home), "--as-of", instant(CUT), "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    return answer


def url(address, path, query=""):
    return f"{address}/{'' if path == FIRST else path}{query}"


def headline(page):
    return page.inner_text("h1.sc-headline")


def is_complaint(message):
    """Whether the browser says what is wrong; that Streamlit looks for its server below pages first is not."""
    return message.type == "error" and "_stcore" not in message.location["url"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_calls_nobody_and_breaks_no_rule_of_access(browser, address, path):
    called, complaints = [], []
    page = looked_at(
        browser,
        url(address, path),
        request=lambda one: called.append(one.url),
        console=lambda one: complaints.append(one.text) if is_complaint(one) else None,
        pageerror=lambda one: complaints.append(str(one)),
    )
    page.wait_for_function(CHARTED)

    found = Axe().run(page, options=STANDARD).response["violations"]

    assert headline(page).endswith(".")
    assert {urlsplit(one).hostname for one in called} <= {"127.0.0.1", None}
    assert complaints == []
    assert [(one["id"], node["html"][:300]) for one in found for node in one["nodes"]] == []
    assert "could not be drawn" not in page.inner_text("body")
    page.set_viewport_size({"width": TELEPHONE, "height": 1000})
    page.wait_for_function(f"Math.max(...({WIDER})()) <= 0")  # charts are drawn anew


def test_empty_filtered_refused_and_broken_views_break_no_rule_of_access(browser, address, other_home):
    home, elsewhere = other_home
    kinds = {}
    for query in ("?as_of=2020-01-01", "?as_of=2020-01-01&service=web", "?as_of=soon"):
        kinds[query] = looked_at(browser, url(address, "delivery", query))
    kinds["none"] = looked_at(browser, url(elsewhere, FIRST))
    home.mkdir()
    (home / POINTER).write_text("{", encoding="utf-8")
    kinds["broken"] = looked_at(browser, url(elsewhere, FIRST))

    for kind, page in kinds.items():
        found = Axe().run(page, options=STANDARD).response["violations"]

        assert [(kind, one["id"], node["html"][:300]) for one in found for node in one["nodes"]] == []
        assert page.locator("[data-empty]").count(), kind
        assert "Traceback" not in page.inner_text("body")
    assert headline(kinds["none"]) == "Nothing is published here yet."
    assert headline(kinds["broken"]) == "The data cannot be read at the moment."


@pytest.mark.parametrize("width", [TELEPHONE, 1280])
def test_no_name_on_a_chart_lies_over_another_however_near_bookings_are(browser, trained_home, other_home, width):
    home, address = other_home
    shutil.copytree(trained_home.home, home)
    now = datetime.now(UTC)
    monday = datetime.combine(now.date() + timedelta(days=7 - now.weekday()), time(), UTC)
    for hours in (3, 5, 9, 24, 26, 50, 165):
        start = monday + timedelta(hours=hours)
        wanted = Booking(service="web", start=start, end=start + timedelta(minutes=30), purpose="a long purpose of it")
        reserve(Settings(home=home), now, "somebody of a long name", wanted)
    period = f"earliest={monday:%Y-%m-%dT%H:%M}&latest={monday + timedelta(days=7):%Y-%m-%dT%H:%M}"
    for path, asked in {"calendar": f"week=The+week+of+a+day&day={monday:%Y-%m-%d}", "plan": period}.items():
        page = looked_at(browser, url(address, path, f"?service=web&{asked}"), width)
        said = charted(page)

        assert {one["text"] for words, _ in said for one in words} >= {"7"}
        assert [pair for words, _ in said for pair in overlapping(words)] == []
        assert [word for words, wide in said for word in beyond(words, wide)] == []


def test_the_server_talks_to_its_viewers_alone_and_writes_nothing_beside_its_home(front, served, elsewhere):
    address, process = served
    port = urlsplit(address).port

    assert {peer for peer in connected(process) if port not in peer} == set()
    assert listening(process) == {("127.0.0.1", port)}
    assert [*elsewhere.rglob("*")] == []


def sockets(process):
    """Its TCP sockets: local and remote address and port, and the state, as the kernel lists them."""
    own = set()
    for handle in Path(f"/proc/{process}/fd").iterdir():
        try:
            own.add(str(handle.readlink()))
        except OSError:
            continue  # closed meanwhile
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            _, local, remote, state, *rest = line.split()
            if f"socket:[{rest[5]}]" in own:
                yield ended(local), ended(remote), state


def ended(text):
    host, port = text.split(":")
    octets = bytes.fromhex(host)
    return ".".join(str(octet) for octet in octets[:4][::-1]) if len(octets) == 4 else host, int(port, 16)


def connected(process):
    return {(local[1], remote[1]) for local, remote, state in sockets(process) if state == "01"}


def listening(process):
    return {local for local, _, state in sockets(process) if state == "0A"}


def test_all_that_can_be_clicked_can_be_reached_by_keyboard(front):
    wanted = front.eval_on_selector_all(
        "a[href]:not([href^='#']), button:not([tabindex='-1']):not([disabled]), input:not([tabindex='-1'])",
        "all => all.filter(one => one.checkVisibility() && !one.closest('details:not([open]) > :not(summary)')).length",
    )
    reached = set()
    for _ in range(wanted + TABS):
        front.keyboard.press("Tab")
        reached.add(front.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))

    assert wanted > 10
    assert len(reached) >= wanted


def test_a_chart_is_a_table_too_once_it_is_wanted(front):
    fold = front.get_by_text("The same as a table").first
    table = front.get_by_role("columnheader", name="cost", exact=True)
    assert table.count() == 0

    fold.click()
    table.wait_for()
    fold.click()
    table.wait_for(state="detached")


def test_pages_say_what_the_command_line_says(browser, front, address, answered):
    delivery = looked_at(browser, url(address, "delivery"))

    assert headline(front) == answered("outlook")["sentence"]
    assert headline(delivery) == answered("metrics", "--environment", "production", "--from", "2025-03-03")["sentence"]


def test_a_filter_changes_the_address_and_the_address_restores_the_view(browser, address):
    page = looked_at(browser, url(address, "delivery"))
    before = headline(page)
    choose(page, "Service", "web")
    page.wait_for_function(f"document.querySelector('h1.sc-headline').innerText !== {json.dumps(before)}")
    settled(page)
    copied = page.url

    again = looked_at(browser, copied)

    assert parse_qs(urlsplit(copied).query)["service"] == ["web"]
    assert headline(again) == headline(page) != before


def test_the_filters_go_along_from_page_to_page(browser, address):
    page = looked_at(browser, url(address, "delivery", "?service=web&period=26+weeks"))
    page.get_by_test_id("stSidebarNav").get_by_text("Glossary").click()
    page.wait_for_url("**/glossary*")
    settled(page)

    assert parse_qs(urlsplit(page.url).query) == {"service": ["web"], "period": ["26 weeks"]}


def test_from_a_headline_to_the_deployment_behind_it_it_is_two_clicks(browser, address):
    page = looked_at(browser, url(address, FIRST))
    page.get_by_role("link", name="By week and service").nth(2).click()
    page.wait_for_url("**/delivery*")
    settled(page)
    row = page.locator("td a[href*='deployment=']").first
    name = row.inner_text()
    row.click()
    page.wait_for_url("**/deployment?*")
    settled(page)

    assert name in headline(page)


def test_a_window_is_booked_in_three_clicks_and_downloaded_with_one(browser, trained_home, other_home):
    home, address = other_home
    shutil.copytree(trained_home.home, home)
    page = looked_at(browser, url(address, FIRST))
    page.get_by_role("link", name="Plan a release").last.click()
    page.wait_for_url("**/plan*")
    settled(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="Window (.ics)").click()
    (event,) = Calendar.from_ical(Path(started.value.path()).read_bytes()).walk("VEVENT")
    page.get_by_role("button", name="Book this window").click()
    page.get_by_role("button", name="Undo this booking").wait_for()

    (booked,) = state_at(home).bookings
    assert event.start == booked.body.start.replace(tzinfo=UTC)
    assert event.end == booked.body.end.replace(tzinfo=UTC)

    complaints = []
    outlook = looked_at(browser, url(address, FIRST), pageerror=lambda one: complaints.append(str(one)))
    outlook.wait_for_function(CHARTED)  # the chart of the week, with another layer for what is booked
    assert complaints == []

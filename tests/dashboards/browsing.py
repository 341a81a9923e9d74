"""A page server in a process of its own, and a real Chromium that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from itertools import combinations

import pytest
from playwright.sync_api import TimeoutError, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), "")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
DRAWN = '[data-testid="stApp"][data-test-script-state="notRunning"]'
TRIES, SHORT = 20, 3_000  # ms
LONG = 120_000  # ms; on a busy machine a first page takes its time
TELEPHONE = 390  # pixels wide
WIDER = """() => [document.documentElement, document.querySelector('[data-testid=stMain]')].map(
    one => one.scrollWidth - document.documentElement.clientWidth)"""
KEEP_WORDS = """(() => {
    const drawing = CanvasRenderingContext2D.prototype, {fillText} = drawing;
    drawing.fillText = function(text, x, y, ...rest) {
        const {canvas} = this, drawn = `${canvas.width} ${canvas.height}`;
        if (canvas.drawn !== drawn) Object.assign(canvas, {drawn, words: new Map()});
        const size = this.measureText(text), at = this.getTransform(), share = devicePixelRatio;
        const left = x - {center: size.width / 2, right: size.width, end: size.width}[this.textAlign] || x;
        const corners = [left, left + size.width].flatMap(across =>
            [y - size.actualBoundingBoxAscent, y + size.actualBoundingBoxDescent].map(down =>
                [at.a * across + at.c * down + at.e, at.b * across + at.d * down + at.f]));
        const [across, down] = [0, 1].map(which => corners.map(one => one[which] / share));
        canvas.words.set(`${text} ${corners[0].map(Math.round)}`, {text,
            left: Math.min(...across), right: Math.max(...across), top: Math.min(...down), bottom: Math.max(...down)});
        return fillText.call(this, text, x, y, ...rest);
    };
})()"""
WORDS = """() => [...document.querySelectorAll('canvas.marks')].map(({words, clientWidth}) =>
    ({words: [...words?.values() ?? []], clientWidth}))"""


STAY = f"""() => {{
    const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
    const said = JSON.stringify(({WORDS})());
    const stays = window.said === said && charts.length && charts.every(one => one.querySelector('canvas.marks'));
    window.said = said;
    return stays;
}}"""
STILL = 400  # ms in which no word of a chart has moved


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(home, as_of=None, folder=None, flags=()):
    """The address of the page of a home, served as its user does from a folder, while the block runs."""
    port = free_port()
    where = ["--home", str(home), "--port", str(port), *(["--as-of", as_of] if as_of else [])]
    command = [sys.executable, "-m", "shipcast", "dashboard", *where, *flags]
    given = {} if folder is None else {"cwd": folder, "env": {**os.environ, "HOME": str(folder)}}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **given) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/_stcore/health", server)
            yield address, server.pid
        finally:
            server.terminate()
            said = server.communicate()[0]
        assert said.endswith("stopped; what was published stays as it was\n"), said


def wait_for(url, server):
    until = time.monotonic() + LONG / 1000
    while time.monotonic() < until:
        assert server.poll() is None, server.stdout.read()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the page did not come up")


@contextmanager
def chromium():
    if not CHROMIUM:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser):
    """A window of the browser, whose tabs are shut with it: a tab that is open asks its server again and again.

    Nothing moves on its pages, whose every frame would be drawn without a graphics card.
    """
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
    try:
        yield context
    finally:
        context.close()


def looked_at(window, url, width=None, **watched):
    """A tab with that address, once all of it is drawn; `watched` are called at the tab's events of these names."""
    page = window.new_page()
    page.add_init_script(KEEP_WORDS)
    if width is not None:
        page.set_viewport_size({"width": width, "height": 1000})
    page.set_default_timeout(LONG)
    for event, watcher in watched.items():
        page.on(event, watcher)
    page.goto(url)
    settled(page)
    return page


def settled(page):
    """Wait until the page is drawn."""
    page.wait_for_selector("h1.sc-headline")
    page.wait_for_selector(DRAWN)
    page.wait_for_load_state("networkidle")  # what charts are drawn with comes after them


def charted(page):
    """The words on each chart, once they stay: a list with their boxes, and how wide the chart is, in pixels."""
    page.wait_for_function(STAY, polling=STILL)
    return [(one["words"], one["clientWidth"]) for one in page.evaluate(WORDS)]


def beyond(words, width):
    """What of a chart's words is cut off at its sides."""
    return [one["text"] for one in words if one["left"] < -1 or one["right"] > width + 1]


def overlapping(words):
    """Pairs of words that lie over one another by more than a pixel; of a word drawn anew both are the same."""
    return [
        (one["text"], other["text"])
        for one, other in combinations(words, 2)
        if one["text"] != other["text"]
        if one["left"] < other["right"] - 1 and other["left"] < one["right"] - 1
        if one["top"] < other["bottom"] - 1 and other["top"] < one["bottom"] - 1
    ]


def choose(page, label, option):
    """Choose from a list, which is opened again where a page that still moves has shut it."""
    for _ in range(TRIES):
        page.get_by_label(label, exact=False).first.click()
        try:
            page.get_by_role("option", name=option, exact=True).click(timeout=SHORT)
        except TimeoutError:
            page.keyboard.press("Escape")
        else:
            return
    pytest.fail(f"{label} does not offer {option}")

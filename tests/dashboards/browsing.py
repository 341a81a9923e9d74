"""A page server in a process of its own, and a real Chromium that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest
from playwright.sync_api import TimeoutError, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), "")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
DRAWN = '[data-testid="stApp"][data-test-script-state="notRunning"]'
TRIES, SHORT = 20, 3_000  # ms
LONG = 120_000  # ms; on a busy machine a first page takes its time


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


def looked_at(window, url, **watched):
    """A tab with that address, once all of it is drawn; `watched` are called at the tab's events of these names."""
    page = window.new_page()
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

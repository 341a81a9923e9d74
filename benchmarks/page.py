"""How long the page takes in a real browser, and how much memory ten viewers need, on a made-up company.

    python benchmarks/page.py
    python benchmarks/page.py --home DIR         of a home that there is

Prints a Markdown table: for every page the seconds to its title, its headline and all of it, first and again, and to
all of it after the service was changed (95th percentile); then the memory of the server with ten viewers. Needs
Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from run import SHIPCAST

from shipcast.dashboards.frame import PAGES
from shipcast.simulator import simulate

SERVICES, DAYS, VIEWERS, CHANGES = 50, 365, 10, 8
AHEAD = 27  # seconds in which a server has asked ahead
TITLE, HEADLINE = ".sc-eyebrow", "h1.sc-headline"
DRAWN = '[data-testid="stApp"][data-test-script-state="notRunning"]'
QUIET_MS = 300  # nothing has moved for so long: all that follows a click is there
WATCH = """(quiet) => { window.redrawn = new Promise(done => {
    const app = document.querySelector('[data-testid="stApp"]');
    let clicked = null, last = null;
    document.addEventListener("click", () => { clicked = last = performance.now(); }, {capture: true, once: true});
    const watch = new MutationObserver(() => { if (clicked !== null) last = performance.now(); });
    watch.observe(document.body, {attributes: true, characterData: true, childList: true, subtree: true});
    const look = setInterval(() => {
        const rests = app.getAttribute("data-test-script-state") === "notRunning";
        if (clicked === null || !rests || performance.now() - last < quiet) return;
        clearInterval(look); watch.disconnect(); done((last - clicked) / 1000);
    }, 20);
}); }"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def made(folder: Path) -> Path:
    """The home of a company of 50 services over the year up to today, built and trained."""
    simulate(folder / "company", services=SERVICES, days=DAYS, until=datetime.now(UTC).date())
    home = folder / "home"
    for words in (("ingest", "files", str(folder / "company")), ("build",), ("train", "--model", "regression")):
        subprocess.run([*SHIPCAST, "--home", str(home), *words], check=True, stdout=subprocess.DEVNULL)
    return home


@contextmanager
def serving(home: Path, *flags: str) -> Iterator[tuple[str, int]]:
    """A server of that home just started: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*SHIPCAST, "--home", str(home), "dashboard", "--port", str(port), *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            while not answers(f"{address}/_stcore/health"):
                time.sleep(0.05)
            yield address, server.pid
        finally:
            server.terminate()


@contextmanager
def with_browser() -> Iterator[Browser]:
    chromium = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


def opened(browser: Browser, url: str) -> tuple[list[float], Page]:
    """The seconds to the title, to the headline and to all of the page, and its tab."""
    tab = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    tab.set_default_timeout(120_000)
    began = time.perf_counter()
    tab.goto(url)
    seconds = []
    for part in (TITLE, HEADLINE, DRAWN):
        tab.wait_for_selector(part)
        seconds.append(time.perf_counter() - began)
    return seconds, tab


def reloaded(tab: Page) -> float:
    """The seconds to all of the page for one who has been there, once what is asked ahead is answered."""
    time.sleep(AHEAD)
    began = time.perf_counter()
    tab.reload()
    for part in (HEADLINE, DRAWN):
        tab.wait_for_selector(part)
    return time.perf_counter() - began


def changed(tab: Page) -> Iterator[float]:
    """The seconds to all of the page, from the choice of another service on."""
    for number in range(CHANGES):
        option = tab.get_by_role("option").nth(number + 1)
        while not option.is_visible():  # a page that still moves shuts the list again
            tab.get_by_label("Service", exact=False).first.click()
            tab.wait_for_timeout(QUIET_MS)
        tab.evaluate(WATCH, QUIET_MS)
        option.click()
        yield tab.evaluate("() => window.redrawn")


def resident(process: int) -> int:
    """The memory of a process, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024


def measure(home: Path) -> None:
    with with_browser() as browser:
        print("| page | title, first | headline, first | whole, first | whole, again | another service, p95 |")
        print("| --- | --- | --- | --- | --- | --- |")
        for path in PAGES:
            with serving(home) as (address, _):
                url = f"{address}/{'' if path == next(iter(PAGES)) else path}"
                first, tab = opened(browser, url)
                again = reloaded(tab)
                changes = sorted(changed(tab))
                told = " | ".join(f"{seconds:.2f}" for seconds in (*first, again, changes[int(0.95 * len(changes))]))
                print(f"| {path} | {told} |", flush=True)
        with serving(home) as (address, process):
            viewers = [opened(browser, f"{address}/{path}")[1] for path in [*PAGES][1 : VIEWERS + 1]]
            print(f"\nThe server holds {resident(process)} MiB with {len(viewers)} viewers.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="default: a made-up company of 50 services over a year")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(given.home or made(Path(folder)))


if __name__ == "__main__":
    main()

"""Takes the pictures of the page that README shows, of a home's own pages; needs Chromium.

make demo
python docs/pictures.py .shipcast/demo
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "pictures"
PAGES = {"outlook": ("", 1180), "plan": ("plan", 1180)}  # its address, and how many pixels of its height are shown
WIDTH, COLOURS = 1400, 96
DRAWN = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def main(home: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "shipcast", "--home", home, "dashboard", "--port", str(port)]) as page:
        try:
            take(f"http://127.0.0.1:{port}")
        finally:
            page.terminate()


def take(address: str) -> None:
    while not is_up(f"{address}/_stcore/health"):
        time.sleep(0.1)
    chromium = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, (path, height) in PAGES.items():
            tab = browser.new_page(viewport={"width": WIDTH, "height": height})
            tab.goto(f"{address}/{path}")
            tab.wait_for_selector("h1", timeout=120_000)
            tab.wait_for_selector(DRAWN, timeout=120_000)
            tab.wait_for_timeout(2_000)  # until charts have faded in
            file = PICTURES / f"{name}.png"
            tab.screenshot(path=file)
            with Image.open(file) as picture:
                picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)
        browser.close()


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    main(sys.argv[1])

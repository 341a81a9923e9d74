"""Takes the pictures of the page that README shows, of a home's own pages; needs Chromium.

make demo
python docs/pictures.py .shipcast/demo
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from page import DRAWN, HEADLINE, serving, with_browser

PICTURES = Path(__file__).parent / "pictures"
PAGES = {"outlook": "", "plan": "plan"}  # and the address of each
SIZE = {"width": 1400, "height": 1180}
COLOURS = 96


def main(home: Path) -> None:
    PICTURES.mkdir(exist_ok=True)
    with serving(home) as (address, _), with_browser() as browser:
        for name, path in PAGES.items():
            tab = browser.new_page(viewport=SIZE)
            tab.goto(f"{address}/{path}")
            for part in (HEADLINE, DRAWN):
                tab.wait_for_selector(part, timeout=120_000)
            tab.wait_for_timeout(2_000)  # until charts have faded in
            file = PICTURES / f"{name}.png"
            tab.screenshot(path=file)
            with Image.open(file) as picture:
                picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

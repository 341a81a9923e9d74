"""Pages drawn without a browser, as Streamlit's own test client draws them."""

import json
import re
from functools import cache
from html import unescape

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from shipcast.dashboards.served import serve

# Every drawing looks through all packages that are installed; once will do.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def script(path):
    from shipcast.dashboards.frame import PAGES, Frame

    frame = Frame()
    frame.open(PAGES[path].TITLE)
    frame.draw(PAGES[path])


def drawn(settings, path, as_of=None, /, **address):
    """The page of a home at an address, drawn once."""
    serve(settings, as_of)
    page = AppTest.from_function(script, kwargs={"path": path}, default_timeout=120)
    for key, value in address.items():
        page.query_params[key] = value
    return page.run()


def html(page):
    """All HTML that the page wrote."""
    return "\n".join(element.proto.body for element in page.get("html"))


def words(page):
    """What of it is read, without tags."""
    return unescape(re.sub(r"<[^>]+>", " ", html(page)))


def headline(page):
    return unescape(re.search(r"<h1[^>]*>(.*?)</h1>", html(page), re.DOTALL)[1])


def charts(page):
    """What Vega-Lite draws on the page, without its rows."""
    return [json.loads(element.proto.spec) for element in page.get("vega_lite_chart")]


def empties(page):
    """The kinds of the empty states that are shown."""
    return re.findall(r'data-empty="(\w+)"', html(page))


def is_broken(page):
    """Whether a part of the page could not be drawn."""
    return bool(page.exception) or "could not be drawn" in words(page)

"""Every page on data that is empty, lopsided, old or hostile: no part breaks, and what is missing is said."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from drawing import drawn, empties, headline, html, is_broken, words

from shipcast.dashboards.frame import PAGES
from shipcast.settings import Settings

AS_OF = datetime(2025, 11, 3, 9, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "**bold** [link](http://example.org) `code` :red[x] $x^2$",
    "\u202eevitcerid\u202c עברית",
    "long-" + "x" * 10_000,
)


def shipped(service, days=60, failed=(), minutes=20, start=AS_OF - timedelta(days=90)):
    """A deployment a day, of which those at these places failed."""
    return [
        {
            "deployment_id": f"{service[:40]}-{place}",
            "service": service,
            "environment": "production",
            "started_at": (start + timedelta(days=place)).isoformat(),
            "finished_at": (start + timedelta(days=place, minutes=minutes)).isoformat(),
            "status": "failed" if place in failed else "succeeded",
        }
        for place in range(days)
    ]


def every(services, **given):
    return [row for service in services for row in shipped(service, **given)]


WORLDS = {
    "empty": {},
    "one row": {"deployments": shipped("pay", days=1)},
    "all failed": {"deployments": shipped("pay", failed=range(60))},
    "none failed": {"deployments": every(["pay", "web"])},
    "500 services": {"deployments": every([f"service-{number:03}" for number in range(500)], days=1)},
    "one service, and a week in which the clocks change": {
        "services": [{"service": "pay", "business_zone": "Europe/London"}],
        "deployments": shipped("pay", failed=(3, 17, 40), start=AS_OF - timedelta(days=61)),
    },
    "a stale source": {"deployments": shipped("pay", failed=(5,), start=AS_OF - timedelta(days=400))},
    "quarantine only": {"deployments": [{**row, "status": "exploded"} for row in shipped("pay", days=5)]},
    "hostile names": {
        "services": [{"service": name, "team": name} for name in HOSTILE],
        "deployments": every(HOSTILE, days=12, failed=(2,)),
    },
}


ALL_BUT_GLOSSARY = [path for path in PAGES if path != "glossary"]
EMPTIES = {  # what is shown where there is nothing; `filtered` in the test below
    **{("empty", path): {"unknown"} for path in ALL_BUT_GLOSSARY},
    **{("quarantine only", path): {"unknown"} for path in ALL_BUT_GLOSSARY},
    **{("a stale source", path): {"unknown"} for path in ("delivery", "failures", "environments", "deployment")},
    **{("none failed", path): {"none"} for path in ("delivery", "failures", "environments", "calendar", "data")},
}


class World(NamedTuple):
    name: str
    home: Settings


@pytest.fixture(scope="module", params=WORLDS)
def world(request, built):
    return World(request.param, built(WORLDS[request.param]))


@pytest.mark.parametrize("path", PAGES)
def test_no_part_of_a_page_breaks_and_names_are_shown_as_text_and_nothing_else(world, path):
    page = drawn(world.home, path, AS_OF)

    assert not is_broken(page), words(page)
    assert headline(page).endswith(".")
    assert set(empties(page)) >= EMPTIES.get((world.name, path), set())
    assert "<script" not in html(page)
    assert "x" * 2_500 not in words(page)
    assert not page.get("markdown")


def test_what_the_filters_leave_nothing_of_says_so_and_a_button_clears_them(built):
    staged = [{**row, "environment": "staging"} for row in shipped("web", days=3)]
    home = built({"deployments": shipped("pay", days=5) + staged})
    for path in ("outlook", "calendar", "delivery", "failures", "deployment"):
        page = drawn(home, path, AS_OF, service="web")

        assert "filtered" in empties(page), path
        next(button for button in page.button if button.label == "Clear the filters").click()
        assert "filtered" not in empties(page.run()), path

"""The API gives the numbers of the command line and of the page, to the last digit."""

import json
from datetime import timedelta

import pytest
from company import CUT, instant

from shipcast.__main__ import run
from shipcast.answers.metrics import metrics
from shipcast.answers.windows import windows
from shipcast.dashboards.view import source

MAY = "2025-05-01"
NOON = "2025-06-03T15:00Z"
ASKED = [  # what is asked of the API, and of the command line
    ("metrics", {}, "metrics"),
    ("metrics", {"by": "service"}, "metrics --by service"),
    ("metrics", {"metric": "lead_time", "from": MAY}, f"metrics --metric lead_time --from {MAY}"),
    ("windows", {"service": "web", "duration": "45m", "lines": 300}, "windows web --duration 45m --lines 300"),
    ("now", {"service": "pay", "lines": 50}, "now pay --lines 50"),
    ("explanations", {"service": "web", "at": NOON}, f"explain web --at {NOON}"),
    ("gate", {"service": "web", "change_type": "standard"}, "gate web --type standard"),
    ("forecasts", {"service": "web", "hours": 12}, "forecast web --hours 12"),
]
OWN = ("generated_at",)  # when each was computed


def without(answer, *names):
    return {name: value for name, value in answer.items() if name not in names}


@pytest.fixture
def said(own_trained_home, capsys):
    """What the command line answers, as JSON."""

    def answer(words):
        run(["--home", str(own_trained_home.home), "--json", "--as-of", instant(CUT), *words.split()])
        return json.loads(capsys.readouterr().out)

    return answer


@pytest.mark.parametrize(("name", "fields", "words"), ASKED, ids=lambda value: str(value)[:30])
def test_the_api_says_what_the_command_line_says(asked_api, said, name, fields, words):
    over_http = asked_api.ask(name, **fields)

    assert over_http.status == 200, over_http.text
    assert without(over_http.json, *OWN) == without(said(words), *OWN)


def test_api_page_and_command_line_give_the_same_numbers(asked_api, said, trained_home):
    page = source(trained_home, CUT)
    drawn = page.ask(windows, service="web", duration=timedelta(minutes=45))
    counted = page.ask(metrics)

    asked = asked_api.ask("windows", service="web", duration="45m").json["items"]
    assert asked == drawn.as_dict()["items"] == said("windows web --duration 45m")["items"]
    assert asked_api.ask("metrics").json["items"] == counted.as_dict()["items"] == said("metrics")["items"]


def test_a_question_that_was_asked_before_is_answered_the_same_at_once(asked_api):
    first, again = (asked_api.ask("windows", service="pay", duration="50m").json for _ in range(2))

    assert first == again  # when it was computed, too

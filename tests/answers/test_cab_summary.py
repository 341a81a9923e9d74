"""The page for a change board: all that was said, and nothing of it read as Markdown or HTML."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shipcast.answers.cab_summary import ChangeSaid, cab_summary, escaped
from shipcast.answers.company import Approval
from shipcast.answers.windows import Reason, Window, WindowsAnswer

START = datetime(2026, 1, 6, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def window(**known):
    figures = {
        "level": "calm", "failure_probability": 0.03, "failure_low": 0.01, "failure_high": 0.06, "expected_cost": 120.0,
        "cost_low": 40.0, "cost_high": 300.0, "relative_cost": 0.4,
    }  # fmt: skip
    board = Approval(rule="board", meeting=START - 24 * HOUR, deadline=START - 48 * HOUR)
    reasons = (Reason(factor="load", points=-0.6),)
    return Window(start=START, end=START + HOUR, reasons=reasons, approvals=(board,), **{**figures, **known})


def answer(one, service="pay"):
    return WindowsAnswer(
        generated_at=START - 72 * HOUR, as_of=START - 72 * HOUR, data_as_of=START - 73 * HOUR, service=service,
        environment="production", duration_minutes=60, unit="requests", business_zone="Europe/Berlin", n=40, failures=2,
        n_pooled=400, model=None, period_start=None, period_end=None, items=(one,), verdict="recommend",
        warnings=("The data is simulated.",),
    )  # fmt: skip


def summary(one=None, service="pay", **change):
    one = one or window()
    return cab_summary(answer(one, service), one, ChangeSaid(**change), "UTC", ["booking 3 by ana: web to production"])


def test_it_says_what_when_how_risky_and_who_decides():
    said = summary(change_type="normal", lines=300, purpose="release").replace("\\", "")

    for line in (
        "# Change: pay to production", "- Type: normal", "- Lines changed: 300", "- Takes: 60 minutes",
        "- Europe/Berlin: Tue 6 Jan 2026 11:00 to 12:00", "- UTC: Tue 6 Jan 2026 10:00 to 11:00", "- Level: calm",
        "- Chance of failure: 3 in 100 (1 to 6), an interval that holds 95 %",
        "- Expected requests affected: 120 (40 to 300), 40 % of the usual",
        "- board: meets Mon 5 Jan 11:00, hand it in by Sun 4 Jan 11:00 (Europe/Berlin)",
        "- booking 3 by ana: web to production", "- The data is simulated.",
    ):  # fmt: skip
        assert line in said.split("\n")


def test_without_a_history_it_says_so():
    unknown = window(**dict.fromkeys(("level", "failure_probability", "expected_cost", "relative_cost")))

    assert "nothing is known yet" in summary(unknown)


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_no_text_is_read_as_anything_but_text(name):
    said = escaped(name)

    assert "\n" not in said
    left = re.sub(r"\\[!-/:-@[-`{-~]", "", said)  # what a backslash stands before, read from the left
    assert not set(left) & set("<>`*_[]#&\\")


def test_a_hostile_name_stays_on_its_line_as_text():
    said = summary(service="x\n# Approved <script>alert(1)</script> [a](http://b)", purpose="`rm` \u202e")

    assert "# Change: x \\# Approved \\<script\\>alert(1)\\</script\\> \\[a\\](http\\://b)" in said
    assert "\u202e" not in said

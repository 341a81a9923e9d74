"""A window as an iCalendar file."""

from __future__ import annotations

from pathlib import Path

from shipcast.answers.company import approvals_said
from shipcast.answers.window_words import UNITS
from shipcast.answers.windows import Window, WindowsAnswer
from shipcast.answers.words import in_hundred, plural, sentence_case, times
from shipcast.settings.errors import UsageError
from shipcast.settings.files import write_whole


def write_window(answer: WindowsAnswer, number: int, target: Path) -> Window:
    """Write the window of that number, counted from 1, on the clock of its service; the window.

    Raises
    ------
    UsageError
        There is none of that number.
    """
    if not 1 <= number <= len(answer.items):
        raise UsageError(f"There is no window {number}: the answer holds {plural(len(answer.items), 'window')}.")
    window = answer.items[number - 1]
    write_whole(target, [window_ics(answer, window)])
    return window


def window_ics(answer: WindowsAnswer, window: Window) -> str:
    """The text of the file."""
    from shipcast.scheduling.calendar.exporting import deployment_ics

    text = deployment_ics(
        answer.service,
        answer.environment,
        window.start.replace(tzinfo=None),
        window.end.replace(tzinfo=None),
        answer.business_zone,
        answer.generated_at,
        described(answer, window),
    )
    return text.decode("utf-8")


def described(answer: WindowsAnswer, window: Window) -> str:
    """What is to be known of a window: how likely it fails, what that would cost, and who has to approve it.

    "About 3 in 100 (1 to 6) would fail; expected: 1,535 requests affected (579 to 2,927)."
    """
    said = "Nothing is known of its chance of failure."
    if window.failure_probability is not None and window.expected_cost is not None:
        chance = in_hundred(window.failure_probability, window.failure_low, window.failure_high)
        low, high = times(window.cost_low or 0.0), times(window.cost_high or 0.0)
        expected = f"{times(window.expected_cost)} {UNITS[answer.unit]} ({low} to {high})"
        said = f"{sentence_case(chance)} would fail; expected: {expected}."
    needed = approvals_said(window.approvals, answer.business_zone, answer.as_of)
    return f"{said}{needed or ' No approval is known to be needed.'}"

"""A window as an iCalendar file."""

from __future__ import annotations

from pathlib import Path

from shipcast.answers.windows import Window, WindowsAnswer
from shipcast.answers.words import plural
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
    )
    return text.decode("utf-8")

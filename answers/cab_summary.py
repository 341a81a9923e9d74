"""A window as a page for a change board, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shipcast.answers.window_words import (
    UNITS,
    approval_said,
    basis_said,
    chance_said,
    cost_said,
    of_usual,
    reasons_in_words,
)
from shipcast.answers.windows import Window, WindowsAnswer
from shipcast.answers.words import span

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&@!]|:(?=//)|(?<=www)\.|^[-+=])", re.IGNORECASE)
NUMBERED = re.compile(r"^(\d+)([.)])")
UNSEEN = re.compile(r"[^\S ]+|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
NOT_SAID = "not said"


@dataclass(frozen=True)
class ChangeSaid:
    """What was said of a change; null: it was not."""

    change_type: str | None = None
    lines: int | None = None
    files: int | None = None
    purpose: str = ""


def cab_summary(
    answer: WindowsAnswer, window: Window, change: ChangeSaid, zone: str, beside: Sequence[str] = ()
) -> str:
    """The change, its window, what may go wrong and who has to approve it, in Markdown.

    Parameters
    ----------
    zone
        The reader's clock, beside the service's.
    beside
        What else is booked at that time, in words.
    """
    parts = [
        f"# Change: {escaped(answer.service)} to {escaped(answer.environment)}",
        escaped(answer.sentence),
        "## Change",
        facts(change_facts(answer, change)),
        "## Window",
        facts(times(window.start, window.end, (answer.business_zone, zone, "UTC"))),
        "## Risk",
        facts(risk_facts(answer, window)),
        "## Approvals",
        listed([approval_said(one, answer.business_zone, answer.as_of) for one in window.approvals], "None is needed."),
        "## At the same time",
        listed(beside, "Nothing else is booked."),
        "## What to know",
        listed(answer.warnings, "Nothing more."),
        escaped(basis_said(answer)),
    ]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    r"""Text in which Markdown and HTML see nothing of theirs, on one line.

    >>> escaped("*pay* <b>\n# x"), escaped("1. at 08:00"), escaped("http://x")
    ('\\*pay\\* \\<b\\> \\# x', '1\\. at 08:00', 'http\\://x')
    """
    return NUMBERED.sub(r"\1\\\2", SPECIAL.sub(r"\\\1", UNSEEN.sub(" ", text).strip()))


def facts(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {name}: {escaped(said)}" for name, said in rows)


def listed(said: Sequence[str], none: str) -> str:
    return "\n".join(f"- {escaped(one)}" for one in said) if said else none


def change_facts(answer: WindowsAnswer, change: ChangeSaid) -> list[tuple[str, str]]:
    typical = f"{NOT_SAID}; taken as typical of the service"
    return [
        ("Purpose", change.purpose or NOT_SAID),
        ("Type", change.change_type or NOT_SAID),
        ("Lines changed", typical if change.lines is None else f"{change.lines:,}"),
        ("Files changed", typical if change.files is None else f"{change.files:,}"),
        ("Takes", f"{answer.duration_minutes:g} minutes"),
    ]


def times(start: datetime, end: datetime, zones: Iterable[str]) -> list[tuple[str, str]]:
    """The span on each of the clocks, once."""
    return [(escaped(zone), span(start, end, zone)) for zone in dict.fromkeys(zones)]


def risk_facts(answer: WindowsAnswer, window: Window) -> list[tuple[str, str]]:
    chance, cost = chance_said(window), cost_said(window)
    if chance is None or cost is None:
        return [("Forecast", "nothing is known yet that could tell one window from another")]
    return [
        ("Level", str(window.level)),
        ("Chance of failure", f"{chance}, an interval that holds 95 %"),
        (f"Expected {UNITS[answer.unit]}", f"{cost}, {of_usual(window)} of the usual"),
        ("Why", reasons_in_words(window)),
    ]

"""What the doctor says of one thing that it looked at."""

from __future__ import annotations

from typing import Literal

from shipcast.answers.answer import Part

State = Literal["good", "missing", "stale", "broken", "unsafe"]


class Finding(Part):
    """One thing looked at: its state, what was found, and the command that mends it (null: nothing to mend).

    `unsafe`: people other than the user can change what runs in the user's name.
    """

    subject: str
    state: State
    finding: str
    remedy: str | None

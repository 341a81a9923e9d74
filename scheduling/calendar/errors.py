"""What can be wrong with calendars.

ConfigurationError (settings.errors)   3
└── CalendarError                          a calendar file cannot be used: nothing of it is in force
    └── NoSuchRule                         it can, but a rule that was asked about is not in it
"""

from __future__ import annotations

from shipcast.settings.errors import ConfigurationError


class CalendarError(ConfigurationError):
    """A calendar file cannot be used.

    Its facts, where known: `file`, `line`, `rule` (the id), `key`.
    """

    title = "The calendar is not usable"


class NoSuchRule(CalendarError):
    title = "The calendar has no such rule"

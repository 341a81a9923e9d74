"""Why input is refused.

InputRefused (settings.errors)   4
├── NothingToLoad                   the path is missing, or nothing in it is named after a table
└── FileRefused                     one file is refused whole; the other files of the call still load
"""

from __future__ import annotations

from shipcast.settings.errors import InputRefused


class NothingToLoad(InputRefused):
    title = "There is nothing to load"


class FileRefused(InputRefused):
    """One file that cannot be taken; `detail` leaves the file's name out, since the load record holds it beside."""

    title = "A file was refused"

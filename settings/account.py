"""Who runs this process, as the operating system knows them."""

from __future__ import annotations

import os

from shipcast.settings import Settings


def account() -> str:
    """The user's name; where the system knows none, their number."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except ImportError:
        import getpass

        return getpass.getuser()
    except KeyError:
        return f"user {os.getuid()}"


def acting(settings: Settings) -> str:
    """Who books, freezes and approves where nobody says so: the setting `who`, else the system's name."""
    return settings.who or account()

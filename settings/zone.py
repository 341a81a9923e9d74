"""A time zone by its name."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def check_zone(name: str) -> str:
    """The name, if it is an IANA time zone; an unknown zone is an error, never UTC."""
    try:
        if name.startswith(("posix/", "right/")) or name in ("Factory", "localtime", "posixrules"):
            raise ValueError(name)  # files beside the zones, which not every library knows
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone; use an IANA name such as Europe/London") from error
    return name


Zone = Annotated[str, AfterValidator(check_zone)]

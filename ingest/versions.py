"""What the text beside a deployed service says about its version."""

from __future__ import annotations

import re

ORDERED = re.compile(
    r"(?P<prefix>(?:[a-z]+[-_/])*)v?(?P<numbers>\d+(?:\.\d+)*)"
    r"(?:[-.]?(?P<stage>alpha|beta|dev|pre|preview|rc|snapshot)[-.]?(?P<count>\d*))?(?:\+.*)?",
    re.IGNORECASE,
)
IMAGE = re.compile(r"[\w.-]+(?::\d+)?(?:/[\w.-]+)*(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>\w+:[0-9a-f]{32,}))?")
COMMIT = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-f])")
NOTHING = frozenset({"", "~", "null", "none"})

Order = tuple[str, tuple[int, ...], bool, str, int]


def version_in(text: str) -> str | None:
    """The version that a value names: of an image its tag, else its digest; None where it names none.

    >>> version_in("registry.example:5000/shop/cart:v12")
    'v12'
    >>> version_in(" 1.10 ")
    '1.10'
    """
    value = text.strip()
    if value.lower() in NOTHING:
        return None
    image = IMAGE.fullmatch(value)
    return (image and (image["tag"] or image["digest"])) or value


def commit_in(version: str) -> str | None:
    """The full name of a commit, if the version is or contains one."""
    found = COMMIT.search(version)
    return found[0] if found else None


def order_of(version: str) -> Order | None:
    """What a version is compared by; None where it has no order, as commits and branches have none.

    An order is numbers with points between, perhaps behind words and a `v`, perhaps before the name of a stage on the
    way to that version (alpha, beta, dev, pre, rc, snapshot) or a build behind a `+`.
    """
    found = ORDERED.fullmatch(version)
    if not found:
        return None
    numbers = [int(number) for number in found["numbers"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    stage = (found["stage"] or "").lower()
    return found["prefix"].lower(), tuple(numbers), not stage, stage, int(found["count"] or 0)


def is_lower(version: str, before: str) -> bool | None:
    """Whether a version lies below another; None where the two have no common order.

    >>> is_lower("v9", "v10"), is_lower("1.2.0-rc.1", "1.2"), is_lower("release-v5", "v4")
    (True, True, None)
    """
    this, that = order_of(version), order_of(before)
    return None if this is None or that is None or this[0] != that[0] else this < that

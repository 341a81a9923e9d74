"""Names beside spans on an axis of time, none of which lies over another, however near the spans are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import altair as alt

NEAR = 1 / 20  # of the axis: spans that begin no farther from each other have one name together
NAMED, AND_MORE = 2, "+{}"  # so many of these are named, and how many more there are
LETTER, GAP, LEAST = 6.4, 6, 30  # pixels: of a letter, between two names, and for the beginning of one
MARK, MARK_WIDE = "…", 10  # that there is a name for which there is no room, and its pixels
START = "scale('x', datum.from)"
END = f"(datum.until ? min(scale('x', toDate(datum.until)), width - datum.kept * {LETTER}) : width)"
ROOM = f"({END} - {START} - {GAP})"


def placed(rows: Sequence[dict[str, Any]], domain: Sequence[str]) -> list[dict[str, Any]]:
    """The rows, and where there is something to say what stands there.

    Parameters
    ----------
    rows
        With `lane` and `from` as charts read them, `label`, and `brief`, which is shown where there is no room for the
        label. Both may be empty.
    domain
        The beginning and the end of the axis.

    Returns
    -------
    With `name` and `short`, those of all that begins nearby, both empty where the row before says it or says the same;
    `until`, where the next name of the lane begins, empty for the last; and `kept`, the letters that this one needs
    at the end of the axis if it is the last, else 0.
    """
    first, last = map(datetime.fromisoformat, domain)
    near = (last - first) * NEAR
    found = {place: dict(row, name="", short="", until="", kept=0) for place, row in enumerate(rows)}
    lanes: dict[str, list[int]] = {}
    for place in sorted(found, key=lambda place: str(rows[place]["from"])):
        if rows[place]["label"]:
            lanes.setdefault(rows[place]["lane"], []).append(place)
    for places in lanes.values():
        said = [
            (group[0], together([rows[place]["label"] for place in group]), [rows[place]["brief"] for place in group])
            for group in grouped([(datetime.fromisoformat(rows[place]["from"]), place) for place in places], near)
        ]
        anew = [one for place, one in enumerate(said) if place == 0 or one[1:] != said[place - 1][1:]]
        for place, name, briefs in anew:
            found[place] |= {"name": name, "short": together(briefs)}
        for (place, *_), (following, *_) in pairwise(anew):
            is_last = following == anew[-1][0]
            found[place] |= {
                "until": rows[following]["from"],
                "kept": len(found[following]["short"]) if is_last else 0,
            }
    return [*found.values()]


def grouped(starts: Sequence[tuple[datetime, int]], near: timedelta) -> Iterator[list[int]]:
    """The places of what begins within `near` of the first of its group; there is at least one."""
    group: list[int] = []
    begins = starts[0][0]
    for start, place in starts:
        if start - begins > near:
            yield group
            group, begins = [], start
        group.append(place)
    yield group


def together(words: Sequence[str]) -> str:
    """
    >>> together(["4", "", "4"]), together(["1", "2", "3", "4"])
    ('4', '1, 2 +2')
    """
    said = [*dict.fromkeys(filter(None, words))]
    more = f" {AND_MORE.format(len(said) - NAMED)}" if len(said) > NAMED else ""
    return f"{', '.join(said[:NAMED])}{more}"


def names(base: alt.Chart, dx: int, **look: Any) -> alt.Chart:
    """What `placed` says, in the room there is: the name or its beginning, what is short, or that there is a name.

    Of what is last in a lane the short form is always there, and ends where the axis does.
    """
    fits = f"length(datum.name) * {LETTER} <= {ROOM}"
    is_short = f"datum.short && (!datum.until || length(datum.short) * {LETTER} <= {ROOM})"
    begins = f"!datum.short && {ROOM} >= {LEAST}"
    mark = f"{ROOM} >= {MARK_WIDE} ? '{MARK}' : ''"
    said = f"{fits} ? datum.name : {is_short} ? datum.short : {begins} ? datum.name : {mark}"
    back = f"!datum.until && datum.short ? min(0, width - {dx} - {START} - length(datum.short) * {LETTER}) : 0"
    limit = f"datum.until || !datum.short ? max({ROOM}, 1) : 0"
    return base.transform_filter("datum.name").mark_text(
        align="left", dx=alt.ExprRef(f"{dx} + ({back})"), text=alt.ExprRef(said), limit=alt.ExprRef(limit), **look
    )

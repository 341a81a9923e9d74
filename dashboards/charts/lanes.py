"""A week of the calendar as lanes: what is in force above, and below who ships which service when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import altair as alt

from shipcast.answers.calendar_week import CalendarWeek, RuleSpan, ShutSpan
from shipcast.answers.words import cut, span
from shipcast.dashboards.charts.labels import names, placed
from shipcast.dashboards.charts.plan import wall
from shipcast.dashboards.charts.style import NARROW, Spec, by_width, day_labels, layered, over_rows, per_row, styled
from shipcast.dashboards.style import INK, LINES, MUTED

LONGEST_LABEL = 40


@dataclass(frozen=True)
class KindLook:
    """How spans of a kind are shown: never by their colour alone, since each lane says its kind."""

    word: str
    fill: str
    dash: tuple[int, int]


KINDS: dict[str, KindLook] = {
    "freeze": KindLook("freeze", "#A63C06", (1, 0)),
    "deny": KindLook("no changes", "#F0A35E", (1, 0)),
    "holidays": KindLook("holiday", LINES[3], (1, 0)),
    "business_hours": KindLook("business hours", "#F2EBDD", (1, 0)),
    "reservation": KindLook("reservation", "#7FB2DC", (1, 0)),
    "allow": KindLook("changes may go", "#FFFFFF", (6, 3)),
    "reserve": KindLook("kept for emergencies", "#FFFFFF", (2, 2)),
    "cab": KindLook("change board", LINES[4], (1, 0)),
    "booking": KindLook("booking", LINES[0], (1, 0)),
    "refused": KindLook("booking with a conflict", LINES[1], (1, 0)),
    "shut": KindLook("may start nothing", "#D8DEE4", (1, 0)),
    "approval": KindLook("only with an approval", "#EEF1F4", (2, 2)),
}


def lane_of(one: RuleSpan) -> str:
    """A lane by its rule, its kind, and whether an approval opens it."""
    unless = ", unless approved" if one.effect == "approval" and one.kind != "allow" else ""
    return f"{one.rule} · {KINDS[one.kind].word}{unless}"


def lanes(week: CalendarWeek) -> list[str]:
    """The rules by their kinds, then the services."""
    order = list(KINDS)
    rules = sorted(week.rules, key=lambda one: (order.index(one.kind), one.rule))
    return [*dict.fromkeys(lane_of(one) for one in rules), *week.services]


def gantt_rows(week: CalendarWeek, zone: str) -> list[dict[str, Any]]:
    """A row per span on a lane, cut to the week; what a service is shut by lies behind its bookings."""
    shown = set(week.services)
    rows = [*(shut_row(one) for one in week.shut), *(rule_row(one) for one in named_once(week.rules))]
    rows += [
        {
            "lane": one.service,
            "kind": "refused" if one.is_refused else "booking",
            "start": one.start,
            "end": one.end,
            "what": one.title,
            "label": f"{one.number} · {one.who}{' ⚠' if one.is_refused else ''}",
            "brief": f"{one.number}{'⚠' if one.is_refused else ''}",
        }
        for one in week.booked
        if one.service in shown
    ]
    return placed([on_axis(row, week, zone) for row in rows], [wall(moment, zone) for moment in week.period])


def on_axis(row: dict[str, Any], week: CalendarWeek, zone: str) -> dict[str, Any]:
    start, end = row.pop("start"), row.pop("end")
    return row | {
        "label": cut(row.get("label", ""), LONGEST_LABEL),
        "brief": row.get("brief", ""),
        "from": wall(max(start, week.period.start), zone),
        "to": wall(min(end, week.period.end), zone),
        "when": said(start, end, zone),
        "word": KINDS[row["kind"]].word,
    }


def said(start: datetime, end: datetime, zone: str) -> str:
    """When a span lies; of a meeting when it begins."""
    return span(start, end, zone) if start < end else span(start, end, zone).split(" to ")[0]


def shut_row(one: ShutSpan) -> dict[str, Any]:
    kind = "approval" if one.needs_approval else "shut"
    return {"lane": one.service, "kind": kind, "start": one.start, "end": one.end, "what": one.rule}


def named_once(rules: Sequence[RuleSpan]) -> Iterator[tuple[RuleSpan, bool]]:
    """Each span, and whether it is the first of its rule, at which what there is to say of it stands."""
    seen: set[str] = set()
    for one in rules:
        yield one, one.rule not in seen
        seen.add(one.rule)


def rule_row(named: tuple[RuleSpan, bool]) -> dict[str, Any]:
    one, is_first = named
    note = f"{one.about or 'all'}{f': {one.note}' if one.note else ''}"
    return {
        "lane": lane_of(one),
        "kind": one.kind,
        "start": one.start,
        "end": one.end,
        "what": f"{one.rule} ({note})",
        "label": note if is_first else "",
    }


def gantt(rows: Sequence[dict[str, Any]], named: Sequence[str], week: CalendarWeek, zone: str) -> Spec:
    """Bars over the week's days on the clock of the zone; meetings are diamonds, and spans are named above them."""
    domain = [wall(week.period.start, zone), wall(week.period.end, zone)]
    days = alt.Axis(
        labelExpr=day_labels("utcFormat"),
        tickCount="day",
        labelAlign="left",
        labelPadding=by_width(16, 2),
        orient="top",
        labelBound=True,
        offset=by_width(8, 0),
    )
    lines = f"split({NARROW} ? replace(datum.label, ', unless', ' · unless') : datum.label, ' · ')"
    lane = alt.Axis(ticks=False, labelExpr=lines, labelLimit=by_width(116, 240))
    y = alt.Y("lane:N", title=None, scale=alt.Scale(domain=list(named)), axis=lane)
    tooltip = [alt.Tooltip("lane:N"), alt.Tooltip("word:N", title="kind"), alt.Tooltip("what:N"), alt.Tooltip("when:N")]
    fills = alt.Scale(domain=list(KINDS), range=[look.fill for look in KINDS.values()])
    dashes = alt.Scale(domain=list(KINDS), range=[list(look.dash) for look in KINDS.values()])
    behind = "datum.kind == 'shut' || datum.kind == 'approval'"
    base = over_rows().encode(y=y, tooltip=tooltip)
    shut = base.mark_bar(height=22).transform_filter(behind)
    bars = base.mark_bar(height=16, stroke=INK, strokeWidth=by_width(0.75, 1.5)).transform_filter(
        f"!({behind}) && datum.kind != 'cab'"
    )
    meetings = base.mark_point(shape="diamond", filled=True, size=110, color=INK).transform_filter(
        "datum.kind == 'cab'"
    )
    labels = names(base, dx=3, dy=-15, fontSize=11, color=MUTED)
    first = alt.X("from:T", title=None, scale=alt.Scale(type="utc", domain=domain), axis=days)
    x = alt.X("from:T", title=None)
    fill = alt.Color("kind:N", scale=fills, legend=None)
    layers = layered(
        shut.encode(x=first, x2=alt.X2("to:T"), color=fill),
        bars.encode(x=x, x2=alt.X2("to:T"), color=fill, strokeDash=alt.StrokeDash("kind:N", scale=dashes, legend=None)),
        meetings.encode(x=x),
        labels.encode(x=x),
        height=per_row(42),
    )
    return styled(layers, rows)

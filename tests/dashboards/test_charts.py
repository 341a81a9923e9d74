"""Charts as they are written."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shipcast.answers.outlook import Hour, ServiceWeek
from shipcast.dashboards import charts
from shipcast.dashboards.charts.week import heat_rows

BARE = re.compile(r'[\w"]+ ?[=:] ?"\w+:[QNTO]"|[\[,]\s*"\w+:[QNTO]"|alt\.(?:value|condition)\(')


def test_no_encoding_is_a_word_or_a_value_for_which_altair_would_read_its_schema_anew():
    assert (
        len(BARE.findall('tooltip=["when:N", alt.Tooltip("said:N")], x2="until:T", "x": "hour:T", y=alt.value(0)')) == 4
    )

    found = {path.name: BARE.findall(path.read_text("utf-8")) for path in Path(charts.__file__).parent.glob("*.py")}

    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(("zone", "again"), [("Europe/London", ["Sun 25 Oct 01:00 again"]), ("Asia/Tokyo", [])])
def test_where_clocks_are_set_back_each_of_two_hours_of_one_name_has_a_place_of_its_own(zone, again):
    begins = datetime(2026, 10, 24, 22, tzinfo=UTC)
    starts = [begins + timedelta(hours=number) for number in range(12)]
    week = ServiceWeek(
        service="web", environment="production", business_zone=zone, duration_minutes=30, n=9, failures=1, recent=3,
        has_load=False, hours=tuple(Hour(start=start, relative_cost=1.0, level="moderate") for start in starts),
    )  # fmt: skip
    rows = heat_rows([week], [start.astimezone(ZoneInfo(zone)) for start in starts])

    assert [row["when"] for row in rows if row["when"].endswith("again")] == again
    assert len({(row["day"], row["of_day"]) for row in rows}) == len({row["when"] for row in rows}) == len(rows)
    assert [row["until"] for row in rows[:-1]] == [row["hour"] for row in rows[1:]]

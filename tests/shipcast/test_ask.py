"""What a user types becomes instants, lengths and settings, or an error that says what was wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from shipcast.ask import Ask, parse_day, parse_instant
from shipcast.settings.durations import parse_duration
from shipcast.settings.errors import UsageError


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2025-12-15T09:00Z", "Asia/Tokyo", datetime(2025, 12, 15, 9, tzinfo=UTC)),
        ("2025-12-15T09:00+02:00", "UTC", datetime(2025, 12, 15, 7, tzinfo=UTC)),
        ("2025-12-15", "Europe/Berlin", datetime(2025, 12, 14, 23, tzinfo=UTC)),
        ("2025-07-15 09:00", "Europe/London", datetime(2025, 7, 15, 8, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_on_the_reporting_zones_clock(text, zone, expected):
    assert parse_instant(text, "--as-of", zone) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "2025-02-30", "15/12/2025"])
def test_a_time_that_is_none_names_its_flag(text):
    with pytest.raises(UsageError, match="--as-of") as caught:
        parse_instant(text, "--as-of", "UTC")

    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "minutes"), [("45m", 45), ("45", 45), ("2h", 120), ("1h30m", 90), ("1H 5min", 65), ("1d", 1440)]
)
def test_a_duration_is_elapsed_time(text, minutes):
    assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "0", "0m", "-5m", "soon", "45s", "999999999999999999999m", "40d"])
def test_a_duration_that_is_none_is_named(text):
    with pytest.raises(UsageError, match="--duration"):
        parse_duration(text)


def test_a_day_that_is_none_names_its_flag():
    with pytest.raises(UsageError, match="--until"):
        parse_day("tomorrow", "--until")


@pytest.mark.parametrize(
    ("text", "tz", "quiet", "is_told"),
    [
        ("2025-12-15T09:00", None, False, True),
        ("2025-12-15T09:00Z", None, False, False),
        ("2025-12-15", None, False, False),
        ("2025-12-15T09:00", "Asia/Tokyo", False, False),
        ("2025-12-15T09:00", "UTC", False, False),
        ("2025-12-15T09:00", None, True, False),
    ],
)
def test_a_start_that_nobody_said_the_clock_of_is_told_to_be_read_in_utc(tmp_path, capsys, text, tz, quiet, is_told):
    ask = Ask(home=str(tmp_path), tz=tz, quiet=quiet)

    assert ask.start(text, "--at") == ask.instant(text, "--at")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("note: --at 2025-12-15T09:00 was read in UTC; give it an offset, or --tz.\n" if is_told else "")

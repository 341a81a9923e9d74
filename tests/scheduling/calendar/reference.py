"""What a calendar says, worked out minute by minute from the plain rules: slow, and written otherwise than the product.

A minute is in force by what the wall clock of the rule's zone showed at the minutes before it; nothing is expanded
ahead, and there are no arrays.
"""

from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
STRENGTH = {"block": 0, "approval": 1}
SAID = ("blocked", "needs-approval")


@cache
def wall(moment, zone):
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@cache
def opens(cron, zone, moment):
    """Whether a cron opens its window at this minute: a time it names is reached by the clock for the first time.

    Where the clock jumped over it within this minute, it is reached now; where it was reached before, it is not again.
    """
    now, before = wall(moment, zone), wall(moment - MINUTE, zone)
    passed = [now] if now - before <= MINUTE else [before + MINUTE * n for n in range(1, (now - before) // MINUTE + 1)]
    return any(named(cron, time) and not was_reached(time, moment, zone) for time in passed)


def was_reached(time, moment, zone):
    """Whether the clock showed the time within the three hours before, since when it was put back."""
    if wall(moment, zone) - wall(moment - 180 * MINUTE, zone) >= 180 * MINUTE:
        return False
    return any(wall(moment - MINUTE * n, zone) == time for n in range(1, 181))


def named(cron, time):
    minute, hour, day, month, weekday = cron.split()
    if not (among(minute, time.minute) and among(hour, time.hour) and among(month, time.month, 1)):
        return False
    by_day, by_weekday = (
        among(day, time.day, 1),
        among(weekday, time.isoweekday() % 7) or among(weekday, time.isoweekday()),
    )
    if day == "*" or weekday == "*":
        return by_day and by_weekday
    return by_day or by_weekday


def among(field, value, first=0):
    for term in field.split(","):
        term, _, step = term.partition("/")
        if term == "*" and (value - first) % int(step or 1) == 0:
            return True
        low, _, high = term.partition("-")
        if term != "*" and int(low) <= value <= int(high or low):
            return True
    return False


def is_open(window, moment):
    return in_force(window["cron"], window["tz"], window["minutes"], moment)


@cache
def in_force(cron, zone, minutes, moment):
    return any(opens(cron, zone, moment - MINUTE * ago) for ago in range(minutes))


def is_frozen(freeze, moment):
    time = wall(moment, freeze["tz"])
    return freeze["start"] <= time.date() <= freeze["end"]


def is_worked(hours, moment):
    time = wall(moment, hours["tz"])
    return time.weekday() in hours["days"] and hours["open"] <= f"{time:%H:%M}" < hours["close"]


def is_holiday(holidays, moment):
    return wall(moment, holidays["tz"]).date() in holidays["dates"]


def about(rule, subject, region):
    scope = rule.get("scope", {})
    values = {"service": subject["service"], "environment": "production", "region": region}
    return all(not globs or any(fnmatchcase(values[key] or "", glob) for glob in globs) for key, globs in scope.items())


def decision(calendar, subject, start, end):
    """(decision, rule) of [start, end), which are whole minutes; equal ones ask about that minute's first instant."""
    minutes = [start + MINUTE * n for n in range(max((end - start) // MINUTE, 1))]
    said = [of_region(calendar, subject, region, minutes) for region in subject["regions"] or [None]]
    strength, _, rule = min(verdict for verdicts in said for verdict in verdicts)
    return ("allowed", rule) if strength == 2 else (SAID[strength], rule)


def of_region(calendar, subject, region, minutes):
    """(strength, place, id) of all that is to be said in one region."""
    place = 0
    said = [(2, 10_000, "default")]
    allow = []
    for window in calendar.get("window", []):
        place += 1
        if not about(window, subject, region):
            continue
        looked_at = minutes[:1] if window.get("fit") == "start" else minutes
        if window["kind"] == "deny" and any(is_open(window, minute) for minute in looked_at):
            said.append((STRENGTH[window.get("effect", "block")], place, window["id"]))
        if window["kind"] == "allow":
            allow.append(window)
            if is_open(window, minutes[0]):
                said.append((2, place, window["id"]))
    place += 1
    starts_in_one = any(window.get("fit") == "start" and is_open(window, minutes[0]) for window in allow)
    if allow and not starts_in_one and not all(any(is_open(one, minute) for one in allow) for minute in minutes):
        said.append((min(STRENGTH[one.get("outside", "block")] for one in allow), place, "no-allow-window"))
    others = (("freeze", is_frozen), ("holidays", is_holiday), ("business_hours", is_worked))
    for rule, is_in_force in ((rule, test) for kind, test in others for rule in calendar.get(kind, [])):
        place += 1
        effect = rule.get("effect", "block")
        if subject.get("change_type") == "emergency":
            effect = rule.get("emergency", effect)
        if effect != "allow" and about(rule, subject, region) and any(is_in_force(rule, minute) for minute in minutes):
            said.append((STRENGTH[effect], place, rule["id"]))
    return said


def as_file(calendar):
    """The calendar as a calendar file has it."""
    return {
        section: [{key: plain(value) for key, value in rule.items()} for rule in rules]
        for section, rules in calendar.items()
    }


def plain(value):
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return [plain(one) for one in value] if isinstance(value, list) else value

"""`plan`: its answers keep every rule of requests and calendar, by a checker that reads JSON and shares no code."""

import json
import math
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from company import COMPANY, CUT

from shipcast.answers.plan import Effort, plan
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.requests import read_requests
from shipcast.settings import Settings
from shipcast.settings.errors import InputRefused

AS_OF = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
SLOT = timedelta(minutes=15)
CALENDAR = """
[[window]]
id = "lunch"
kind = "deny"
cron = "0 12 * * *"
minutes = 60
tz = "Europe/London"

[[freeze]]
id = "soft"
start = 2026-01-07T00:00:00Z
end = 2026-01-07T06:00:00Z
effect = "approval"
tz = "UTC"

[[cab]]
id = "board"
cron = "0 10 * * 2"
tz = "Europe/Berlin"
deadline_hours = 24

[[reserve]]
id = "spare"
environment = "production"
per_day_minutes = 90
between = ["08:00", "13:00"]
tz = "UTC"

[[capacity]]
id = "live"
scope = { environment = ["production"] }
concurrent = 2

[[capacity]]
id = "database"
resource = ["db"]
concurrent = 1
"""
BOARD_MEETS = datetime(2026, 1, 6, 9, tzinfo=UTC)  # 10:00 in Berlin; its deadline is a day after AS_OF's midnight


def text(moment):
    return moment.isoformat().replace("+00:00", "Z")


def made_up(seed, count=14):
    """Requests with their own costs, of few services, some of which wait for, exclude or share with others."""
    lots = random.Random(seed)
    for number in range(count):
        earliest = AS_OF + timedelta(minutes=lots.choice([0, 7, 300, 1500]))
        minutes = lots.choice([10, 15, 40, 90])
        latest = earliest + timedelta(hours=lots.choice([3, 20, 50, 70]))
        starts = int((latest - earliest - timedelta(minutes=minutes)) / SLOT) + 1
        yield {
            "id": f"r{number}", "service": f"s{number % 5}", "duration_minutes": minutes,
            "environment": lots.choice(["production", "production", "test"]),
            "earliest": text(earliest), "latest": text(latest),
            "cost": [None if lots.random() < 0.1 else round(lots.uniform(1, 9), 2) for _ in range(starts)],
            "change_type": lots.choice(["standard", "standard", "normal", "emergency"]),
            "approval_needed": lots.random() < 0.1,
            "depends_on": [f"r{lots.randrange(number)}"] if number and lots.random() < 0.3 else [],
            "bake_minutes": lots.choice([0, 20, 60]),
            "excludes": [f"r{lots.randrange(number)}"] if number and lots.random() < 0.2 else [],
            "resources": ["db"] if lots.random() < 0.3 else [],
            **({"deferral_cost": lots.choice([0, 5, 500])} if lots.random() < 0.3 else {}),
        }  # fmt: skip


def slots_from(earliest):
    """The first quarter hour at or after an instant."""
    return earliest + (-(earliest - AS_OF) % SLOT)


def own_price(request, start):
    """What a start costs by the request's own list; None: not allowed."""
    place = (start - slots_from(datetime.fromisoformat(request["earliest"]))) // SLOT
    return request["cost"][place] if 0 <= place < len(request["cost"]) else None


def overlap(one, two):
    return one[0] < two[1] and two[0] < one[1]


def in_lunch(begin, end):
    day = begin.astimezone(ZoneInfo("Europe/London")).replace(hour=12, minute=0)
    return any(overlap((begin, end), (day + shift, day + shift + 4 * SLOT)) for shift in (timedelta(), timedelta(1)))


def violations(requests, answer):
    """Every rule that the answer breaks, in words."""
    by_id = {one["id"]: one for one in requests}
    runs = {item["id"]: tuple(map(datetime.fromisoformat, (item["start"], item["end"]))) for item in answer["items"]}
    blocks = {}
    for block in answer["reserved"]:
        span = tuple(map(datetime.fromisoformat, (block["start"], block["end"])))
        blocks[span[0].date()] = span
        if not (span[1] - span[0] == 6 * SLOT and span[0].hour >= 8 and span[1] <= span[0].replace(hour=13, minute=0)):
            yield f"reserve at {span}"
    for day in range(4):
        if (AS_OF + timedelta(days=day)).date() not in blocks and AS_OF + timedelta(
            days=day, hours=13
        ) < datetime.fromisoformat(answer["period_end"]):
            yield f"no reserve on day {day}"
    for name, (begin, end) in runs.items():
        one = by_id[name]
        whole = begin, begin + math.ceil((end - begin) / SLOT) * SLOT
        if (
            (begin - AS_OF) % SLOT
            or begin < datetime.fromisoformat(one["earliest"])
            or end > datetime.fromisoformat(one["latest"])
        ):
            yield f"{name} out of its time"
        if own_price(one, begin) is None:
            yield f"{name} where it is not allowed"
        if in_lunch(begin, end) or overlap(
            (begin, end), (AS_OF + timedelta(days=2), AS_OF + timedelta(days=2, hours=6))
        ):
            yield f"{name} against the calendar"
        if (one["change_type"] == "normal" or one["approval_needed"]) and begin < BOARD_MEETS:
            yield f"{name} before the board"
        for other in one["depends_on"]:
            if other not in runs or begin < runs[other][1] + timedelta(minutes=by_id[other]["bake_minutes"]):
                yield f"{name} before {other}"
        for other in runs.keys() - {name}:
            two = by_id[other]
            is_same = (one["service"], one["environment"]) == (two["service"], two["environment"])
            if (is_same or other in one["excludes"]) and overlap((begin, end), runs[other]):
                yield f"{name} beside {other}"
        is_plain = one["environment"] == "production" and one["change_type"] != "emergency"
        if is_plain and any(overlap(whole, span) for span in blocks.values()):
            yield f"{name} in the reserve"
        for limit, members in ((2, lambda r: r["environment"] == "production"), (1, lambda r: "db" in r["resources"])):
            beside = [other for other in runs if members(by_id[other]) and runs[other][0] <= begin < runs[other][1]]
            if members(one) and len(beside) > limit:
                yield f"{name} beyond a capacity: {beside}"


def deferral_cost(request):
    prices = [price for price in request["cost"] if price is not None]
    return request.get("deferral_cost", 3 * max(prices, default=0))


def asked(folder, requests, calendar=CALENDAR, iterations=60, **more):
    path = folder / "calendar.toml"
    path.write_text(calendar, encoding="utf-8")
    file = read_requests(json.dumps({"requests": list(requests)}), "requests.json", "UTC")
    effort = Effort(iterations=iterations)
    return plan(Settings(home=folder / "home"), AS_OF, file, calendar_file=path, effort=effort, **more)


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_keeps_every_rule_and_adds_up(seed, tmp_path):
    requests = list(made_up(seed))
    answer = asked(tmp_path, requests).as_dict()

    assert list(violations(requests, answer)) == []
    by_id = {one["id"]: one for one in requests}
    for item in answer["items"]:
        assert item["expected_cost"] == own_price(by_id[item["id"]], datetime.fromisoformat(item["start"]))
    assert {item["id"] for item in answer["items"] + answer["unscheduled"]} == set(by_id)
    deferred = sum(deferral_cost(by_id[one["id"]]) for one in answer["unscheduled"])
    assert answer["objective"] == pytest.approx(sum(item["expected_cost"] for item in answer["items"]) + deferred)
    assert answer["bound"] <= answer["objective"]
    assert all(answer["objective"] <= way["objective"] for way in answer["other_ways"] if not way["broken"])


def test_the_checker_finds_what_is_broken(tmp_path):
    """What each would rather have breaks rules, so the checker can fail."""
    requests = list(made_up(0, count=60))
    answer = asked(tmp_path, requests).as_dict()
    favourites = []
    for one in requests:
        _, place = min((price, place) for place, price in enumerate(one["cost"]) if price is not None)
        start = slots_from(datetime.fromisoformat(one["earliest"])) + place * SLOT
        favourites.append(
            {"id": one["id"], "start": text(start), "end": text(start + timedelta(minutes=one["duration_minutes"]))}
        )

    found = " ".join(violations(requests, {**answer, "items": favourites}))

    assert all(word in found for word in ("calendar", "board", "before", "beside", "reserve", "capacity"))


def test_what_is_said_to_be_lifted_gives_a_start(tmp_path):
    change = {"id": "a", "service": "a", "duration_minutes": 15, "cost": [1.0] * 8, "latest": text(AS_OF + 8 * SLOT)}
    normal = {**change, "change_type": "normal"}
    [one] = asked(tmp_path, [normal]).unscheduled

    assert [(item.kind, item.name) for item in one.lift] == [("rule", "board")]
    assert sum(reason.starts for reason in one.reasons) == 8
    assert len(asked(tmp_path, [change]).items) == 1
    assert asked(tmp_path, [{**change, "approval_needed": True}]).items == ()
    assert asked(tmp_path, [normal], without=["board"]).what_if.scheduled == 1


def test_a_given_number_of_iterations_gives_the_same_plan(tmp_path):
    requests = list(made_up(3))
    first, second = (asked(tmp_path, requests).as_dict() for _ in range(2))

    assert {**first, "generated_at": None} == {**second, "generated_at": None}


def test_a_rule_costs_what_the_plan_without_it_saves(tmp_path):
    requests = [
        {
            "id": name,
            "service": name,
            "duration_minutes": 15,
            "cost": [1, 4],
            "latest": text(AS_OF + 2 * SLOT),
            "deferral_cost": 99,
        }
        for name in "ab"
    ]
    calendar = '[[capacity]]\nid = "one"\nconcurrent = 1\n'

    answer = asked(tmp_path, requests, calendar, without=["one"])

    assert (answer.objective, answer.what_if.objective) == (5, 2)
    assert answer.what_if.saved == 3
    assert 0 < answer.what_if.saved_low <= 3 <= answer.what_if.saved_high
    with pytest.raises(CalendarError, match="no rule 'two'"):
        asked(tmp_path, requests, calendar, without=["two"])


def test_a_reserve_that_is_asked_about_is_priced_by_a_second_plan(tmp_path):
    day = AS_OF + timedelta(days=1)
    requests = [
        {"id": "a", "service": "a", "duration_minutes": 15, "cost": [1] * 96, "latest": text(day), "deferral_cost": 7}
    ]

    answer = asked(tmp_path, requests, "", reserve_minutes=24 * 60)

    assert (answer.objective, answer.what_if.objective, answer.what_if.saved) == (1, 7, -6)


def reserve(between, minutes):
    opens, closes = between
    keys = f'per_day_minutes = {minutes}\nbetween = ["{opens}", "{closes}"]\ntz = "UTC"\n'
    return f'[[reserve]]\nid = "spare"\nenvironment = "production"\n{keys}'


def test_a_reserve_that_fits_no_quarter_hours_is_kept_whole(tmp_path):
    change = {"id": "a", "service": "a", "duration_minutes": 90, "cost": [1], "earliest": text(AS_OF + 24 * SLOT)}
    change["latest"] = text(AS_OF + 30 * SLOT)

    answer = asked(tmp_path, [change], reserve(("06:05", "06:35"), 30))

    assert [one.id for one in answer.unscheduled] == ["a"]
    assert [(one.start, one.end) for one in answer.reserved] == [(AS_OF + 24 * SLOT, AS_OF + 27 * SLOT)]


def test_a_reserve_may_lie_before_all_that_is_planned(tmp_path):
    change = {"id": "a", "service": "a", "duration_minutes": 60, "cost": [1], "earliest": text(AS_OF + 84 * SLOT)}

    answer = asked(tmp_path, [{**change, "latest": text(AS_OF + 88 * SLOT)}], reserve(("20:00", "22:00"), 60))

    assert [one.id for one in answer.items] == ["a"]
    assert [(one.start, one.end) for one in answer.reserved] == [(AS_OF + 80 * SLOT, AS_OF + 84 * SLOT)]


def test_a_type_that_is_not_said_passes_the_board_and_a_warning_says_so(tmp_path):
    change = {"id": "a", "service": "a", "duration_minutes": 15, "cost": [1, 2], "latest": text(AS_OF + 2 * SLOT)}

    answer = asked(tmp_path, [change])

    assert len(answer.items) == 1
    assert "The type of a is not said: if it is normal, board would have to decide first." in answer.warnings


def test_what_waits_for_its_services_order_is_said_and_circles_are_left_alone(tmp_path, built):
    services = [
        {"service": name, "depends_on": needs} for name, needs in (("a", "b"), ("b", ""), ("c", "d"), ("d", "c"))
    ]
    home = built(
        {
            "services": services,
            "deployments": [
                {
                    "deployment_id": "x",
                    "service": "a",
                    "environment": "production",
                    "started_at": "2025-01-01T00:00Z",
                    "status": "succeeded",
                }
            ],
        }
    )
    requests = [
        {"id": name, "service": name, "duration_minutes": 15, "cost": [1, 2, 3], "latest": text(AS_OF + 3 * SLOT)}
        for name in "abcd"
    ]
    file = read_requests(json.dumps({"requests": requests}), "requests.json", "UTC")

    answer = plan(home, AS_OF, file, effort=Effort(iterations=10))

    starts = {item.id: item.start for item in answer.items}
    assert (starts["a"], starts["b"]) == (AS_OF + SLOT, AS_OF)
    assert starts["c"] == starts["d"] == AS_OF
    assert "Waits for what its service needs, since depends_on is not said: a." in answer.warnings
    assert "Services that need each other in a circle: no order is kept between c, d." in answer.warnings


def test_without_costs_of_their_own_requests_are_priced_by_the_forecasts(built_once):
    home = built_once("page_company", COMPANY)
    requests = [
        {"id": "p", "service": "pay", "duration_minutes": 30},
        {"id": "w", "service": "web", "duration_minutes": 30},
    ]
    asked_of = {
        both: read_requests(json.dumps({"requests": requests[both:]}), "requests.json", "UTC") for both in (0, 1)
    }

    mixed, alone = (plan(home, CUT, asked_of[both], effort=Effort(iterations=10)) for both in (0, 1))

    assert (mixed.unit, alone.unit) == ("disruption_minutes", "requests")
    assert "No load is known of pay: all costs are minutes of disruption." in mixed.warnings
    assert all(0 < item.failure_probability < 1 and item.expected_cost > 0 for item in mixed.items)
    unknown = read_requests(json.dumps({"requests": [{**requests[0], "service": "pey"}]}), "requests.json", "UTC")
    with pytest.raises(InputRefused, match="Request p: No service is called 'pey'"):
        plan(home, CUT, unknown)

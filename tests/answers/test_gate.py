"""`gate`: each check by hand, the verdict they add up to, and that what is not known is never a go."""

import shutil
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from company import COMPANY, CUT, DEPLOYED, instant

from shipcast.answers.errors import UnknownName
from shipcast.answers.explain import explain
from shipcast.answers.gate import EXIT_CODES, Terms, gate, reasons, verdict_of
from shipcast.answers.gate_checks import Check, Deployment, approvals_check, calendar_check
from shipcast.answers.reading import open_reader
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.ledger.entries import Approval, Booking, Entry, Override, Slot, Unusable
from shipcast.scheduling.ledger.state import State
from shipcast.scheduling.wanted import Constraints
from shipcast.settings import Settings
from shipcast.settings.errors import UsageError

HALF_HOUR = timedelta(minutes=30)
NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)  # fair for pay; six hours later it is rough
SEVEN = NOON.replace(hour=7)
SIX = timedelta(hours=6)
SERVICES = [
    {"service": "pay", "team": "money", "business_zone": "Europe/London", "regions": None},
    {"service": "web", "team": None, "business_zone": "Europe/London", "regions": "eu;us"},
]
HOLDS = [
    {"service": "web", "at": instant(CUT - timedelta(days=1)), "active": "true", "kind": "freeze"},
    {"service": "pay", "at": instant(CUT + timedelta(hours=1)), "active": "true", "kind": "later"},
]
FREEZE = '[[freeze]]\nid = "close"\nstart = {}\nend = {}\ntz = "UTC"\n'
JUNE = FREEZE.format("2025-06-01", "2025-06-20")
SOFT = '[[window]]\nid = "soft"\nkind = "deny"\ncron = "0 0 * * *"\nminutes = 1440\ntz = "UTC"\neffect = "approval"\n'
EARLY = '[[window]]\nid = "early"\nkind = "allow"\ncron = "0 7 * * *"\nminutes = 60\ntz = "UTC"\n'
LATE = EARLY.replace("0 7 * * *", "0 18 * * 2")
EU = 'scope = { region = ["eu"] }\n'
BOARD = '[[cab]]\nid = "board"\ncron = "0 10 * * 3"\ndeadline_hours = 24\ntz = "UTC"\n'
THEIRS = BOARD + 'scope = { team = ["other"], region = ["eu"] }\n'
OFFICE = '[[business_hours]]\nid = "office"\nregion = "us"\nopen = "11:00"\nclose = "13:00"\ntz = "UTC"\n'
SPARE = '[[reserve]]\nid = "spare"\nper_day_minutes = 60\nbetween = ["11:30", "13:00"]\ntz = "UTC"\n'


TERMS = {field.name for field in fields(Terms)}


@pytest.fixture(scope="module")
def home(built):
    return built({**COMPANY, "services": SERVICES, "holds": HOLDS})


@pytest.fixture
def ask(home, tmp_path):
    """Ask about half an hour of a service on the calendar given."""

    def asked(service="pay", calendar="", settings=home, as_of=CUT, **more):
        path = tmp_path / "calendar.toml"
        path.write_text(calendar, encoding="utf-8")
        said = {"at": NOON, "duration": HALF_HOUR, **{key: more.pop(key) for key in TERMS & more.keys()}}
        return gate(settings, as_of, service, Terms(**said), calendar_file=path, **more)

    return asked


@pytest.fixture
def ask_calendar(ask, tmp_path):
    """Ask where nothing is published, so that calendar and approvals alone can be judged: these two checks."""

    def asked(calendar, **more):
        return ask(calendar=calendar, settings=Settings(home=tmp_path / "nowhere"), **more).items[:2]

    return asked


CASES = {  # the verdict, the check that makes it, what it says, and the question
    "nothing is against it": ("go", None, "Fair: about", {}),
    "it is frozen": ("hold", "calendar", "Blocked by close until Sat 21 Jun 01:00", {"calendar": JUNE}),
    "the evening is worse than fair": ("hold", "level", "Rough: about", {"at": NOON + SIX}),
    "the evening is as bad as may be": ("go", None, "Rough: about", {"at": NOON + SIX, "max_level": "rough"}),
    "it is worse than what may ship": (
        "hold",
        "level",
        "worst that may ship is calm",
        {"at": NOON + SIX, "max_level": "calm"},
    ),
    "noon is not calm, but nothing is": ("go", None, "so that waiting gains nothing", {"max_level": "calm"}),
    "the calendar leaves nothing calmer": (
        "go",
        None,
        "so that waiting gains nothing",
        {"at": NOON + SIX, "calendar": LATE},
    ),
    "a rule wants an approval": ("hold", "approvals", "an approval by soft. None is known.", {"calendar": SOFT}),
    "a board may have to decide": ("unknown", "approvals", "type of the change is not said", {"calendar": BOARD}),
    "a hold only warns": ("go", None, "only warned of: freeze", {"service": "web", "max_level": "storm"}),
    "nothing had settled": (
        "unknown",
        "level",
        "No deployment to production had settled",
        {"as_of": datetime.fromisoformat(min(one["started_at"] for one in DEPLOYED)), "at": None},
    ),
    "nothing had been deployed": (
        "unknown",
        "level",
        "No deployment to production was known",
        {"as_of": CUT - timedelta(days=250), "at": None},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_verdict_has_its_reason(ask, name):
    verdict, check, words, question = CASES[name]
    answer = ask(**question)

    assert (answer.verdict, answer.exit_code) == (verdict, EXIT_CODES[verdict])
    assert [one.check for one in answer.items if one.verdict != "go"] == ([check] if check else [])
    assert words in " ".join(answer.reasons)
    assert check is None or answer.reasons[0] in answer.sentence


MEETS = "board, which can give it on Wed 4 Jun 10:00 (UTC) if asked by Tue 3 Jun 10:00. None is known."
KEPT = {  # what calendar and approvals say
    "an allow window is shut": ("hold", "go", "It does not lie in an allow window", {"calendar": EARLY}),
    "one is open": ("go", "go", "Allowed by early until Tue 3 Jun 08:00", {"calendar": EARLY, "at": SEVEN}),
    "both are needed": ("go", "hold", f"by soft; {MEETS}", {"calendar": SOFT + BOARD, "change_type": "normal"}),
    "emergencies go past the board": ("go", "go", "None is needed", {"calendar": BOARD, "change_type": "emergency"}),
    "so do standard changes": ("go", "go", "None is needed", {"calendar": BOARD, "change_type": "standard"}),
    "its board is not known": ("go", "unknown", "board is about", {"calendar": THEIRS, "change_type": "normal"}),
    "its region is not known": ("unknown", "go", "whether office is about it cannot be said", {"calendar": OFFICE}),
    "a window may be its region's": ("unknown", "go", "whether early is about it", {"calendar": EARLY + EU}),
    "its region does not matter then": ("go", "go", "No rule is against it.", {"calendar": OFFICE, "at": NOON + SIX}),
    "the reserve leaves no room": ("hold", "go", "No room is left for it by spare.", {"calendar": SPARE}),
    "but for an emergency": ("go", "go", "No rule", {"calendar": SPARE, "change_type": "emergency"}),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_the_calendar_is_kept(ask_calendar, name):
    calendar, approvals, words, question = KEPT[name]
    found = ask_calendar(**question)

    assert [one.verdict for one in found] == [calendar, approvals]
    assert words in " ".join(one.detail for one in found)


def test_a_hold_blocks_where_the_setting_says_so_and_one_that_comes_later_does_not(ask, home):
    settings = home.model_copy(update={"holds": "block"})
    answer = ask("web", settings=settings, max_level="storm")

    assert (answer.verdict, answer.reasons) == ("hold", ("web is on hold in production: freeze.",))
    assert ask(settings=settings).verdict == "go"


def test_a_region_that_is_known_is_kept_to(ask):
    answer = ask("web", OFFICE, max_level="storm")

    assert (answer.verdict, answer.items[0].rule, answer.items[0].until) == ("hold", "office", NOON.replace(hour=13))


def test_a_freeze_ends_before_its_end(ask_calendar):
    calendar = FREEZE.format("2025-06-02", "2025-06-03T12:00:00Z")
    before = ask_calendar(calendar, at=NOON - timedelta(seconds=1))[0]

    assert (before.verdict, before.until, before.next_allowed) == ("hold", NOON, NOON)
    assert ask_calendar(calendar)[0].verdict == "go"


def test_a_deployment_that_runs_into_a_freeze_holds(ask_calendar):
    calendar = FREEZE.format("2025-06-03T12:20:00", "2025-06-03T16:00:00")
    into = ask_calendar(calendar)[0]

    assert (into.verdict, into.next_allowed) == ("hold", NOON.replace(hour=16))
    assert ask_calendar(calendar, duration=timedelta(minutes=20))[0].verdict == "go"


def test_the_calendar_is_asked_about_the_second_and_the_level_about_its_quarter_hour(ask):
    calendar = FREEZE.format("2025-06-03T00:00:00", "2025-06-03T12:05:00")
    at = NOON + timedelta(minutes=5)
    answer = ask(calendar=calendar, at=at)

    assert ask(calendar=calendar, at=at - timedelta(seconds=1)).verdict == "hold"
    assert (answer.verdict, answer.start, answer.end, answer.outlook.start) == ("go", at, at + HALF_HOUR, NOON)


def test_of_an_hour_that_comes_twice_a_window_shuts_the_first(ask_calendar):
    calendar = '[[window]]\nid = "batch"\nkind = "deny"\ncron = "30 1 * * *"\nminutes = 60\ntz = "Europe/London"\n'
    first, second = (datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1))  # both 1:30 in London

    assert ask_calendar(calendar, at=first)[0].until == second
    assert ask_calendar(calendar, at=second)[0].verdict == "go"


def test_the_outlook_is_what_explain_says_number_for_number(ask, home):
    outlook = ask().outlook
    with open_reader(home, CUT) as reader:
        [item] = explain(reader, "pay", at=NOON, duration=HALF_HOUR).items

    assert {name: getattr(item, name) for name in type(outlook).model_fields} == dict(outlook)


def part_of(home, folder):
    """What a gate reads of a home, as a home of its own."""
    shutil.copytree(home.home / "snapshots", folder / "snapshots")
    shutil.copy(home.home / "current.json", folder)
    return Settings(home=folder)


def test_a_damaged_model_leaves_the_rest_to_be_judged(ask, home, tmp_path):
    settings = part_of(home, tmp_path / "home")
    (settings.home / "models").mkdir()
    (settings.home / "models" / "champions.json").write_text("{}", encoding="utf-8")
    answer = ask(settings=settings)

    assert [one.verdict for one in answer.items] == ["go", "go", "unknown", "go"]
    assert (answer.verdict, answer.outlook) == ("unknown", None)
    assert "champions.json is damaged" in answer.reasons[0]
    assert ask(settings=settings, calendar=JUNE).verdict == "hold"


@pytest.mark.parametrize("damage", ["nothing published", "a snapshot of a few bytes", "no snapshot"])
def test_a_home_that_cannot_be_read_cannot_say_but_keeps_the_calendar(ask, home, tmp_path, damage):
    settings = Settings(home=tmp_path / "nowhere")
    if damage != "nothing published":
        settings = part_of(home, tmp_path / "home")
        for path in (settings.home / "snapshots").iterdir():
            path.write_bytes(b"nothing") if damage == "a snapshot of a few bytes" else path.unlink()
    answer = ask(settings=settings)

    assert [one.verdict for one in answer.items] == ["go", "go", "unknown", "unknown"]
    assert (answer.verdict, answer.data_as_of) == ("unknown", None)
    assert ask(settings=settings, calendar=JUNE).verdict == "hold"
    assert ask(settings=settings, calendar=OFFICE).items[0].verdict == "unknown"


@pytest.mark.parametrize("verdict", ["hold", "go"])
def test_what_is_not_known_counts_as_asked_and_is_said(ask, verdict):
    answer = ask(calendar=BOARD, on_unknown=verdict)

    assert (answer.verdict, answer.found) == (verdict, "unknown")
    assert "type of the change is not said" in answer.reasons[0]
    said = f"What is not known counts as {verdict} here (--on-unknown {verdict})."
    assert answer.reasons[-1] == answer.warnings[-1] == said


def test_what_holds_is_no_go_whatever_counts_where_nothing_is_known(ask):
    answer = ask(calendar=BOARD + JUNE, on_unknown="go")

    assert (answer.verdict, answer.found) == ("hold", "hold")


def test_only_where_all_checks_say_go_is_it_a_go():
    for verdicts in product(EXIT_CODES, repeat=4):
        checks = [Check(check="level", verdict=one, detail=f"{one}.") for one in verdicts]
        found = verdict_of(checks)

        assert (found == "go") == (set(verdicts) == {"go"})
        assert (found == "hold") == ("hold" in verdicts)
        assert len(reasons(checks, found)) == (4 if found == "go" else 4 - verdicts.count("go"))


WRONG = [
    ({"change_type": "urgent"}, UsageError, "--type must be standard, normal or emergency. Got 'urgent'"),
    ({"max_level": "mild"}, UsageError, "--max-level must be calm, fair"),
    ({"on_unknown": "maybe"}, UsageError, "--on-unknown must be hold or go"),
    ({"at": CUT - timedelta(seconds=1)}, UsageError, "before the time of the question"),
    ({"duration": timedelta()}, UsageError, "takes some time"),
    ({"calendar": "[[freeze]]\n"}, CalendarError, "it lacks the key"),
]
UNKNOWN = [
    ({"service": "pya"}, UnknownName, "pya"),
    ({"environment": "prodution"}, UnknownName, "prodution"),
    ({"at": CUT + timedelta(days=40)}, UsageError, "35 days ahead"),
]


@pytest.mark.parametrize(("question", "error", "words"), [*WRONG, *UNKNOWN], ids=str)
def test_a_gate_that_is_set_up_wrongly_gives_no_verdict(ask, question, error, words):
    with pytest.raises(error, match=words):
        ask(**question)


@pytest.mark.parametrize(("question", "error", "words"), WRONG, ids=str)
def test_nor_does_it_where_nothing_is_published(ask, tmp_path, question, error, words):
    with pytest.raises(error, match=words):
        ask(settings=Settings(home=tmp_path / "nowhere"), **question)


def judged(folder, calendar, **held):
    """The calendar's and the approvals' verdict on a normal change of pay at noon, with what the ledger holds."""
    path = folder / "calendar.toml"
    path.write_text(calendar, encoding="utf-8")
    begins = NOON.replace(tzinfo=None)
    entries = {
        kind: tuple(Entry(n, begins, "ann", "ann", body, "") for n, body in found) for kind, found in held.items()
    }
    constraints = Constraints(read_calendar(path), begins - SIX, State(**entries))
    deployment = Deployment(constraints, Subject("pay", change_type="normal"), begins, begins + HALF_HOUR, "UTC")
    return calendar_check(deployment).verdict, approvals_check(deployment).verdict


SPAN = {"service": "pay", "start": NOON.replace(tzinfo=None), "end": NOON.replace(tzinfo=None) + HALF_HOUR}


def test_the_ledger_lets_go_what_was_approved_overridden_or_booked(tmp_path):
    approved = [(3, Approval(slot=Slot(**SPAN)))]
    passed = [(1, Override(**SPAN, rules=("close",), reason="it burns"))]
    overlapping = [(2, Booking(**{**SPAN, "start": SPAN["start"] + HALF_HOUR / 2}))]
    one = '[[capacity]]\nid = "one"\nconcurrent = 1\n'

    assert judged(tmp_path, SOFT + BOARD) == ("go", "hold")
    assert judged(tmp_path, SOFT + BOARD, approvals=approved) == ("go", "go")
    assert judged(tmp_path, SOFT, approvals=[(3, Approval(booking=2))]) == ("go", "hold")
    assert judged(tmp_path, SOFT, approvals=[(3, Approval(booking=2))], bookings=[(2, Booking(**SPAN))]) == ("go", "go")
    assert judged(tmp_path, JUNE, approvals=approved) == ("hold", "go")
    assert judged(tmp_path, JUNE, overrides=passed) == (
        "go",
        "go",
    )
    assert judged(tmp_path, one, bookings=[(2, Booking(**SPAN))]) == ("go", "go")
    assert judged(tmp_path, one, bookings=[(2, Booking(**{**SPAN, "service": "web"}))]) == ("hold", "go")
    assert judged(tmp_path, "", bookings=overlapping) == (
        "hold",
        "go",
    )
    assert judged(tmp_path, "", marks=[(2, Unusable(**SPAN, reason="the batch runs"))]) == ("hold", "go")

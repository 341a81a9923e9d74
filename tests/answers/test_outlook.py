"""The coming week hour by hour: the prices of `windows`, the calendar's rules, the ledger's bookings."""

import shutil
from datetime import UTC, datetime, timedelta
from statistics import mean

import pytest
from company import COMPANY, CUT

from shipcast.answers.errors import UnknownName
from shipcast.answers.outlook import outlook
from shipcast.answers.reading import open_reader
from shipcast.answers.windows import windows
from shipcast.scheduling.ledger.entries import Booking
from shipcast.scheduling.ledger.ledger import writing
from shipcast.scheduling.recommend import level
from shipcast.settings import Settings

NIGHTS = """
[[window]]
id = "no-nights"
kind = "deny"
cron = "0 22 * * *"
minutes = 480
tz = "UTC"
"""


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("page_company", COMPANY)


@pytest.fixture
def own(home, tmp_path):
    """The same home, to write in."""
    shutil.copytree(home.home, tmp_path / "home")
    return Settings(home=tmp_path / "home")


def asked(settings, **given):
    with open_reader(settings, CUT) as reader:
        return outlook(reader, **given)


def test_its_hours_are_those_of_windows(home):
    (web,) = asked(home, service="web").items
    with open_reader(home, CUT) as reader:
        answer = windows(reader, "web", duration=timedelta(minutes=web.duration_minutes))

    assert [hour.start for hour in web.hours][:2] == [CUT, CUT + timedelta(hours=1)]
    assert [hour.relative_cost for hour in web.hours] == pytest.approx(answer.outlook.relative_costs, abs=2e-4)
    assert [hour.level for hour in web.hours] == [level(hour.relative_cost) for hour in web.hours]
    assert mean(hour.relative_cost for hour in web.hours) == pytest.approx(1, abs=1e-3)


def test_the_services_deployed_most_come_first_and_the_rest_is_counted(home):
    whole, first = asked(home), asked(home, top=1)

    assert sorted(item.service for item in whole.items) == ["pay", "web"]
    assert whole.items[0].recent >= whole.items[1].recent
    assert [item.service for item in first.items] == [whole.items[0].service]
    assert (first.services, first.warnings[-1]) == (
        2,
        "Shown: 1 service of 2, those deployed most in the last 13 weeks.",
    )


def test_the_calmest_hour_is_the_one_that_is_good_for_most(home):
    answer = asked(home)
    good = {
        hour: sum(item.hours[hour].level in ("calm", "fair") for item in answer.items)
        for hour in range(len(answer.items[0].hours))
    }
    calmest = next(place for place, hour in enumerate(answer.items[0].hours) if hour.start == answer.calmest)

    assert answer.calm == good[calmest] == max(good.values())
    assert f"calm or fair for {answer.calm} of 2 services" in answer.sentence


def test_hours_in_which_nothing_may_start_name_their_rule_and_booked_ones_their_booking(own):
    (own.home / "calendar.toml").write_text(NIGHTS, encoding="utf-8")
    start = datetime.now(UTC).replace(hour=12, minute=30, second=0, microsecond=0) + timedelta(days=1)
    with writing(own.home) as ledger:
        ledger.append(
            Booking(service="web", environment="production", start=start, end=start + timedelta(hours=1)), "ana"
        )
    with open_reader(own, datetime.now(UTC)) as reader:  # what is booked is known from then on
        web = outlook(reader, service="web").items[0]

    blocked = {hour.start.hour for hour in web.hours if hour.blocked == "no-nights"}
    assert {22, 23, 0, 1, 2, 3, 4, 5} <= blocked
    assert not blocked & set(range(6, 21))
    half = timedelta(minutes=30)
    assert [hour.start for hour in web.hours if hour.booked] == [start - half, start + half]


def test_nothing_known_is_said_and_a_wrong_name_is_refused(built_once, home):
    nothing = asked(built_once("empty", {}))

    assert nothing.sentence == "No service was deployed here yet, so there is no outlook."
    assert nothing.items == ()
    with pytest.raises(UnknownName):
        asked(home, service="wep")
    with pytest.raises(UnknownName):
        asked(home, environment="prodution")

"""Advice is kept when it is about the present, and held against the deployments that came after it."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from company import COMPANY, CUT

from shipcast.answers.advice import FILE, Advice, AdvisedStart, GateVerdict, add_lines, keep, kept
from shipcast.answers.decision_quality import NOTHING_KEPT, decision_quality
from shipcast.answers.gate import Terms, gate
from shipcast.answers.now import now
from shipcast.answers.reading import open_reader
from shipcast.answers.windows import Outlook, windows
from shipcast.settings import Settings

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def company(built_once, tmp_path_factory):
    home = built_once("page_company", COMPANY).home
    return Settings(home=shutil.copytree(home, tmp_path_factory.mktemp("advice") / "home"))


def asked(home, question=windows, **more):
    with open_reader(home, CUT) as reader:
        return question(reader, "web", duration=HOUR / 2, **more)


def of_the_present(answer):
    return answer.model_copy(update={"generated_at": answer.as_of + HOUR / 2})


def test_what_is_asked_about_the_present_is_kept_with_its_prices(company):
    answer = of_the_present(asked(company))

    assert keep(company.home, answer) == answer
    [one], verdicts, unreadable = kept(company.home, CUT)

    assert (verdicts, unreadable) == ([], 0)
    assert (one.verb, one.service, one.as_of, one.verdict) == ("windows", "web", CUT, answer.verdict)
    assert [start.relative_cost for start in one.starts] == [item.relative_cost for item in answer.items]
    assert one.outlook == answer.outlook
    assert kept(company.home, CUT - HOUR) == ([], [], 0)


def test_questions_about_the_past_and_homes_that_are_not_there_keep_nothing(company, tmp_path):
    answer = asked(company, now)

    assert keep(company.home, answer) == answer
    assert keep(tmp_path / "nowhere", of_the_present(answer)) == of_the_present(answer)
    assert not (tmp_path / "nowhere").exists()
    assert [one.verb for one in kept(company.home, CUT).advice] == ["windows"]


@pytest.mark.parametrize(("latest", "place"), [(None, 1), (CUT + 100 * HOUR, 2)])
def test_of_a_wait_the_start_is_kept_that_it_is_for(company, tmp_path, latest, place):
    answer = asked(company, now, latest=latest)
    first, of_day, last = (one.start for one in answer.items)
    waits = answer.model_copy(update={"verdict": "wait", "wait_until": answer.items[place].start})
    keep(tmp_path, of_the_present(waits))

    assert len({first, of_day, last}) == 3
    assert [one.start for one in kept(tmp_path, CUT).advice[0].starts] == [waits.wait_until]


def test_where_nothing_can_be_written_the_answer_says_so(company, tmp_path):
    (tmp_path / FILE).mkdir()

    assert keep(tmp_path, of_the_present(asked(company))).warnings[-1].startswith("This advice was not kept")


def test_the_gate_keeps_its_verdict_with_the_price_of_its_start_and_the_week_of_windows(built):
    home = built(COMPANY)
    answer = of_the_present(gate(home, CUT, "web", Terms(CUT + 5 * HOUR, HOUR / 2)))

    assert keep(home.home, answer) == answer
    advice, [one], unreadable = kept(home.home, CUT)

    assert (advice, unreadable) == ([], 0)
    assert (one.verdict, one.start, one.end) == (answer.verdict, CUT + 5 * HOUR, CUT + 5.5 * HOUR)
    assert (one.failure_probability, one.relative_cost) == (
        answer.outlook.failure_probability,
        answer.outlook.relative_cost,
    )
    assert one.outlook == asked(home).outlook
    assert "week" not in answer.as_dict()


def test_a_verdict_where_no_snapshot_can_be_read_is_kept_without_a_price(company, tmp_path):
    settings = company.model_copy(update={"home": tmp_path})
    keep(tmp_path, of_the_present(gate(settings, CUT, "web")))

    [one] = kept(tmp_path, CUT).verdicts
    assert (one.verdict, one.failure_probability, one.relative_cost, one.outlook) == ("unknown", None, None, None)


@pytest.mark.parametrize("place", ["a file", "a name longer than any may be" * 20, "a folder in the way"])
def test_where_a_verdict_cannot_be_kept_it_stands(company, tmp_path, place):
    (tmp_path / "a file").write_text("no folder")
    (tmp_path / "a folder in the way" / FILE).mkdir(parents=True)
    answer = of_the_present(gate(company, CUT, "web"))

    after = keep(tmp_path / place, answer)
    assert (after.verdict, after.exit_code, after.items) == (answer.verdict, answer.exit_code, answer.items)
    assert len(after.warnings) - len(answer.warnings) == (place != "a file")


def test_a_line_that_broke_off_costs_only_itself(tmp_path):
    whole = advice(MONDAY, [10]).model_dump_json()
    add_lines(tmp_path / FILE, [whole])
    with (tmp_path / FILE).open("a") as file:
        file.write("\n" + whole[:40])
    add_lines(tmp_path / FILE, [whole])

    found = kept(tmp_path, MONDAY)

    assert (len(found.advice), found.unreadable) == (2, 1)


def test_the_outlook_is_the_week_hour_by_hour(company):
    answer = asked(company, top=50)
    for item in answer.items:
        within = answer.outlook.relative_costs[(item.start - answer.outlook.start) // HOUR]
        assert within == pytest.approx(item.relative_cost, rel=0.35)
    assert len(answer.outlook.relative_costs) == 168
    assert sum(answer.outlook.relative_costs) / 168 == pytest.approx(1, abs=1e-3)


def advice(as_of, hours, costs=(0.4, 0.5, 0.6), verdict="recommend", service="pay", outlook=True):
    """Advice for starts at some hours of Monday; every other hour would cost the usual."""
    starts = tuple(
        AdvisedStart(
            start=MONDAY + hour * HOUR, end=MONDAY + (hour + 1) * HOUR, failure_probability=0.1, relative_cost=cost
        )
        for hour, cost in zip(hours, costs, strict=False)
    )
    known = dict(zip(hours, costs, strict=False))
    week = Outlook(start=MONDAY, relative_costs=tuple(known.get(hour, 1.0) for hour in range(168)))
    return Advice(
        verb="windows", service=service, environment="production", as_of=as_of, until=MONDAY + 168 * HOUR,
        verdict=verdict, starts=starts, outlook=week if outlook else None,
    )  # fmt: skip


def deployed(number, hour, service="pay", status="succeeded", **more):
    start = MONDAY + hour * HOUR
    return {
        "deployment_id": f"d{number}", "service": service, "environment": "production", "status": status,
        "started_at": start.isoformat(), "finished_at": (start + HOUR / 4).isoformat(), **more,
    }  # fmt: skip


def record(built, deployments, given, as_of):
    home = built({"deployments": deployments})
    add_lines(home.home / FILE, [one.model_dump_json() for one in given])
    with open_reader(home, as_of) as reader:
        return decision_quality(reader)


def test_each_deployment_is_held_against_the_last_advice_before_it(built):
    deployments = [
        deployed(1, 10.25),  # takes the advised 10:00
        deployed(2, 14, status="failed"),  # asked for again at 11:00, told 20:00, went at 14:00
        deployed(3, 15),  # nobody asked since the one before
        deployed(4, 30, service="web"),  # told that the time does not matter
        deployed(5, 31, service="ops"),  # nobody ever asked
        deployed(6, 32, service="pay", status="cancelled"),
    ]
    given = [
        advice(MONDAY + 8 * HOUR, [11]),
        advice(MONDAY + 9 * HOUR, [10, 12]),
        advice(MONDAY + 11 * HOUR, [20]),
        advice(MONDAY + 12 * HOUR, [20], verdict="no_clear_difference", service="web"),
    ]

    found = record(built, deployments, given, MONDAY + 40 * 24 * HOUR)

    assert (found.advice, found.n, found.unadvised, found.indifferent, found.followed) == (4, 3, 2, 1, 1)
    assert (found.after_following.n, found.after_following.failures) == (1, 0)
    assert (found.after_not_following.n, found.after_not_following.failures) == (1, 1)
    assert (found.expected_failures, found.saved, found.missed) == (0.1, None, None)
    assert found.sentence.startswith("Of 2 deployments after advice 1 followed it (50 %, 9.5 to 90.5)")


def test_what_following_was_worth_is_the_mean_with_its_interval(built):
    deployments, given = [], []
    for number in range(20):
        hour, told = 2 + 8 * number, 4 + 8 * number
        given.append(advice(MONDAY + hour * HOUR, [told], costs=[0.3 if number % 2 else 0.5]))
        deployments.append(deployed(number, told if number < 10 else told + 2))

    found = record(built, deployments, given, MONDAY + 168 * HOUR)

    assert (found.followed, found.saved.n, found.missed.n) == (10, 10, 10)
    assert found.saved.mean == pytest.approx(0.6)  # five cost half of the usual, five three tenths
    assert found.missed.mean == pytest.approx(0.6)  # the usual instead of these
    assert 0.5 < found.saved.low < 0.6 < found.saved.high < 0.7


def test_advice_and_outcomes_of_later_are_not_known(built):
    deployments = [deployed(1, 10), deployed(2, 20)]
    given = [advice(MONDAY + 9 * HOUR, [10]), advice(MONDAY + 19 * HOUR, [20])]

    before, after = (record(built, deployments, given, MONDAY + hour * HOUR) for hour in (15, 25))

    assert (before.advice, before.n, before.after_following.n) == (1, 1, 0)
    assert (after.advice, after.n, after.after_following.n) == (2, 2, 0)


def test_without_any_advice_it_says_how_it_comes_about(built):
    assert record(built, [deployed(1, 10)], [], MONDAY + 24 * HOUR) == NOTHING_KEPT


LINES = {
    "of an older version": (b'{"verb":"plan","service":"pay","environment":"production","as_of":"2026-01-05T00:00:00Z",'
        b'"until":"2026-01-12T00:00:00Z","verdict":"planned","starts":[]}', (1, 0, 0)),
    "a go": (b'{"verb":"gate","service":"pay","environment":"production","as_of":"2026-01-05T00:00:00Z","verdict":"go",'
        b'"start":"2026-01-05T00:00:00Z","end":"2026-01-05T01:00:00Z","failure_probability":null,'
        b'"relative_cost":null}', (0, 1, 0)),
    "a verdict that is none": (b'{"verb":"gate","service":"pay","environment":"production",'
        b'"as_of":"2026-01-05T00:00:00Z","verdict":"maybe","start":"2026-01-05T00:00:00Z",'
        b'"end":"2026-01-05T01:00:00Z","failure_probability":null,"relative_cost":null}', (0, 0, 1)),
    "a gate that advises times": (b'{"verb":"gate","service":"pay","environment":"production",'
        b'"as_of":"2026-01-05T00:00:00Z","until":"2026-01-12T00:00:00Z","verdict":"go","starts":[]}', (0, 0, 1)),
    "no verb": (b"{}", (0, 0, 1)),
    "no text": (b"\xff\x00", (0, 0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_lines_are_read_by_what_they_are(tmp_path, name):
    line, counts = LINES[name]
    (tmp_path / FILE).write_bytes(line)
    advice, verdicts, unreadable = kept(tmp_path, MONDAY)

    assert (len(advice), len(verdicts), unreadable) == counts


def verdict(hour, word, service="pay"):
    """What the gate said of a start at some hour of Monday when that had come."""
    at = MONDAY + hour * HOUR
    return GateVerdict(
        verb="gate", service=service, environment="production", as_of=at, verdict=word, start=at, end=at + HOUR,
        failure_probability=0.2, relative_cost=1.0,
    )  # fmt: skip


def test_verdicts_change_nothing_of_what_is_said_of_advice(built):
    deployments = [deployed(1, 10.25), deployed(2, 14, status="failed"), deployed(3, 15)]
    given = [advice(MONDAY + 9 * HOUR, [10, 12]), advice(MONDAY + 11 * HOUR, [20])]
    verdicts = [verdict(5, "hold"), verdict(10.2, "go"), verdict(13.9, "hold")]

    alone, both = (record(built, deployments, some, MONDAY + 40 * 24 * HOUR) for some in (given, given + verdicts))

    assert both.model_copy(update={"gate": None}) == alone
    assert (alone.n, alone.unadvised, alone.followed, alone.gate) == (2, 1, 1, None)
    assert (both.gate.after_go.deployments, both.gate.against.ended.failures) == (1, 1)


def test_where_only_the_gate_was_asked_that_is_said(built):
    found = record(built, [deployed(1, 10.25), deployed(2, 14)], [verdict(10, "go")], MONDAY + 40 * 24 * HOUR)

    assert (found.advice, found.n, found.unadvised, found.followed_share) == (0, 0, 2, None)
    assert found.sentence.startswith("No time was advised by then")
    assert found.gate.sentence.startswith("The gate said go 1 time: after a go 0 of 1 settled deployment failed")

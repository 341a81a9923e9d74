"""What a change board is told: lead times against plain Python, knowledge cut at an instant, and proposals by hand."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import comb
from random import Random
from statistics import median

import numpy as np
import pytest
from oracle import known

from shipcast.answers.cab import cab
from shipcast.answers.errors import UnknownName
from shipcast.answers.reading import open_reader
from shipcast.answers.standard_changes import judged, lucky
from shipcast.answers.statistics import wilson
from shipcast.settings.errors import UsageError

START = datetime(2025, 1, 1, tzinfo=UTC)
CUT = START + timedelta(days=31, hours=5)
LATER = START + timedelta(days=120)
HOUR = timedelta(hours=1)
TEAMS = {"api": "core", "web": "core", "jobs": "edge"}
CALENDAR = """
[[cab]]
id = "board"
cron = "0 10 * * 2,4"
tz = "Europe/Berlin"
deadline_hours = 24

[[cab]]
id = "edge"
cron = "0 9 * * *"
tz = "UTC"
scope = { team = ["edge"] }
"""


class Draw:
    """Rows at random, in steps of five minutes, so that everything that can coincide does."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.pick = self.random.choice

    def at(self, days=60):
        return START + timedelta(minutes=5 * self.random.randint(0, days * 288))

    def after(self, instant, hours):
        return instant + timedelta(minutes=5 * self.random.randint(0, hours * 12))

    def deployment(self, number):
        started = self.at()
        status = self.pick((*["succeeded"] * 6, "failed", "rolled_back", "cancelled", "running"))
        return {
            "deployment_id": f"d{number}",
            "service": self.pick((*TEAMS,)),
            "environment": self.pick(("production", "production", "production", "test")),
            "started_at": started,
            "finished_at": None if status == "running" else self.after(started, 1),
            "status": status,
            "commit_sha": f"s{number}",
            "change_type": self.pick((None, "normal", "Normal", "standard", "emergency")),
            "rollback_of": self.pick((*[None] * 9, f"d{self.random.randint(0, 200)}")),
            "lines_changed": self.pick((None, 10, 50, 51, 250, 251)),
        }

    def change(self, number):
        authored = self.at()
        links = (None, f"d{self.random.randint(0, 250)}")
        merged = self.pick((None, self.after(authored, 20)))
        return {
            "change_id": f"c{number}",
            "service": self.pick((*TEAMS,)),
            "commit_sha": f"x{number}",
            "deployment_id": self.pick(links),
            "authored_at": authored,
            "merged_at": merged,
        }

    def approval(self, number):
        requested = self.pick((*[self.at()] * 15, None))
        decision = self.pick((*["approved"] * 8, "Rejected", "pending", None, "withdrawn"))
        decided = self.after(requested or self.at(), 90) - timedelta(hours=self.pick((*[0] * 9, 5)))
        is_about = self.pick(({"deployment_id": f"d{self.random.randint(0, 250)}"}, {"change_id": f"c{number % 90}"}))
        return {
            "approval_id": f"a{number}",
            "deployment_id": None,
            "change_id": None,
            **is_about,
            "decision": decision,
            "requested_at": requested,
            "decided_at": None if decision == "pending" else self.pick((*[decided] * 9, None)),
            "role": self.pick(("board", "board", "owner", None)),
        }


def drawn(seed):
    draw = Draw(seed)
    return {
        "services": [{"service": service, "team": team} for service, team in TEAMS.items()],
        "deployments": [draw.deployment(number) for number in range(220)],
        "changes": [draw.change(number) for number in range(90)],
        "approvals": [draw.approval(number) for number in range(320)],
    }


# Proposals, of an earlier year: each kind was deployed once a day.
KINDS = {  # by service and type: lines, deployments, failures
    ("calm", "normal"): (50, 200, 1),
    ("middling", "normal"): (51, 100, 3),
    ("rough", "normal"): (251, 100, 30),
    ("young", "normal"): (10, 29, 0),
    ("calm", "emergency"): (10, 90, 0),
    ("calm", "standard"): (250, 90, 0),
    ("calm", None): (None, 90, 0),
}
FIRST = datetime(2023, 3, 1, 12, tzinfo=UTC)
ASKED_AT = FIRST + timedelta(days=214)  # the last of 200 days, and 14 for it to settle


def kind_rows(service, kind, lines, count, failures):
    for number in range(count):
        started = FIRST + timedelta(days=number)
        yield {
            "deployment_id": f"{service}-{kind}-{number}",
            "service": service,
            "environment": "production",
            "started_at": started,
            "finished_at": started,
            "status": "failed" if number < failures else "succeeded",
            "change_type": kind,
            "lines_changed": lines,
        }


def asked_for(number, deployment, hours, decided=0.0, **more):
    """Asked for so many hours before the deployment, and decided so many before."""
    started = FIRST + timedelta(days=number)
    return {
        "approval_id": f"{deployment}-{number}-{hours}",
        "deployment_id": f"{deployment}-{number}",
        "change_id": None,
        "role": "board",
        "decision": "approved",
        "requested_at": started - hours * HOUR,
        "decided_at": started - decided * HOUR,
        **more,
    }


def kinds():
    """The deployments of each kind, those that count to none, and what was asked about some."""
    rows = [row for (service, kind), counts in KINDS.items() for row in kind_rows(service, kind, *counts)]
    extra = {"service": "calm", "environment": "production", "change_type": "normal", "lines_changed": 10}
    at = {"started_at": FIRST, "finished_at": FIRST, "status": "failed"}
    rows += [
        {**extra, **at, "deployment_id": "rollback", "rollback_of": "calm-normal-0"},
        {**extra, **at, "deployment_id": "elsewhere", "environment": "test"},
        {**extra, **at, "deployment_id": "young", "started_at": ASKED_AT - HOUR, "finished_at": ASKED_AT - HOUR},
        {**extra, **at, "deployment_id": "old", "started_at": FIRST - 9000 * HOUR, "finished_at": FIRST - 9000 * HOUR},
    ]
    approvals = [
        asked_for(10, "calm-normal", 30, 10),  # 20 h
        asked_for(11, "calm-normal", 30, 20, decision="rejected"),  # with the next: 28 h
        asked_for(11, "calm-normal", 9, 2),
        asked_for(12, "calm-normal", 5, -3),  # decided afterwards: it waited 5 h
        asked_for(13, "calm-normal", 5, decided_at=ASKED_AT + HOUR),
        asked_for(0, "rough-normal", 7),
    ]
    return {"deployments": rows, "approvals": approvals}


CROWD, EARLIER = drawn(3), kinds()
TABLES = {**CROWD, **{name: [*CROWD[name], *EARLIER[name]] for name in EARLIER}}


def cut(tables, moment):
    """The tables as they would have been exported then; what an approval says without a time, it always said."""
    then = known(tables, moment)
    approvals = [row for row in tables["approvals"] if (row["requested_at"] or row["decided_at"] or START) <= moment]
    later = {"decision": "pending", "decided_at": None}
    return {
        "services": tables["services"],
        "deployments": then["deployments"],
        "changes": then["changes"],
        "approvals": [
            {**row, **later} if row["decided_at"] and row["decided_at"] > moment else row for row in approvals
        ],
    }


@pytest.fixture(scope="module")
def home(built):
    return built(TABLES)


@pytest.fixture(scope="module")
def calendar(tmp_path_factory):
    path = tmp_path_factory.mktemp("calendar") / "calendar.toml"
    path.write_text(CALENDAR)
    return path


@pytest.fixture(scope="module")
def ask(home, calendar):
    """The answer as of a time."""

    def asked(moment=LATER, home=home, **question):
        with open_reader(home, moment) as reader:
            return cab(reader, calendar_file=calendar, **question)

    return asked


class Plain:
    """The lead times once more, row by row, from the tables as known at an instant."""

    def __init__(self, moment, since, until, role="any", service=None):
        tables = cut(TABLES, moment)
        self.deployments = {row["deployment_id"]: row for row in tables["deployments"]}
        self.changes = {row["change_id"]: row for row in tables["changes"]}
        asked = [(row, row["requested_at"] or row["decided_at"] or LATER) for row in tables["approvals"]]
        rows = [row for row, moment in asked if since <= moment < until]
        rows = [row for row in rows if role in ("any", row["role"]) and service in (None, self.service(row))]
        words = [(row, (row["decision"] or ("decided" if row["decided_at"] else "pending")).lower()) for row in rows]
        self.pending = [(moment - row["requested_at"]) / HOUR for row, word in words if word == "pending"]
        decided = [row for row, word in words if word in ("approved", "rejected", "decided")]
        spans = [
            (row["requested_at"], row["decided_at"]) for row in decided if row["requested_at"] and row["decided_at"]
        ]
        self.hours = sorted((end - start) / HOUR for start, end in spans if end >= start)
        self.left_out = len(rows) - len(self.hours) - len(self.pending)
        self.rejected = sum(word == "rejected" for _, word in words)
        self.judged = sum(word in ("approved", "rejected") for _, word in words)

    def service(self, row):
        of_deployment = self.deployments.get(row["deployment_id"]) or {}
        of_change = self.changes.get(row["change_id"]) or {}
        return of_deployment.get("service") or of_change.get("service")

    def quantile(self, share):
        place = share * (len(self.hours) - 1)
        low = int(place)
        return self.hours[low] + (place - low) * (self.hours[min(low + 1, len(self.hours) - 1)] - self.hours[low])

    def interval(self):
        n, tail, k = len(self.hours), Fraction(0), 0
        while (tail := tail + Fraction(comb(n, k), 2**n)) <= Fraction(1, 40):
            k += 1
        return (self.hours[k - 1], self.hours[n - k]) if n >= 6 else (None, None)

    def kaplan_meier(self):
        left, everything = Fraction(1), self.hours + self.pending
        for length in sorted(set(self.hours)):
            left *= 1 - Fraction(self.hours.count(length), sum(one >= length for one in everything))
            if left <= Fraction(1, 2):
                return length
        return None


def checked(found, plain):
    assert (found.n, found.pending) == (len(plain.hours), len(plain.pending))
    assert (found.rejected, found.judged) == (plain.rejected, plain.judged)
    assert found.median_hours == pytest.approx(median(plain.hours))
    assert (found.low_hours, found.high_hours) == pytest.approx(plain.interval())
    quantiles = (found.p25_hours, found.p75_hours, found.p90_hours)
    assert quantiles == pytest.approx(tuple(plain.quantile(share) for share in (0.25, 0.75, 0.9)))
    assert found.km_median_hours == pytest.approx(plain.kaplan_meier())
    assert (found.rejected_low, found.rejected_high) == wilson(plain.rejected, plain.judged)


@pytest.mark.parametrize("moment", [CUT, START + timedelta(days=45), LATER], ids=["day 31", "day 45", "after all"])
def test_lead_times_are_those_of_plain_python(ask, moment):
    since, until = START + timedelta(days=3), START + timedelta(days=50)
    answer = ask(moment, period_from=since, period_to=until)

    plain = Plain(moment, since, until)
    checked(answer.lead_times[0], plain)
    assert sum(part.rows for part in answer.left_out) == plain.left_out
    for one in answer.lead_times:
        if one.by == "role":
            checked(one, Plain(moment, since, until, role=one.name))
    assert {one.name for one in answer.lead_times if one.by == "role"} == {"board", "owner", None}


def test_a_service_has_its_own_lead_times(ask):
    answer = ask(LATER, service="api", period_from=START, period_to=LATER)

    checked(answer.lead_times[0], Plain(LATER, START, LATER, service="api"))
    assert {one.service for one in answer.items} <= {"api"}
    assert {one.service for one in answer.candidates} == {"api"}


def test_types_are_told_without_regard_to_case_and_add_up(ask):
    times = ask(LATER, period_from=START, period_to=LATER).lead_times

    types = {one.name: one.n for one in times if one.by == "change_type"}
    assert set(types) == {"normal", "standard", "emergency", None}
    assert sum(types.values()) == times[0].n


def test_what_became_known_later_changes_nothing(ask, built):
    then = built(cut(TABLES, CUT))
    full, only = ask(CUT).as_dict(), ask(CUT, home=then).as_dict()

    assert full["items"]
    assert any(one["started_at"] for one in full["items"])
    assert full["candidates"]
    assert {**full, "generated_at": None} == {**only, "generated_at": None}


def test_pending_ones_wait_since_they_were_asked_for_and_count_whatever_the_period(ask):
    answer = ask(CUT, period_from=CUT - timedelta(days=2))
    everything = Plain(CUT, FIRST - timedelta(days=1), LATER)

    assert sorted(one.waited_hours for one in answer.items) == pytest.approx(sorted(everything.pending))
    assert answer.lead_times[0].pending < len(answer.items)


def test_boards_are_those_of_the_team_that_owns_the_change(ask):
    waiting = [one for one in ask(CUT).items if one.started_at is None and one.change_type is None]
    boards = {(one.service, tuple(board.cab for board in one.boards)) for one in waiting}

    assert boards == {(None, ("board",)), ("api", ("board",)), ("web", ("board",)), ("jobs", ("board", "edge"))}


@pytest.mark.parametrize(
    ("question", "error", "word"),
    [
        ({"service": "apj"}, UnknownName, "api"),
        ({"team": "cora"}, UnknownName, "core"),
        ({"period_from": LATER}, UsageError, "empty"),
        ({"before": CUT}, UsageError, "--before"),
    ],
    ids=["service", "team", "period", "before"],
)
def test_a_question_that_makes_no_sense_is_refused(ask, question, error, word):
    with pytest.raises(error, match=word):
        ask(LATER, **question)


@pytest.fixture(scope="module")
def proposals(home):
    with open_reader(home, ASKED_AT) as reader:
        yield reader


def verdicts(answer):
    return {(one.service, one.change_type, one.size): one.verdict for one in answer.candidates}


def test_what_fails_clearly_less_often_than_the_company_is_proposed(proposals):
    """34 of 699 failed: 4.9 %. Of 1 in 200 the interval ends at 2.8 %, of 3 in 100 at 8.5 %."""
    answer = cab(proposals)

    assert (answer.looks.failures, answer.looks.n, answer.looks.looked_at) == (34, 699, 3)
    assert verdicts(answer) == {
        ("calm", "normal", "small"): "propose",
        ("middling", "normal", "medium"): "not_clear",
        ("rough", "normal", "large"): "not_clear",
        ("young", "normal", "small"): "too_few",
        ("calm", "standard", "medium"): "standard",
        ("calm", "emergency", "small"): "never",
        ("calm", None, None): "never",
    }
    assert {part.reason: part.rows for part in answer.looks.left_out} == {
        "roll another one back": 1,
        "have not settled yet": 1,
    }


def test_a_proposal_says_what_it_rests_on(proposals):
    first, *_ = cab(proposals).candidates
    chance = sum(comb(200, k) * (34 / 699) ** k * (1 - 34 / 699) ** (200 - k) for k in (0, 1))

    assert (first.n, first.failures, first.rate) == (200, 1, 1 / 200)
    assert (first.low, first.high) == wilson(1, 200)
    assert first.p_value == pytest.approx(chance)
    assert first.ruled == pytest.approx(3 * chance)


def test_the_hours_saved_are_those_that_were_waited_before_going_out(proposals):
    """20 + 28 + 5 hours, in the 200 days from the first to the last day that can have settled."""
    found = {(one.service, one.change_type): one for one in cab(proposals).candidates}

    assert found["calm", "normal"].waited == 3
    assert found["calm", "normal"].waited_hours_per_month == pytest.approx(53 / 200 * 365.25 / 12)
    assert found["middling", "normal"].waited_hours_per_month is None
    assert found["rough", "normal"].waited == 1


def test_another_threshold_is_as_strict_as_it_says(proposals):
    assert verdicts(cab(proposals, safe_below=0.02))["calm", "normal", "small"] == "not_clear"
    assert verdicts(cab(proposals, safe_below=0.1))["middling", "normal", "medium"] == "propose"
    assert cab(proposals, safe_below=0.02).looks.is_given


def test_asking_about_one_service_proposes_no_more(proposals):
    whole, part = cab(proposals), cab(proposals, service="calm")

    assert part.looks == whole.looks
    assert part.candidates == tuple(one for one in whole.candidates if one.service == "calm")


def counts(service, n, failures, kind="normal"):
    return {"service": service, "team": None, "change_type": kind, "size": "small", "n": n, "failures": failures,
            "waited": 0, "hours": None}  # fmt: skip


def proposed(rates, seed):
    """How many of forty kinds are proposed, and how many intervals lie below, in a company drawn at random."""
    rng = np.random.default_rng(seed)
    n = rng.integers(30, 400, 40)
    failures = rng.binomial(n, rates)
    groups = [counts(f"s{k}", int(n[k]), int(failures[k])) for k in range(40)]
    found = judged(groups, float(failures.sum() / n.sum()))
    return [one.verdict for one in found].count("propose"), [one.verdict for one in found].count("may_be_luck")


def test_where_all_kinds_fail_alike_hardly_any_is_proposed():
    outcomes = [proposed(0.06, seed) for seed in range(100)]

    assert sum(luck for _, luck in outcomes) > 20  # what the interval alone would have proposed
    assert sum(found for found, _ in outcomes) <= 3


def test_where_some_kinds_fail_less_they_are_found():
    rates = np.where(np.arange(40) < 10, 0.005, 0.1)
    outcomes = [proposed(rates, seed) for seed in range(20)]

    assert sum(found for found, _ in outcomes) > 100  # of 200


def test_luck_is_the_chance_of_an_interval_below():
    """Of 100 with a chance of 0.05 none may fail: of one the interval ends at 0.054, of none at 0.037."""
    assert lucky(100, 0.05) == pytest.approx(0.95**100)
    assert lucky(10, 0.05) == 0

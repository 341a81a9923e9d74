"""`windows`: the contract's fields, laws that hold for every answer, and nothing from after the question was asked."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from shipcast.answers.errors import UnknownName
from shipcast.answers.reading import open_reader
from shipcast.answers.windows import sentence, windows
from shipcast.settings.errors import UsageError

AS_OF = datetime(2025, 6, 2, 9, 5, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
SERVICES = {"pay": ("money", "Asia/Tokyo", 400), "web": ("shop", "Europe/London", 300), "new": ("shop", None, 3)}
ITEM = {
    "start", "end", "level", "failure_probability", "failure_low", "failure_high", "expected_cost", "cost_low",
    "cost_high", "relative_cost", "reasons", "conflicts", "approvals",
}  # fmt: skip


def instant(moment):
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def company():
    """Half a year and a bit past AS_OF: noon fails most, nights take longest, `pay` has load that sleeps at night.

    That of `new` was measured, and was nothing; that of `web` was not.
    """
    rng = np.random.default_rng(7)
    tables = {"services": [], "deployments": [], "incidents": [], "load": [], "holds": []}
    for service, (team, zone, count) in SERVICES.items():
        tables["services"].append({"service": service, "team": team, "business_zone": zone})
        for number in range(count):
            start = datetime(2024, 12, 1, tzinfo=UTC) + timedelta(minutes=int(rng.integers(0, 200 * 24 * 60)))
            tables["deployments"].append(deployment(service, f"{service}-{number}", start, rng))
            if tables["deployments"][-1]["status"] != "succeeded":
                tables["incidents"].append(incident(tables["deployments"][-1], start, rng))
    for hour in range(80 * 24):
        at = datetime(2025, 3, 30, tzinfo=UTC) + timedelta(hours=hour)
        requests = (900 if 0 <= at.hour < 12 else 100) * rng.lognormal(0, 0.1)
        tables["load"].append({"service": "pay", "observed_at": instant(at), "value": round(requests)})
        if hour % 24 == 0:
            tables["load"].append({"service": "new", "observed_at": instant(at), "value": 0})
    tables["holds"].append({"service": "web", "at": "2025-06-01T00:00:00Z", "active": "true", "kind": "freeze"})
    return tables


def deployment(service, name, start, rng):
    lines = int(rng.integers(1, 500))
    chance = (0.03 + 0.3 * (11 <= start.hour < 15)) * (0.5 + lines / 500)
    return {
        "deployment_id": name, "service": service, "environment": "production", "started_at": instant(start),
        "finished_at": instant(start + timedelta(minutes=20)), "lines_changed": lines,
        "status": "failed" if rng.random() < chance else "succeeded",
    }  # fmt: skip


def incident(failed, start, rng):
    begins = start + timedelta(minutes=20)
    minutes = float(30 * rng.lognormal(0, 0.5) * (1 if 0 <= begins.hour < 12 else 4))
    return {
        "incident_id": f"i-{failed['deployment_id']}", "service": failed["service"], "started_at": instant(begins),
        "resolved_at": instant(begins + timedelta(minutes=minutes)), "deployment_id": failed["deployment_id"],
    }  # fmt: skip


def by_strategy(strategy):
    """The company, whose deployments all go by that strategy."""
    tables = company()
    return {**tables, "deployments": [row | {"strategy": strategy} for row in tables["deployments"]]}


def cut(tables, at):
    """The tables as an export made at that instant would have had them."""
    moment = instant(at)
    known = {**tables, **{name: [] for name in ("deployments", "incidents", "load", "holds")}}
    for row in tables["deployments"]:
        if row["started_at"] <= moment:
            is_over = row["finished_at"] <= moment
            known["deployments"].append(row if is_over else row | {"finished_at": None, "status": "running"})
    for row in tables["incidents"]:
        if row["started_at"] <= moment:
            is_over = row["resolved_at"] <= moment
            known["incidents"].append(row if is_over else row | {"resolved_at": None, "deployment_id": None})
    known["load"] = [row for row in tables["load"] if row["observed_at"] <= instant(at - timedelta(hours=1))]
    known["holds"] = [row for row in tables["holds"] if row["at"] <= moment]
    return known


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("company", company())


@pytest.fixture(scope="module")
def reader(home):
    with open_reader(home, AS_OF) as opened:
        yield opened


def without_clock(answer):
    return {key: value for key, value in answer.as_dict().items() if key != "generated_at"}


def ask(home, service, as_of=AS_OF, **more):
    with open_reader(home, as_of) as opened:
        return windows(opened, service, **{"duration": HALF_HOUR, **more})


def said(answer, words):
    return any(words in warning for warning in answer.warnings)


def test_it_has_the_contracts_fields(reader):
    answer = windows(reader, "pay", duration=HALF_HOUR).as_dict()

    assert answer["schema"] == "shipcast/windows/1"
    assert set(answer["items"][0]) == ITEM
    assert set(answer["items"][0]["reasons"][0]) == {"factor", "points"}
    assert {"verdict", "service", "environment", "duration_minutes", "blocked", "unit"} <= set(answer)
    assert answer["items"][0]["start"].endswith("Z")
    json.dumps(answer, allow_nan=False)


def test_where_hours_matter_it_recommends_the_quiet_ones(reader):
    answer = windows(reader, "pay", duration=HALF_HOUR)
    best = answer.items[0]

    assert answer.verdict == "recommend"
    assert best.relative_cost < 0.6
    assert not 10 <= best.start.hour < 15
    assert answer.sentence.startswith("Ship pay on ")
    assert "(Asia/Tokyo)" in answer.sentence


CASES = st.fixed_dictionaries(
    {
        "service": st.sampled_from(["pay", "web", "new"]),
        "minutes": st.integers(1, 600),
        "lines": st.none() | st.integers(0, 10_000),
        "files": st.none() | st.integers(0, 100),
        "after": st.integers(0, 10_000),
        "length": st.integers(1, 20_000),
        "top": st.integers(1, 6),
    }
)


@given(CASES)
@settings(deadline=None, max_examples=examples(10))
def test_laws_of_every_answer(reader, case):
    earliest = AS_OF + timedelta(minutes=case["after"])
    latest, duration = earliest + timedelta(minutes=case["length"]), timedelta(minutes=case["minutes"])
    answer = windows(
        reader, case["service"], duration=duration, lines=case["lines"], files=case["files"],
        earliest=earliest, latest=latest, top=case["top"],
    )  # fmt: skip

    assert (answer.verdict == "no_window") == (not answer.items)
    assert len(answer.items) <= case["top"]
    costs = [item.expected_cost for item in answer.items]
    assert costs == sorted(costs)
    for item in answer.items:
        assert earliest <= item.start
        assert item.end == item.start + duration <= latest
        assert (item.start.minute % 15, item.start.second) == (0, 0)
        assert 0 <= item.failure_low <= item.failure_probability <= item.failure_high <= 1
        assert 0 <= item.cost_low <= item.expected_cost <= item.cost_high
        assert sum(reason.points for reason in item.reasons) == pytest.approx(item.relative_cost - 1, abs=1e-9)


def test_the_usual_cost_is_the_weeks_mean_whatever_span_is_asked_for(reader):
    week = windows(reader, "pay", duration=HALF_HOUR, top=1).items[0]
    later = windows(reader, "pay", duration=HALF_HOUR, earliest=week.start, latest=week.end).items[0]

    assert later == week


def test_a_bigger_change_fails_more_often(reader):
    small, big = (windows(reader, "pay", duration=HALF_HOUR, lines=lines).items[0] for lines in (5, 2000))

    assert small.failure_probability < big.failure_probability


def test_equal_questions_give_equal_answers(home):
    assert without_clock(ask(home, "pay")) == without_clock(ask(home, "pay"))


def test_twice_the_load_costs_twice_and_ranks_alike(home, built):
    tables = company()
    double = built({**tables, "load": [row | {"value": 2 * row["value"]} for row in tables["load"]]})
    once, twice = (ask(each, "pay").items for each in (home, double))

    assert [item.start for item in twice] == [item.start for item in once]
    for one, two in zip(once, twice, strict=True):
        assert two.expected_cost == pytest.approx(2 * one.expected_cost)
        assert two.relative_cost == pytest.approx(one.relative_cost)


def test_nothing_known_later_changes_the_answer(home, built_once):
    before = built_once("company_cut", cut(company(), AS_OF))

    for service in SERVICES:
        assert without_clock(ask(home, service)) == without_clock(ask(before, service))


def test_on_real_data_nothing_known_later_changes_the_answer(govuk, govuk_folder, built, tmp_path):
    as_of = datetime(2025, 12, 15, 9, tzinfo=UTC)
    at = pl.lit(as_of)
    deployments = pl.read_parquet(govuk_folder / "deployments.parquet").filter(pl.col("started_at") <= at)
    incidents = pl.read_parquet(govuk_folder / "incidents.parquet").filter(pl.col("started_at") <= at)
    is_over = pl.col("resolved_at") <= at
    told = incidents.filter(is_over)["deployment_id"].implode()
    is_early = (pl.col("status") == "rolled_back") & ~pl.col("deployment_id").is_in(told)
    deployments.with_columns(status=pl.when(is_early).then(pl.lit("succeeded")).otherwise("status")).write_parquet(
        tmp_path / "deployments.parquet"
    )
    incidents.with_columns(
        deployment_id=pl.when(is_over).then("deployment_id"), resolved_at=pl.when(is_over).then("resolved_at"),
    ).write_parquet(tmp_path / "incidents.parquet")  # fmt: skip
    for name, known in (("changes", pl.coalesce("merged_at", "authored_at")), ("holds", pl.col("at"))):
        pl.read_parquet(govuk_folder / f"{name}.parquet").filter(known <= at).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    before = built(tmp_path)

    for service in ("frontend", "whitehall"):
        assert without_clock(ask(govuk, service, as_of)) == without_clock(ask(before, service, as_of))


def test_on_real_data_it_says_that_there_is_no_load(govuk):
    answer = ask(govuk, "frontend", datetime(2025, 12, 15, 9, tzinfo=UTC))

    assert answer.unit == "disruption_minutes"
    assert said(answer, "No load is known of frontend")
    assert answer.n > 1000
    assert answer.items[0].failure_probability < 0.05


def test_without_load_it_counts_minutes_and_says_so(reader):
    answer = windows(reader, "web", duration=HALF_HOUR)

    assert answer.unit == "disruption_minutes"
    assert said(answer, "No load is known of web")
    assert {reason.factor for reason in answer.items[0].reasons} == {"failure chance", "restore time"}


def test_load_that_came_no_more_is_told_with_its_age(home, reader):
    late = datetime(2025, 7, 2, 9, tzinfo=UTC)

    assert not said(windows(reader, "pay", duration=HALF_HOUR), "No load of pay was measured")
    assert said(ask(home, "pay", late), "No load of pay was measured after 18 Jun 2025, 14 days before")


def test_a_load_measured_as_zero_is_not_called_unknown(reader):
    answer = windows(reader, "new", duration=HALF_HOUR)

    assert answer.unit == "disruption_minutes"
    zero = (
        "The load measured of new is zero over its last 28 days: windows are ranked by expected minutes of disruption."
    )
    assert zero in answer.warnings
    assert not said(answer, "No load is known")


def test_a_deployment_that_keeps_the_service_down_counts_the_load_it_meets(home, built):
    tables = company()
    own = [row for row in tables["deployments"] if row["service"] == "pay"]
    down = built({**tables, "deployments": tables["deployments"] + [row | {"strategy": "recreate"} for row in own]})
    before, after = (ask(each, "pay", duration=timedelta(hours=2)).items[0] for each in (home, down))
    night = 2 * 100  # requests, at about 100 an hour

    assert after.expected_cost - before.expected_cost == pytest.approx(night, rel=0.25)
    assert [reason.factor for reason in after.reasons][-1] == "planned downtime"
    assert after.reasons[-1].points < 0
    assert said(ask(down, "pay"), "20 of the last 20 deployments kept pay down (strategy recreate)")


def test_a_service_with_few_deployments_says_whose_rate_it_borrows(reader):
    answer = windows(reader, "new", duration=HALF_HOUR)

    assert answer.n <= 3
    assert said(answer, "mostly the company's rate")
    assert said(answer, "names no business_zone")


def test_what_a_request_does_not_say_is_named(reader):
    asked = windows(reader, "pay", duration=HALF_HOUR, lines=10, files=2, change_type="normal")

    assert said(windows(reader, "pay", duration=HALF_HOUR), "Taken as typical of pay: lines, files, type.")
    assert not said(asked, "Taken as typical")


def test_a_hold_warns_and_blocks_only_where_the_setting_says_so(home):
    warned = ask(home, "web")
    blocked = ask(home.model_copy(update={"holds": "block"}), "web")

    assert said(warned, "A hold is in force on web: freeze, since 2025-06-01T00:00:00Z")
    assert warned.items
    assert (blocked.verdict, blocked.items, blocked.blocked[0].rule) == ("no_window", (), "hold: freeze")
    assert "freeze" in blocked.sentence


def test_old_data_is_a_warning(home):
    assert said(ask(home, "pay", AS_OF + timedelta(days=400)), "days old")


def test_a_span_too_short_has_no_window_and_says_why(reader):
    answer = windows(reader, "pay", duration=HALF_HOUR, latest=AS_OF + timedelta(minutes=20))

    assert (answer.verdict, answer.items) == ("no_window", ())
    assert answer.sentence.startswith("No window for pay")


def test_an_unknown_service_is_refused_with_the_nearest_names(reader):
    with pytest.raises(UnknownName, match="pay"):
        windows(reader, "pya", duration=HALF_HOUR)


def test_an_unknown_environment_is_refused(reader):
    with pytest.raises(UnknownName, match="production"):
        windows(reader, "pay", duration=HALF_HOUR, environment="prodution")


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": timedelta(0)},
        {"top": 0},
        {"lines": -1},
        {"latest": AS_OF + timedelta(days=60)},
        {"latest": AS_OF + timedelta(days=1), "earliest": AS_OF + timedelta(days=2)},
        {"latest": AS_OF},
    ],
)
def test_what_cannot_be_asked_is_refused(reader, wrong):
    with pytest.raises(UsageError):
        windows(reader, "pay", **{"duration": HALF_HOUR, **wrong})


def test_before_the_first_deployment_nothing_can_be_said(home):
    answer = ask(home, "pay", datetime(2024, 6, 1, tzinfo=UTC))
    (item,) = answer.items

    assert answer.verdict == "no_clear_difference"
    assert item.failure_probability is item.expected_cost is item.relative_cost is item.level is None
    assert answer.sentence == sentence(answer)
    assert "Nothing is known" in answer.sentence


def test_one_deployment_is_enough_for_an_answer(built):
    one = {"deployment_id": "d1", "service": "pay", "environment": "production", "status": "succeeded"}
    answer = ask(built({"deployments": [one | {"started_at": "2025-05-01T10:00Z"}]}), "pay")

    assert answer.verdict == "no_clear_difference"
    assert answer.n == 1
    assert 0 < answer.items[0].failure_probability < 0.3
    assert said(
        answer, "No failure is known among the one settled deployment: the chance of one rests on an assumption"
    )
    assert said(answer, "No incident was known: 60 minutes to restore are assumed")


def test_one_deployment_that_has_not_settled_leaves_an_assumed_chance(built):
    one = {"deployment_id": "d1", "service": "pay", "environment": "production", "status": "running"}
    answer = ask(built({"deployments": [one | {"started_at": "2025-06-01T10:00Z"}]}), "pay")

    assert answer.verdict == "no_clear_difference"
    assert said(answer, "No deployment has settled yet")

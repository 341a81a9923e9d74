"""Every rule of the delivery metrics, each in a world of a few rows, with the answer worked out by hand.

All worlds go through the pipeline at once, each under its own team. Unless said, the question is about March 2025,
asked on 1 June, long after everything settled.
"""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from worlds import World, together

from shipcast.answers.metrics import metrics
from shipcast.answers.reading import open_reader

WORLDS = {}


def world(name, **texts):
    WORLDS[name] = World(name, **texts)


def day(text):
    return date.fromisoformat(f"2025-{text}")


def moment(text):
    return datetime.fromisoformat(f"2025-{text}").replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def home(built):
    return built(together(WORLDS.values()))


@pytest.fixture(scope="module")
def answer(home):
    """Ask about a world: the whole answer."""

    def ask(name, metric=None, as_of="06-01T00:00", days=("03-01", "04-01"), tz="UTC", **scope):
        scope = scope or {"team": name}
        start, end = (day(text) for text in days)
        with open_reader(home.model_copy(update={"tz": tz}), moment(as_of)) as reader:
            return metrics(reader, metric=metric, period_from=start, period_to=end, **scope)

    return ask


@pytest.fixture(scope="module")
def item(answer):
    """Ask about one metric of a world: its one item."""

    def ask(name, metric, **question):
        (only,) = answer(name, metric, **question).items
        return only

    return ask


world(
    "alone",
    deployments="""
        id  at           status
        d1  03-03T10:00  failed
        d2  03-04T10:00  succeeded
    """,
)


def test_a_failure_without_an_incident_counts_as_failed_and_has_no_clock(item):
    rate, recovery = item("alone", "change_failure_rate"), item("alone", "failed_deployment_recovery")

    assert (rate.value, rate.numerator, rate.n) == (0.5, 1, 2)
    assert (recovery.value, recovery.n, recovery.excluded, recovery.censored) == (None, 0, 1, 0)


def test_a_failed_deployment_is_counted_and_not_landed(item):
    assert item("alone", "deployments").value == 2

    frequency = item("alone", "deployment_frequency")

    assert (frequency.value, frequency.n, frequency.excluded) == (pytest.approx(1 / 31), 1, 1)


world(
    "reopened",
    deployments="""
        id  at           done         status
        d1  03-03T09:00  03-03T09:30  succeeded
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T10:00  03-03T11:00  d1
        i1  03-03T12:00  03-03T13:00  d1
    """,
)


def test_a_reopened_incident_lasts_from_its_first_episode_to_its_last(item):
    assert item("reopened", "failed_deployment_recovery").value == 3.5
    assert item("reopened", "recovery_from_incident").value == 3.0


world(
    "stillopen",
    deployments="""
        id  at           status
        d1  03-03T10:00  succeeded
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T11:00  -            d1
    """,
)


def test_an_open_incident_fails_its_deployment_and_is_censored(item):
    recovery = item("stillopen", "failed_deployment_recovery")

    assert item("stillopen", "change_failure_rate").value == 1
    assert (recovery.value, recovery.n, recovery.censored, recovery.excluded) == (None, 0, 1, 0)
    assert recovery.km_median is None


def test_what_an_open_incident_names_is_known_from_its_start_whatever_else_came_later(item):
    before, after = ({"as_of": f"03-03T{time}", "days": ("03-01", "03-04")} for time in ("10:59", "11:00"))

    assert item("stillopen", "change_failure_rate", **before).value == 0
    assert item("stillopen", "change_failure_rate", **after).value == 1
    assert item("stillopen", "failed_deployment_recovery", **after).censored == 1
    assert item("stillopen", "incidents_unattributed", **after).value == 0


world(
    "again",
    deployments="""
        id  at           status     sha
        d1  03-03T10:00  succeeded  s
        d2  03-03T12:00  succeeded  s
    """,
    changes="""
        id  sha  deployment_id  authored_at
        c1  s    d2             03-03T08:00
    """,
)


def test_a_commit_deployed_twice_landed_with_the_first_even_where_the_change_names_the_second(item):
    lead = item("again", "lead_time")

    assert (lead.value, lead.n) == (2.0, 1)


world(
    "staged",
    deployments="""
        id  env         at           status     sha
        s1  staging     03-03T10:00  succeeded  s
        d1  production  03-03T12:00  succeeded  s
        s2  staging     03-03T11:00  succeeded  t
    """,
    changes="""
        id  sha  deployment_id  authored_at
        c1  s    s1             03-03T08:00
        c2  t    -              03-03T08:00
    """,
)


def test_staging_is_no_link_to_production(item):
    lead = item("staged", "lead_time")

    assert (lead.value, lead.n, lead.censored) == (4.0, 1, 1)
    assert item("staged", "deployments").value == 1


def test_an_environment_asked_about_by_name_has_its_own_numbers(item):
    staging = {"team": "staged", "environment": "staging"}

    assert item("staged", "lead_time", **staging).value == 2.5  # 2 and 3 hours
    assert item("staged", "deployments", **staging).value == 2


def test_by_environment_a_change_is_open_where_it_did_not_land(answer):
    items = {one.environment: one for one in answer("staged", "lead_time", by="environment", team="staged").items}

    assert (items["staging"].n, items["staging"].censored) == (2, 0)
    assert (items["production"].n, items["production"].censored) == (1, 1)


world(
    "twins",
    deployments="""
        id  at              status
        d1  03-03T10:00:07  succeeded
        d2  03-03T10:00:07  rolled_back
        d3  03-03T10:00:07  succeeded
    """,
)


def test_deployments_of_the_same_second_all_count(item):
    rate = item("twins", "change_failure_rate")

    assert (rate.numerator, rate.n) == (1, 3)


world(
    "offsets",
    deployments="""
        id  at                 status     sha
        d1  03-03T10:00+05:30  succeeded  s
        d2  04-01T00:30+02:00  succeeded  t
        d3  02-28T23:30-02:00  succeeded  u
        d4  04-01T00:00        succeeded  v
    """,
    changes="""
        id  sha  authored_at
        c1  s    03-03T01:00-01:00
    """,
)


def test_times_are_compared_as_instants_and_the_end_of_the_period_is_excluded(item):
    assert item("offsets", "deployments").value == 3  # d4 begins on the instant that ends March
    assert item("offsets", "lead_time").value == 2.5  # 02:00Z to 04:30Z


world(
    "nexttime",
    deployments="""
        id  at           status     sha
        d1  03-03T10:00  failed     s
        d2  03-03T14:00  succeeded  t
    """,
    changes="""
        id  sha  deployment_id  authored_at
        c1  s    d1             03-03T09:00
    """,
)


def test_a_change_whose_deployment_failed_lands_with_the_next_that_lands(item):
    lead = item("nexttime", "lead_time")

    assert (lead.value, lead.n, lead.censored) == (5.0, 1, 0)


world(
    "skips",
    deployments="""
        id  at           status     sha  rollback_of
        d0  03-03T08:00  succeeded  r    -
        d1  03-03T10:00  failed     s    -
        d2  03-03T11:00  succeeded  r    d1
        d3  03-03T12:00  failed     t    -
        d4  03-03T13:00  succeeded  u    -
    """,
    changes="""
        id  sha  authored_at
        c1  s    03-03T09:00
    """,
)


def test_neither_a_rollback_nor_a_failure_is_the_next_landing(item):
    assert item("skips", "lead_time").value == 4.0


world(
    "cancels",
    deployments="""
        id  at           status     sha
        d1  03-03T10:00  cancelled  s
        d2  03-03T11:00  succeeded  t
        d3  03-03T12:00  running    u
    """,
    changes="""
        id  sha  authored_at
        c1  s    03-03T10:00
        c2  u    03-03T10:00
    """,
)


def test_cancelled_and_running_deployments_are_excluded_and_said(item):
    count = item("cancels", "deployments")

    assert (count.value, count.excluded) == (1, 2)
    assert [(part.reason, part.rows) for part in count.how.left_out] == [("cancelled", 1), ("still running", 1)]


def test_a_change_of_a_cancelled_deployment_lands_with_the_next_and_of_a_running_one_is_open(item):
    lead = item("cancels", "lead_time")

    assert (lead.value, lead.n, lead.censored) == (1.0, 1, 1)


def test_counts_of_nothing_are_zero_and_rates_and_medians_null(answer):
    items = {one.metric: one for one in answer("alone", days=("04-01", "05-01")).items}

    assert {name: one.value for name, one in items.items()} == {
        "deployments": 0,
        "deployment_frequency": 0,
        "lead_time": None,
        "change_failure_rate": None,
        "failed_deployment_recovery": None,
        "recovery_from_incident": None,
        "incidents_unattributed": 0,
        "rework_rate": None,
        "rollback_rate": None,
        "success_rate": None,
    }
    assert {one.n for one in items.values()} == {0}


world(
    "negative",
    deployments="""
        id  at           status     sha
        d1  03-03T10:00  succeeded  s
        d2  03-03T11:00  succeeded  t
        d3  03-03T12:00  succeeded  u
    """,
    changes="""
        id  sha  authored_at
        c1  s    03-03T10:01
        c2  t    03-03T11:00
        c3  u    03-03T10:00
    """,
)


def test_negative_spans_are_left_out_and_counted_and_zero_is_kept(item):
    lead = item("negative", "lead_time")

    assert (lead.value, lead.n, lead.excluded) == (1.0, 2, 1)  # of 0 and 2 hours


world(
    "dangling",
    deployments="""
        id  at           status     rollback_of
        d1  03-03T10:00  succeeded  unheard
        d2  03-03T11:00  succeeded  -
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T12:00  03-03T13:00  unheard
    """,
    changes="""
        id  sha  deployment_id  authored_at
        c1  x    unheard        03-03T09:00
    """,
)


def test_references_to_nothing_known_are_unattributed_open_and_still_rework(item):
    assert item("dangling", "incidents_unattributed").value == 1
    assert item("dangling", "change_failure_rate").value == 0
    assert item("dangling", "lead_time").censored == 1
    assert item("dangling", "rework_rate").value == 0.5


world(
    "hotfixes",
    deployments="""
        id  at           status     change_type
        d1  03-03T10:00  succeeded  normal
        d2  03-03T11:00  succeeded  emergency
        d3  03-03T12:00  succeeded  emergency
        d4  03-04T12:00  succeeded  standard
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T10:30  03-03T11:00  d1
        i2  03-03T11:10  03-03T12:00  d2
    """,
)


def test_a_hotfix_that_fails_in_turn_is_both_rework_and_a_failure(item):
    assert item("hotfixes", "rework_rate").value == 0.5
    assert item("hotfixes", "change_failure_rate").value == 0.5
    assert item("hotfixes", "success_rate").value == 0.5
    assert item("hotfixes", "rollback_rate").value == 0
    assert item("hotfixes", "failed_deployment_recovery").value == 1.0  # both from their deployment's finish


world(
    "backandforth",
    deployments="""
        id  at           status     rollback_of
        d1  03-03T10:00  succeeded  -
        d2  03-03T11:00  succeeded  d1
        d3  03-03T12:00  succeeded  d2
    """,
)


def test_a_rollback_rolled_back_has_failed_too(item):
    assert item("backandforth", "change_failure_rate").numerator == 2
    assert item("backandforth", "rollback_rate").numerator == 2
    assert item("backandforth", "rework_rate").numerator == 2


world(
    "vain",
    deployments="""
        id  at           status     rollback_of
        d1  03-03T10:00  succeeded  -
        d2  03-03T11:00  failed     d1
        d3  03-03T12:00  succeeded  d3
    """,
)


def test_a_rollback_that_failed_rolls_nothing_back_and_none_rolls_itself_back(item):
    rate = item("vain", "change_failure_rate")

    assert (rate.numerator, rate.n) == (1, 3)
    assert item("vain", "rollback_rate").numerator == 0


world(
    "elsewhere",
    deployments="""
        id  env         at           status
        s1  staging     03-03T10:00  succeeded
        d1  production  03-03T11:00  succeeded
    """,
    incidents="""
        id  env         at           resolved_at  deployment_id
        i1  -           03-03T12:00  03-03T13:00  s1
        i2  production  03-03T12:00  03-03T14:00  s1
        i3  staging     03-03T12:00  03-03T15:00  d1
        i4  -           03-03T12:00  03-03T16:00  -
    """,
)


def test_an_incident_counts_only_against_a_deployment_of_its_own_environment(item):
    staging = {"team": "elsewhere", "environment": "staging"}

    assert item("elsewhere", "change_failure_rate").value == 0
    assert item("elsewhere", "incidents_unattributed").value == 2  # i2 and i4
    assert item("elsewhere", "change_failure_rate", **staging).value == 1  # i1, whose environment is its deployment's
    assert item("elsewhere", "incidents_unattributed", **staging).value == 1  # i3


def test_a_warning_says_what_attribution_by_window_would_do(answer):
    warnings = answer("elsewhere", "incidents_unattributed").warnings

    assert '2 of 2 unattributed incidents would be laid to a deployment by attribution = "window".' in warnings


world(
    "twice",
    deployments="""
        id  at           done         status
        d1  03-03T10:00  03-03T11:00  failed
        d2  03-04T10:00  03-04T11:00  succeeded
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T10:30  03-03T12:00  d1
        i2  03-03T11:30  03-03T14:30  d1
        i3  04-02T10:00  04-02T12:00  d2
    """,
)


def test_a_deployment_with_two_incidents_fails_once_and_recovers_with_the_last(item):
    assert item("twice", "change_failure_rate").numerator == 2

    recovery = item("twice", "recovery_from_incident", days=("03-03", "03-04"))

    assert (recovery.value, recovery.n) == (4.0, 1)


def test_the_clock_starts_with_the_incident_where_that_came_before_the_finish(item):
    assert item("twice", "failed_deployment_recovery", days=("03-03", "03-04")).value == 4.0


def test_an_incident_follows_its_deployment_past_the_end_of_the_period(item):
    late = item("twice", "failed_deployment_recovery", days=("03-04", "03-05"))

    assert late.value == 29 * 24 + 1  # 4 March 11:00 to 2 April 12:00
    assert item("twice", "change_failure_rate", days=("04-01", "05-01")).value is None


world(
    "even",
    deployments="""
        id  at           status     sha
        d1  03-03T10:00  succeeded  a
        d2  03-03T11:00  succeeded  b
        d3  03-03T12:00  succeeded  c
        d4  03-03T13:00  succeeded  d
    """,
    changes="""
        id  sha  authored_at
        c1  a    03-03T09:00
        c2  b    03-03T09:00
        c3  c    03-03T05:00
        c4  d    03-02T13:00
    """,
)


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two(item):
    lead = item("even", "lead_time")

    assert lead.value == 4.5  # 1, 2, 7, 24
    assert (lead.low, lead.high) == (None, None)  # four values bound no median


world(
    "sunday",
    deployments="""
        id  at           status
        d1  03-09T22:30  succeeded
        d2  03-09T23:30  succeeded
    """,
)


def weeks(items):
    return {one.week: one.value for one in items}


def test_weeks_begin_on_monday_midnight_in_the_reporting_zone(answer):
    fortnight = {"by": "week", "team": "sunday", "days": ("03-03", "03-17")}

    assert weeks(answer("sunday", "deployments", **fortnight).items) == {"2025-W10": 2, "2025-W11": 0}
    assert weeks(answer("sunday", "deployments", tz="Europe/Berlin", **fortnight).items) == {
        "2025-W10": 1,
        "2025-W11": 1,
    }


def test_weeks_are_cut_to_the_period_and_bounded_by_instants(answer):
    items = answer("sunday", "deployments", by="week", team="sunday", days=("03-08", "03-11"), tz="Europe/Berlin").items
    berlin = ZoneInfo("Europe/Berlin")

    assert [(one.week, one.period_start, one.period_end) for one in items] == [
        ("2025-W10", datetime(2025, 3, 8, tzinfo=berlin), datetime(2025, 3, 10, tzinfo=berlin)),
        ("2025-W11", datetime(2025, 3, 10, tzinfo=berlin), datetime(2025, 3, 11, tzinfo=berlin)),
    ]


world(
    "spring",
    deployments="""
        id  at           status
        d1  03-26T12:00  succeeded
    """,
)


def test_the_week_in_which_the_clocks_change_has_167_hours(item):
    week = item("spring", "deployment_frequency", by="week", team="spring", days=("03-24", "03-31"), tz="Europe/London")

    assert week.value == pytest.approx(24 / 167)
    assert week.period_end == moment("03-30T23:00")


world(
    "undone",
    deployments="""
        id  at           done         status       rollback_of
        d1  03-03T10:00  03-03T10:10  rolled_back  -
        d2  03-03T12:00  03-03T12:20  succeeded    d1
    """,
)


def test_a_rollback_is_known_from_its_start_and_not_before(item):
    early = {"days": ("03-03", "03-04")}

    before = item("undone", "change_failure_rate", as_of="03-03T11:59", **early)
    then = item("undone", "change_failure_rate", as_of="03-03T12:00", **early)

    assert (before.numerator, before.n, before.excluded) == (0, 1, 0)
    assert (then.numerator, then.n, then.excluded) == (1, 1, 1)  # the rollback itself is still running
    assert item("undone", "rollback_rate", as_of="03-03T11:59", **early).numerator == 0


world(
    "revealed",
    deployments="""
        id  at           done         status     rollback_of
        d1  03-03T10:00  03-03T10:10  succeeded  -
        d2  03-03T12:00  03-03T12:20  succeeded  d1
    """,
)


def test_one_that_called_itself_succeeded_is_rolled_back_when_its_rollback_has_landed(item):
    early = {"days": ("03-03", "03-04")}

    assert item("revealed", "rollback_rate", as_of="03-03T12:10", **early).numerator == 0
    assert item("revealed", "rollback_rate", as_of="03-03T12:20", **early).numerator == 1


world(
    "unresolved",
    deployments="""
        id  at           status
        d1  03-03T10:00  succeeded
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T11:00  03-03T14:00  d1
    """,
)


def test_which_deployment_caused_an_incident_is_known_when_it_is_resolved(item):
    early = {"days": ("03-03", "03-04")}

    assert item("unresolved", "change_failure_rate", as_of="03-03T13:59", **early).value == 0
    assert item("unresolved", "incidents_unattributed", as_of="03-03T13:59", **early).value == 1
    assert item("unresolved", "change_failure_rate", as_of="03-03T14:00", **early).value == 1
    assert item("unresolved", "incidents_unattributed", as_of="03-03T14:00", **early).value == 0
    assert item("unresolved", "recovery_from_incident", as_of="03-03T14:00", **early).value == 3.0


world(
    "settling",
    deployments="""
        id  at           done         status
        d1  03-03T10:00  03-03T10:30  succeeded
        d2  03-03T10:00  03-03T10:30  failed
    """,
)


def test_outcomes_that_may_still_change_are_censored_until_they_settle(item, answer):
    days = {"days": ("03-03", "03-04")}

    assert item("settling", "change_failure_rate", as_of="03-17T10:29", **days).censored == 1
    assert item("settling", "rollback_rate", as_of="03-17T10:29", **days).censored == 2
    assert item("settling", "change_failure_rate", as_of="03-17T10:30", **days).censored == 0
    assert any("1 of 2 deployments" in line for line in answer("settling", as_of="03-17T10:29", **days).warnings)


world(
    "regions",
    environments="""
        env      kind
        prod-eu  production
        prod-us  production
        live     staging
        green    production
    """,
    deployments="""
        id  env      at           status     sha
        e1  prod-eu  03-03T10:00  succeeded  s
        u1  prod-us  03-03T14:00  succeeded  s
        l1  live     03-03T15:00  succeeded  s
        g1  green    03-03T16:00  succeeded  t
        u2  PROD     03-03T17:00  succeeded  u
    """,
    incidents="""
        id  env      at           resolved_at  deployment_id
        i1  prod-eu  03-03T15:00  03-03T16:00  u1
    """,
    changes="""
        id  sha  authored_at
        c1  s    03-03T09:00
    """,
)


def test_production_is_every_environment_of_that_kind_by_table_else_by_name(item):
    assert item("regions", "deployments").value == 4  # not `live`, which the table calls staging
    assert item("regions", "lead_time").value == 1.0
    assert item("regions", "deployments", team="regions", environment="live").value == 1
    assert item("regions", "lead_time", team="regions", environment="prod-us").value == 5.0


def test_an_incident_in_one_production_environment_counts_against_another(item):
    assert item("regions", "change_failure_rate").numerator == 1
    assert item("regions", "incidents_unattributed").value == 0


world(
    "acrossregions",
    environments="""
        env       kind
        prod-one  production
        prod-two  production
    """,
    deployments="""
        id  env       at           status     sha
        d1  prod-one  03-03T10:00  failed     s
        d2  prod-two  03-03T11:00  succeeded  t
        d3  prod-one  03-03T13:00  succeeded  u
    """,
    changes="""
        id  sha  authored_at
        c1  s    03-03T09:00
    """,
)


def test_the_next_landing_is_in_any_environment_asked_about(item):
    assert item("acrossregions", "lead_time").value == 2.0
    assert item("acrossregions", "lead_time", team="acrossregions", environment="prod-one").value == 4.0


world(
    "bots",
    deployments="""
        id  at           status     sha
        d1  03-03T10:00  succeeded  s
        d2  03-03T12:00  succeeded  t
    """,
    changes="""
        id  sha  authored_at  is_bot
        c1  s    03-03T09:00  true
        c2  t    03-03T09:00  false
    """,
)


def test_changes_by_bots_count_like_any_other(item):
    lead = item("bots", "lead_time")

    assert (lead.value, lead.n) == (2.0, 2)


world(
    "links",
    deployments="""
        id  service  at           status     sha
        d1  api      03-03T12:00  succeeded  s
        d2  api      03-03T10:00  succeeded  t
        d3  web      03-03T09:30  succeeded  s
    """,
    changes="""
        id  service  sha  deployment_id  authored_at
        c1  api      s    d1             03-03T09:00
        c1  api      s    d2             03-03T09:00
        c2  api      s    -              03-03T09:00
    """,
)


def test_a_change_with_two_links_is_one_change_that_lands_with_the_first(item):
    lead = item("links", "lead_time")

    assert (lead.n, lead.value) == (2, 2.0)  # c1 after 1 hour (d2); c2 after 3 (d1: a commit is its own service's)


world(
    "sizes",
    deployments="""
        id  service  at           status
        d1  api      03-03T10:00  succeeded
        d2  api      03-03T11:00  failed
        d3  web      03-03T12:00  succeeded
    """,
    services="""
        service
        api
        web
        attic
    """,
)


def test_a_service_that_never_deployed_is_listed_with_zero_and_null(answer):
    items = {one.service: one for one in answer("sizes", "change_failure_rate", by="service", team="sizes").items}

    assert {name: (one.value, one.n) for name, one in items.items()} == {
        "sizes-api": (0.5, 2),
        "sizes-web": (0.0, 1),
        "sizes-attic": (None, 0),
    }
    assert {one.pooled for one in items.values()} == {False}


def test_numbers_of_several_services_say_that_they_are_pooled(item):
    assert item("sizes", "deployments").pooled
    assert not item("sizes", "deployments", service="sizes-api").pooled
    assert not item("alone", "deployments").pooled


def test_by_team_sums_the_services_of_each(answer):
    items = {one.team: one for one in answer("sizes", "deployments", by="team").items}

    assert items["sizes"].value == 3
    assert items["alone"].value == 2
    assert (items["sizes"].pooled, items["alone"].pooled) == (True, False)


world(
    "late",
    deployments="""
        id  at           status     sha
        d1  03-03T10:00  succeeded  s
    """,
    changes="""
        id  sha  authored_at  merged_at
        c1  s    03-03T09:00  03-03T09:30
        c2  t    03-03T09:00  03-05T09:00
    """,
)


def test_a_change_exists_from_its_merge(item):
    assert item("late", "lead_time", as_of="03-04T00:00", days=("03-01", "03-04")).censored == 0
    assert item("late", "lead_time").censored == 1


world(
    "cancelledblame",
    deployments="""
        id  at           status
        d1  03-03T10:00  cancelled
        d2  03-03T11:00  succeeded
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T12:00  03-03T13:00  d1
    """,
)


def test_an_incident_of_a_cancelled_deployment_is_attributed_and_fails_nothing(item):
    assert item("cancelledblame", "incidents_unattributed").value == 0
    assert item("cancelledblame", "change_failure_rate").numerator == 0


world(
    "survival",
    deployments="""
        id  at           status
        d1  03-03T10:00  succeeded
        d2  03-03T10:00  succeeded
        d3  03-03T10:00  succeeded
        d4  05-31T22:00  succeeded
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T10:00  03-03T11:00  d1
        i2  03-03T10:00  03-03T14:00  d2
        i3  03-03T10:00  03-03T18:00  d3
        i4  05-31T22:00  -            d4
    """,
)


def test_the_kaplan_meier_median_counts_those_still_open(item):
    recovery = item("survival", "recovery_from_incident", days=("03-01", "06-01"))

    assert (recovery.value, recovery.n, recovery.censored) == (4.0, 3, 1)
    # 1 h: 3/4 remain; 2 h: d4 leaves, unresolved; 4 h: 3/4 * 1/2 = 3/8.
    assert recovery.km_median == 4.0


world(
    "interval",
    deployments="\n".join(
        ["id at status sha"] + [f"d{i} 03-{i:02}T12:00 {'failed' if i > 9 else 'succeeded'} s{i}" for i in range(1, 11)]
    ),
    changes="\n".join(["id sha authored_at"] + [f"c{i} s{i} 03-{i:02}T{12 - i:02}:00" for i in range(1, 10)]),
)


def test_a_share_has_a_wilson_interval(item):
    rate = item("interval", "change_failure_rate")

    assert (rate.numerator, rate.n) == (1, 10)
    assert (rate.low, rate.high) == (pytest.approx(0.017876, abs=1e-6), pytest.approx(0.404150, abs=1e-6))


def test_the_success_rate_is_what_the_failure_rate_leaves(item):
    rate = item("interval", "success_rate")

    assert (rate.value, rate.numerator) == (0.9, 9)
    assert (rate.low, rate.high) == (pytest.approx(1 - 0.404150, abs=1e-6), pytest.approx(1 - 0.017876, abs=1e-6))


def test_a_frequency_has_a_garwood_interval(item):
    frequency = item("interval", "deployment_frequency")

    assert frequency.value == pytest.approx(9 / 31)
    assert frequency.low == pytest.approx(4.1154 / 31, abs=1e-5)
    assert frequency.high == pytest.approx(17.0848 / 31, abs=1e-5)


def test_a_median_is_bounded_by_order_statistics(item):
    lead = item("interval", "lead_time")

    # 1 to 9 hours; at most one head in nine throws has a chance of 10/512 = 2.0 %, at most two of 9.0 %.
    assert (lead.value, lead.low, lead.high) == (5.0, 2.0, 8.0)


world(
    "shared",
    environments="""
        env      kind     cost_per_hour
        test-a   test     2.5
        test-b   test     -
        test-c   test     -
    """,
    deployments="""
        id  env     at           done         status
        d1  test-b  03-01T10:00  03-01T10:30  succeeded
        d2  test-b  03-01T11:15  03-01T11:20  cancelled
        d3  test-b  03-01T20:00  03-01T20:00  failed
    """,
    environment_usage="""
        env     at           ended_at     used_by
        test-a  03-01T01:00  03-01T04:00  ann
        test-a  03-01T03:00  03-01T06:00  bob
        test-a  03-01T06:00  03-01T07:00  ann
        test-a  03-01T20:00  03-02T02:00  bob
        test-c  03-01T18:00  -            ann
    """,
)
DAY = {"days": ("03-01", "03-02")}


def test_overlapping_sessions_use_an_environment_once(item):
    idle = item("shared", "environment_idle", environment="test-a", **DAY)

    assert (idle.value, idle.numerator, idle.n) == (pytest.approx(14 / 24), 14.0, 2)  # in use 01-07 and 20-24


def test_idle_hours_cost_what_an_hour_costs(item):
    assert item("shared", "environment_idle_hours", environment="test-a", **DAY).cost == 35.0
    assert item("shared", "environment_idle_hours", environment="test-b", **DAY).cost is None


def test_a_deployment_of_any_status_uses_its_environment_for_another_hour(item):
    # 10:00-11:30 and 11:15-12:20 are one spell; 20:00-21:00 another.
    idle = item("shared", "environment_idle_hours", environment="test-b", **DAY)

    assert (idle.value, idle.n) == (pytest.approx(24 - 2 - 20 / 60 - 1), 2)


def test_a_session_without_an_end_lasts_until_the_question(item):
    assert item("shared", "environment_idle_hours", environment="test-c", **DAY).value == 18.0

    asked_early = item("shared", "environment_idle", environment="test-c", as_of="03-01T20:00", **DAY)

    assert asked_early.value == pytest.approx(18 / 20)  # of the twenty hours that were known


def test_idle_time_by_week(answer):
    items = answer("shared", "environment_idle_hours", by="week", environment="test-a", days=("02-24", "03-10")).items

    assert weeks(items) == {"2025-W09": 7 * 24 - 10 - 2, "2025-W10": 7 * 24}


def test_idle_time_is_no_services(answer):
    assert "environment_idle" not in {one.metric for one in answer("alone").items}


world(
    "crosses",
    deployments="""
        id  at           done         status
        d1  02-28T23:50  03-01T00:10  succeeded
        d2  03-31T23:50  04-01T00:10  succeeded
        d3  03-31T23:50  -            succeeded
    """,
)


def test_a_deployment_belongs_to_the_period_in_which_it_finished_else_started(item):
    assert item("crosses", "deployments").value == 2  # d1 and d3


def test_a_deployment_that_has_not_finished_yet_is_running(item):
    early = item("crosses", "deployments", as_of="03-01T00:05", days=("02-28", "03-01"))

    assert (early.value, early.excluded) == (0, 1)


world(
    "quickresolve",
    deployments="""
        id  at           status       rollback_of
        d1  03-03T10:00  rolled_back  -
    """,
    incidents="""
        id  at           resolved_at  deployment_id
        i1  03-03T10:30  03-03T12:00  d1
    """,
)


def test_a_rollback_nobody_names_is_known_when_its_incident_is_resolved(item):
    days = {"days": ("03-03", "03-04")}

    assert item("quickresolve", "rollback_rate", as_of="03-03T11:59", **days).numerator == 0
    assert item("quickresolve", "rollback_rate", as_of="03-03T12:00", **days).numerator == 1


@pytest.fixture(scope="module")
def home_by_window(built):
    return built(together([WORLDS["elsewhere"], WORLDS["twice"]]), attribution="window")


def test_attribution_by_window_lays_an_incident_to_the_latest_landing_before_it(home_by_window):
    with open_reader(home_by_window, moment("06-01T00:00")) as reader:
        answer = metrics(reader, team="elsewhere", period_from=day("03-01"), period_to=day("04-01"))
    items = {one.metric: one for one in answer.items}

    assert items["change_failure_rate"].numerator == 1
    assert items["incidents_unattributed"].value == 0
    assert not any("attribution" in line for line in answer.warnings)
    assert items["failed_deployment_recovery"].value == 5.0  # 11:00 to 16:00, the later of i2 and i4

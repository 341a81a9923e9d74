"""What rests on releases in place of deployments says so on every face."""

from datetime import UTC, datetime

import pytest

from shipcast.__main__ import run
from shipcast.answers.doctor import doctor
from shipcast.answers.metrics import metrics
from shipcast.answers.reading import open_reader

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)


def deployment(number, **more):
    return {
        "deployment_id": f"d{number}", "service": "pay", "environment": "production", "status": "succeeded",
        "started_at": f"2024-05-0{number}T10:00:00Z", "version": f"v{number}", **more,
    }  # fmt: skip


def change(number):
    written = f"2024-05-0{number}T09:00:00Z"
    return {"change_id": f"c{number}", "service": "pay", "commit_sha": f"s{number}", "authored_at": written,
            "position": number}  # fmt: skip


RELEASES = [
    {"service": "pay", "version": f"v{number}", "released_at": f"2024-05-0{number}T10:00:00Z", "position": number,
     "kind": "tag"}
    for number in (1, 2, 3)
]  # fmt: skip


@pytest.fixture(scope="module")
def home(built):
    """Three deployments of pay, two of them releases, each with a change, and one recorded deployment of cart."""
    return built(
        {
            "deployments": [
                deployment(1, is_proxy="true"),
                deployment(2, is_proxy="true"),
                deployment(3, is_proxy="false"),
                deployment(4, service="cart"),
            ],
            "changes": [change(number) for number in (1, 2, 3)],
            "releases": RELEASES,
        }
    )


def by_metric(home, **asked):
    with open_reader(home, AS_OF) as reader:
        answer = metrics(reader, **asked)
    return {item.metric: (item.proxy, item.n) for item in answer.items}, answer


def test_each_metric_counts_what_rests_on_proxies(home):
    found, answer = by_metric(home, service="pay")

    assert found["deployments"] == found["deployment_frequency"] == found["change_failure_rate"] == (2, 3)
    assert found["lead_time"] == (1, 2)  # what the first release held may have been there before
    assert found["incidents_unattributed"][0] is None
    assert answer.warnings[1] == "proxy: 2 of 3 deployments are releases of a repository, not recorded deployments."
    assert by_metric(home, metric="deployments")[1].sentence.endswith("4 (proxy).")


def test_a_single_metric_says_what_of_its_own_rests_on_proxies(home):
    answer = by_metric(home, service="pay", metric="lead_time")[1]

    assert answer.warnings[1] == (
        "proxy: 1 of 2 values of lead_time rest on releases of a repository, not recorded deployments."
    )


def test_where_deployments_were_recorded_nothing_is_said_of_proxies(home):
    found, answer = by_metric(home, service="cart")

    assert found["deployments"] == (0, 1)
    assert not [warning for warning in answer.warnings if "proxy" in warning]


@pytest.mark.parametrize("verb", [["metrics"], ["windows", "pay", "--duration", "30m"], ["doctor"]])
def test_every_face_says_proxy(home, verb, capsys):
    asked = ["--home", str(home.home), "--as-of", "2024-06-01"]
    run([*asked, *verb])
    human = " ".join(capsys.readouterr().out.split())
    run([*asked, "--json", *verb])

    assert ("releases of a repository, not recorded deployments" if verb != ["doctor"] else "proxy") in human
    assert "releases of a repository, not recorded deployments" in capsys.readouterr().out
    assert ("lead_time (proxy)" in human) == (verb == ["metrics"])


def test_doctor_names_what_would_replace_them(home):
    [finding] = [item for item in doctor(home, AS_OF).items if item.subject == "proxy"]

    assert (finding.state, "ingest gitops" in finding.remedy) == ("good", True)


def test_changes_say_which_release_first_held_them_and_deployments_what_they_brought(home):
    with open_reader(home, AS_OF) as reader:
        changes = reader.rows("select change_id, first_release, landed_deployment_id from fct_changes order by 1")
        commits = reader.rows("select deployment_id, commits, is_proxy from fct_deployments order by 1")

    assert changes == [("c1", "v1", None), ("c2", "v2", "d2"), ("c3", "v3", "d3")]
    assert commits == [("d1", None, True), ("d2", 1, True), ("d3", 1, False), ("d4", None, False)]

"""One item of a list that is not what a vendor promises costs that item alone, whatever the vendor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import test_argocd
import test_github
import test_gitlab
import test_jenkins
import test_pagerduty
import test_prometheus
from vendor import TOKEN, Answering, Asked, Reader, Told, Vendor, serving

from shipcast.ingest.remote.misfits import Kind, Misfit, Sieve
from shipcast.ingest.report import LoadReport

TABLES = ("deployments", "changes", "releases", "incidents", "load")
OTHERS: list[Any] = [None, "text", 7, [], {}]


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("GITHUB", "GITLAB", "PAGERDUTY", "ARGOCD", "JENKINS"):
        monkeypatch.setenv(f"{kind}_TOKEN", TOKEN)
    monkeypatch.setenv("JENKINS_USER", "butler")


def jenkins() -> Answering:
    job = test_jenkins.Job()
    job.take(*(test_jenkins.build(number, "SUCCESS") for number in range(1, 6)))
    return job.answer


def prometheus() -> Answering:
    return test_prometheus.Server([{"service": "checkout"}], kept=24).answer


SOURCES: dict[str, tuple[Callable[[], Answering], Callable[[Vendor], Any]]] = {
    "github": (lambda: test_github.shop().answer, lambda vendor: test_github.source(vendor, names=True)),
    "gitlab": (lambda: test_gitlab.shop().answer, lambda vendor: test_gitlab.source(vendor, names=True)),
    "pagerduty": (lambda: test_pagerduty.Account(test_pagerduty.busy().incidents).answer, test_pagerduty.source),
    "argocd": (lambda: test_argocd.shop().answer, test_argocd.source),
    "jenkins": (jenkins, test_jenkins.source),
    "prometheus": (prometheus, lambda vendor: test_prometheus.source(vendor, 1)),
}
# Where lists stand, by the keys that lead to them, and fields without which an item of them cannot be read.
LISTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("data", "repository", "found", "nodes"): ("createdAt",),
    ("data", "project", "mergeRequests", "nodes"): ("iid",),
    (): (),
    ("incidents",): ("id", "created_at"),
    ("items",): ("metadata",),
    ("status", "history"): ("id", "deployedAt"),
    ("allBuilds",): ("number", "timestamp"),
    ("data", "result"): ("values",),
}


def lists(data: Any) -> Iterator[tuple[list[Any], tuple[str, ...]]]:
    """The lists of an answer, each with what an item must have."""
    for path, needed in LISTS.items():
        found = data
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, list):
            of_gitlab = ("created_at", "updated_at") if not path and found and "updated_at" in found[0] else needed
            yield found, of_gitlab


def spoilt(answer: Answering) -> Answering:
    """The same answers, with misfits in front of each list, and behind its first item."""

    def answered(asked: Asked) -> Told:
        told = answer(asked)
        data = deepcopy(told.data)
        for found, needed in lists(data):
            first = next((item for item in found if isinstance(item, dict)), {})
            lacking = [{key: value for key, value in first.items() if key != name} for name in needed if first]
            wrong = [{**first, name: value} for name in needed if first for value in (None, ["x"])]
            found[1:1] = [*OTHERS, *lacking, *wrong]
        return Told(data, told.status, told.headers, told.raw)

    return answered


def contents(reader: Reader) -> dict[str, list[Any]]:
    return {
        table: reader.rows(f"select * exclude (_load_id, _changed_id, _file, _line) from raw.{table} order by all")
        for table in TABLES
    }


def check_sum(report: LoadReport) -> None:
    for item in report.items:
        assert item.read == item.inserted + item.updated + item.unchanged + item.merged + item.quarantined


@pytest.mark.parametrize("kind", SOURCES)
def test_items_that_cannot_be_read_are_set_aside_once_and_the_others_are_read(tmp_path: Path, kind: str):
    whole, misfit = Reader(tmp_path / "whole"), Reader(tmp_path / "misfit")
    make, source = SOURCES[kind]
    with serving(Vendor(make())) as vendor:
        whole.read(source(vendor))
        vendor.answer = spoilt(vendor.answer)
        first = misfit.read(source(vendor))
        refused = misfit.rows("select count(*) from raw._quarantine")
        second = misfit.read(source(vendor))

    assert contents(misfit) == contents(whole)
    check_sum(first)
    check_sum(second)
    assert refused == [(sum(item.quarantined for item in first.items),)]
    kept = misfit.rows("select table_name, file, row from raw._quarantine where rule = 'not_as_described'")
    assert len(kept) == len(set(kept)) > len(OTHERS)
    assert any("the server gives null in the place of an item" in warning for warning in first.warnings)


def test_a_build_without_actions_is_read_and_one_without_a_time_is_named(tmp_path: Path):
    job, reader = test_jenkins.Job(), Reader(tmp_path / "home")
    job.take(
        {**test_jenkins.build(1, "SUCCESS"), "actions": None},
        {**test_jenkins.build(2, "SUCCESS"), "timestamp": None},
        test_jenkins.build(3, "SUCCESS"),
    )
    with serving(Vendor(job.answer)) as vendor:
        reader.read(test_jenkins.source(vendor))

    assert test_jenkins.numbers(reader) == [1, 3]
    [(row,)] = reader.rows("select row from raw._quarantine")
    kept = {"number": 2, "timestamp": None, "duration": 90_250, "building": False, "result": "SUCCESS"}
    assert json.loads(row).items() > kept.items()


def test_a_misfit_that_changes_is_one_and_is_gone_once_it_can_be_read(tmp_path: Path):
    job, reader, counts = test_jenkins.Job(), Reader(tmp_path / "home"), []
    with serving(Vendor(job.answer)) as vendor:
        for duration in (5, 6, 6):
            job.take(test_jenkins.build(1, None), {**test_jenkins.build(2, None), "actions": 7, "duration": duration})
            counts.append(sum(item.quarantined for item in reader.read(test_jenkins.source(vendor)).items))
        waiting = reader.rows("select row from raw._quarantine")
        job.take(test_jenkins.build(2, None))
        reader.read(test_jenkins.source(vendor))

    assert counts == [1, 1, 0]
    assert [json.loads(row)["duration"] for (row,) in waiting] == [6]
    assert reader.rows("from raw._quarantine") == []


def test_a_commit_that_is_mended_leaves_the_quarantine(tmp_path: Path):
    repository, reader = test_github.shop(), Reader(tmp_path / "home")
    whole = repository.commits[0]
    repository.commits[0] = {**whole, "parents": None}
    with serving(Vendor(repository.answer)) as vendor:
        reader.read(test_github.source(vendor))
        waiting = reader.rows("from raw._quarantine")
        repository.commits[0] = whole
        reader.read(test_github.source(vendor))

    assert len(waiting) == 1
    assert reader.rows("from raw._quarantine") == []


def test_a_running_build_that_cannot_be_read_is_asked_for_again(tmp_path: Path):
    job, reader = test_jenkins.Job(), Reader(tmp_path / "home")
    job.take(test_jenkins.build(1, None))
    with serving(Vendor(job.answer)) as vendor:
        reader.read(test_jenkins.source(vendor))
        job.take({**test_jenkins.build(1, "SUCCESS"), "timestamp": None})
        reader.read(test_jenkins.source(vendor))
        job.take(test_jenkins.build(1, "SUCCESS"))
        reader.read(test_jenkins.source(vendor))

    assert reader.rows("select status from raw.deployments") == [("succeeded",)]


@pytest.mark.parametrize(
    "broken", [range(1, 3), range(1, 102), range(51, 53), range(101, 103)], ids=["end", "page", "seam", "all but seam"]
)
def test_builds_that_cannot_be_read_lead_in_no_circle(tmp_path: Path, broken: range):
    job, reader = test_jenkins.Job(), Reader(tmp_path / "home")
    for number in range(1, 152):
        build = test_jenkins.build(number, "SUCCESS")
        job.take({**build, "timestamp": None} if number in broken else build)
    with serving(Vendor(job.answer)) as vendor:
        reader.read(test_jenkins.source(vendor))
        reader.read(test_jenkins.source(vendor))

    assert test_jenkins.numbers(reader) == [number for number in range(1, 152) if number not in broken]


def test_a_hundred_oldest_incidents_that_cannot_be_read_hide_no_later_one(tmp_path: Path):
    old = [test_pagerduty.incident(f"Q{day:03}", test_pagerduty.ago(days=400 - day)) for day in range(130)]
    account = test_pagerduty.Account([{**each, "service": "text"} for each in old])
    account.incidents.append(test_pagerduty.incident("P1", test_pagerduty.ago(days=2)))
    reader = Reader(tmp_path / "home")
    with serving(Vendor(account.answer)) as vendor:
        reader.read(test_pagerduty.source(vendor))

    assert len(reader.rows("from raw.incidents")) == 1


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_an_instant_that_is_none_shuts_no_source(tmp_path: Path, when: str):
    days = [test_pagerduty.ago(days=day) for day in (9, 8, 5)]
    account = test_pagerduty.Account([test_pagerduty.incident(f"P{place}", day) for place, day in enumerate(days)])
    account.incidents.append(test_pagerduty.incident("P9", when))
    repository = test_github.shop()
    repository.deployments.insert(0, {**repository.deployments[0], "databaseId": 99, "createdAt": when})
    reader = Reader(tmp_path / "home")
    with serving(Vendor(account.answer)) as pagerduty, serving(Vendor(repository.answer)) as github:
        for _ in range(2):
            reader.read(test_pagerduty.source(pagerduty))
            reader.read(test_github.source(github))
        repository.deployments.insert(0, test_github.deployment(6, "2025-03-06T10:00:00Z"))
        reader.read(test_github.source(github))

    assert len(reader.rows("from raw.incidents where severity = 'high'")) == 3
    assert len(reader.rows("from raw.deployments")) == 6


def test_misfits_of_several_stretches_are_told_as_one_sum(tmp_path: Path):
    began = [test_pagerduty.ago(days=80, minutes=-minute) for minute in range(5_400)]
    account = test_pagerduty.Account(
        [
            test_pagerduty.incident(
                f"P{place:04}", at, None if place % 2 else at, **({} if place % 2 else {"service": 7})
            )
            for place, at in enumerate(began)
        ]
    )
    reader = Reader(tmp_path / "home")
    with serving(Vendor(account.answer)) as vendor:
        report = reader.read(test_pagerduty.source(vendor))

    assert len(reader.rows("select distinct load_id from raw._loads")) == 2
    [told] = [warning for warning in report.warnings if " quarantined, the first: " in warning]
    assert ": 2,700 of 5,400 rows quarantined, the first: " in told


def test_what_begins_at_no_sensible_instant_hides_no_build(tmp_path: Path):
    job, reader = test_jenkins.Job(), Reader(tmp_path / "home")
    job.take(test_jenkins.build(1, "SUCCESS"), {**test_jenkins.build(2, "SUCCESS"), "timestamp": 0})
    job.take(test_jenkins.build(3, "SUCCESS"))
    with serving(Vendor(job.answer)) as vendor:
        reader.read(test_jenkins.source(vendor, since="2025-01-01"))

    assert test_jenkins.numbers(reader) == [1, 3]


@pytest.mark.parametrize("wrong", [True, 10**30, -4, 2**31, 4.0])
def test_a_number_that_counts_nothing_moves_no_mark(tmp_path: Path, wrong: object):
    job, reader = test_jenkins.Job(), Reader(tmp_path / "home")
    job.take(test_jenkins.build(1, "SUCCESS"), test_jenkins.build(2, "SUCCESS"))
    job.builds[3] = {**test_jenkins.build(3, "SUCCESS"), "number": wrong}
    with serving(Vendor(job.answer)) as vendor:
        reader.read(test_jenkins.source(vendor))
        job.take(test_jenkins.build(4, "SUCCESS"))
        report = reader.read(test_jenkins.source(vendor))

    assert test_jenkins.numbers(reader) == [1, 2, 4]
    assert not any("from 1 again" in warning for warning in report.warnings)


@pytest.mark.parametrize("name", ["", " ", None, ["P2"]])
def test_an_incident_without_a_name_is_a_misfit(tmp_path: Path, name: object):
    account, reader = (
        test_pagerduty.Account([test_pagerduty.incident("P1", test_pagerduty.ago(days=9))]),
        Reader(tmp_path / "home"),
    )
    account.incidents.append({**test_pagerduty.incident("P2", test_pagerduty.ago(days=8)), "id": name})
    with serving(Vendor(account.answer)) as vendor:
        reader.read(test_pagerduty.source(vendor))

    assert len(reader.rows("from raw.incidents")) == 1
    assert reader.rows("select rule from raw._quarantine") == [("not_as_described",)]


def test_a_commit_that_hides_what_is_known_lets_the_main_line_wait(tmp_path: Path):
    repository, reader = test_github.shop(), Reader(tmp_path / "home")
    with serving(Vendor(repository.answer)) as vendor:
        reader.read(test_github.source(vendor))
        before = contents(reader)["changes"]
        repository.commits.insert(0, test_github.commit(5, 4, "2025-03-05T10:00:00Z"))
        repository.commits.insert(1, {**test_github.commit(4, 3, "2025-03-04T10:00:00Z"), "parents": None})
        report = reader.read(test_github.source(vendor))
        waiting = contents(reader)["changes"]
        repository.commits[1] = test_github.commit(4, 3, "2025-03-04T10:00:00Z")
        reader.read(test_github.source(vendor))

    assert waiting == before
    assert any("waits until it can" in warning for warning in report.warnings)
    assert not any("was rewritten" in warning for warning in report.warnings)
    assert len(contents(reader)["changes"]) == len(before) + 2


@pytest.mark.parametrize("place", [0, 2], ids=["the newest", "one behind it"])
@pytest.mark.parametrize("broken", [{"parents": None}, {"oid": None}], ids=["without parents", "without a name"])
def test_a_first_reading_waits_for_a_commit_behind_which_nothing_is_known(
    tmp_path: Path, place: int, broken: dict[str, None]
):
    repository, reader = test_github.shop(), Reader(tmp_path / "home")
    whole = repository.commits[place]
    repository.commits[place] = {**whole, **broken}
    with serving(Vendor(repository.answer)) as vendor:
        first = reader.read(test_github.source(vendor))
        waiting = contents(reader)["changes"]
        repository.commits[place] = whole
        reader.read(test_github.source(vendor))

    assert waiting == []
    assert any("waits until it can" in warning for warning in first.warnings)
    assert reader.rows("select position from raw.changes order by 1") == [(1,), (2,), (3,)]


def test_a_commit_that_names_its_parent_costs_its_own_row_alone(tmp_path: Path):
    repository, reader = test_github.shop(), Reader(tmp_path / "home")
    repository.commits[2]["associatedPullRequests"] = None
    with serving(Vendor(repository.answer)) as vendor:
        report = reader.read(test_github.source(vendor))

    assert reader.rows("select position from raw.changes order by 1") == [(1,), (3,)]
    assert not any("waits until it can" in warning for warning in report.warnings)


def test_a_newest_commit_of_gitlab_that_cannot_be_read_is_said_to_hold_up_the_line(tmp_path: Path):
    project, reader = test_gitlab.shop(), Reader(tmp_path / "home")
    name = project.commits[0]["id"]
    with serving(Vendor(project.answer)) as vendor:
        project.commits[0]["id"] = None
        report = reader.read(test_gitlab.source(vendor))
        waiting = contents(reader)["changes"]
        project.commits[0]["id"] = name
        reader.read(test_gitlab.source(vendor))

    assert waiting == []
    assert any("waits until it can" in warning for warning in report.warnings)
    assert contents(reader)["changes"]


def test_an_application_that_cannot_be_read_lets_the_last_sync_windows_stay(tmp_path: Path):
    server, reader = test_argocd.windowed(test_argocd.shop()), Reader(tmp_path / "home")
    with serving(Vendor(spoilt(server.answer))) as vendor:
        report = reader.read(test_argocd.source(vendor, sync_windows=True))

    assert report.sync_windows is None
    assert any("an application cannot be read" in warning for warning in report.warnings)


def test_a_sample_that_is_none_is_set_aside_and_the_others_of_its_series_count(tmp_path: Path):
    server, reader = test_prometheus.Server([{"service": "checkout"}], kept=24), Reader(tmp_path / "home")

    def answer(asked: Asked) -> Told:
        told = server.answer(asked)
        for series in told.data["data"]["result"]:
            series["values"][:0] = [None, [1e300, "5"], [1e18, "5"], ["x", "5"], [5]]
        return told

    with serving(Vendor(answer)) as vendor:
        report = reader.read(test_prometheus.source(vendor, 1))

    check_sum(report)
    assert len(reader.rows("select * from raw.load")) > 20
    assert len(reader.rows("select * from raw._quarantine")) == 5


def test_of_a_misfit_nothing_is_kept_but_what_may_be():
    sieve = Sieve()
    assert sieve.readable(Kind("deployments"), ["x" * 5_000], len) == ["x" * 5_000]
    assert sieve.readable(Kind("deployments"), ["Ada", ["Ada"]], lambda item: item["at"]) == []
    assert [each.row for each in sieve.emptied()] == ['{"item": "text"}', '{"item": "a list"}']
    sieve.readable(Kind("deployments", ("id", "at")), [{"id": 7, "user": "ada"}], lambda item: item["at"], of="pay")

    [found] = sieve.emptied()
    assert found == Misfit(
        "deployments", "of pay: the server gives an item without at", '{"of": "pay", "id": 7, "at": null}'
    )
    assert sieve.emptied() == []


@pytest.mark.parametrize("kept", [["Ada"], {"name": "Ada"}, "Ada " * 40])
def test_of_a_field_that_is_kept_no_more_is_told_than_what_kind_it_is(kept: object):
    sieve = Sieve()
    sieve.readable(Kind("deployments", ("at",)), [{"at": kept}], lambda item: item["id"])

    assert "Ada" not in repr(sieve.emptied())


@pytest.mark.parametrize("before", ["", "x" * 74])
def test_no_part_of_a_token_is_kept(before: str):
    token = 'ca"na\\ry-secret'
    sieve = Sieve(cleaned=lambda text: text.replace(token, "…"))
    sieve.readable(Kind("deployments", ("at",)), [{"at": before + token}], lambda item: item["id"], of=before + token)

    assert "ca" not in repr(sieve.emptied())


def test_of_a_series_only_the_labels_that_name_its_place_are_kept(tmp_path: Path):
    reader = Reader(tmp_path / "home")
    series = [{"metric": {"service": "checkout", "owner": "Ada"}, "values": None}]
    series.append({"metric": {"service": "pay", "owner": "Ada"}, "values": [["Ada" * 40, "x"]]})
    told = Told({"status": "success", "data": {"resultType": "matrix", "result": series}})
    with serving(Vendor(lambda _: told)) as vendor:
        report = reader.read(test_prometheus.source(vendor, 1))

    rows = reader.rows("select row, reason from raw._quarantine")
    assert {json.loads(row)["metric.service"] for row, _ in rows} == {"checkout", "pay"}
    assert "Ada" not in repr(rows) + repr(report)


def test_a_token_in_the_place_of_an_instant_reaches_no_quarantine(tmp_path: Path):
    job, reader = test_jenkins.Job(), Reader(tmp_path / "home")
    for number in range(150, 215):
        job.take({**test_jenkins.build(number, "SUCCESS"), "timestamp": "x" * number + TOKEN})
    with serving(Vendor(job.answer)) as vendor:
        report = reader.read(test_jenkins.source(vendor))

    assert TOKEN[:4] not in repr(reader.rows("select row, reason from raw._quarantine")) + repr(report)

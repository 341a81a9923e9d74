"""GitLab, as its public documentation of REST API v4 and its GraphQL reference describe it (17.0 and later)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from vendor import TOKEN, Asked, Reader, Told, Vendor, serving

from shipcast.ingest.errors import CredentialsRefused
from shipcast.settings.errors import SourceUnreachable
from shipcast.settings.sources import GitlabSource

TABLES = ("deployments", "changes", "releases", "incidents")


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)


def sha(number: int) -> str:
    return f"{number:02x}" * 20


def deployment(number: int, status: str, start: str, end: str | None = None, **more: Any) -> dict[str, Any]:
    job = {"started_at": start, "finished_at": end, "tag": False}
    return {
        "id": number,
        "created_at": start,
        "updated_at": end or start,
        "status": status,
        "sha": sha(number),
        "ref": "main",
        "environment": {"name": "production"},
        "user": {"username": "tanuki"},
        "deployable": job,
        **more,
    }


def commit(number: int, parent: int | None, at: str) -> dict[str, Any]:
    return {
        "id": sha(number),
        "parent_ids": [sha(parent)] if parent else [],
        "authored_date": at,
        "committed_date": at,
        "author_name": "Tanuki",
        "author_email": "tanuki@example.com",
        "message": f"Change {number}",
        "stats": {"additions": 10 * number, "deletions": number, "total": 11 * number},
    }


def merge_request(number: int, created: str, merged: str, **commits: str) -> dict[str, Any]:
    return {
        "iid": number,
        "title": f"Request {number}",
        "created_at": created,
        "updated_at": merged,
        "merged_at": merged,
        "target_branch": "main",
        "author": {"username": "project_7_bot_2f"},
        "merge_commit_sha": None,
        "squash_commit_sha": None,
        **commits,
    }


def issue(number: int, created: str, closed: str | None) -> dict[str, Any]:
    return {
        "iid": number,
        "state": "closed" if closed else "opened",
        "created_at": created,
        "updated_at": closed or created,
        "closed_at": closed,
        "severity": "CRITICAL",
    }


@dataclass
class Project:
    """What GitLab knows of one project, and how it pages it; its commits are those of the main line, newest first."""

    path: str = "acme/shop"
    about: dict[str, Any] = field(default_factory=lambda: {"default_branch": "main"})
    deployments: list[dict[str, Any]] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    written: str = "2025-03-01T08:00:00Z"
    page: int = 2

    def answer(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Told({"message": "401 Unauthorized"}, 401)
        if asked.path == "/api/graphql":
            return self.details(asked.body["variables"])
        given = asked.parameters
        match asked.path.removeprefix("/api/v4/projects/").split("/", 1):
            case ["acme%2Fshop"] if self.path != "acme/shop":
                return Told(status=301, headers={"Location": "/api/v4/projects/7"})
            case ["acme%2Fshop" | "7"]:
                return Told({"id": 7, "path_with_namespace": self.path, **self.about})
            case ["7", "deployments"]:
                assert given["order_by"] == "updated_at"
                return self.paged(self.changed(self.deployments, given), given)
            case ["7", "repository/commits"]:
                return self.paged(self.history(given["ref_name"]), given)
            case ["7", "merge_requests"]:
                assert given["state"] == "merged"
                return self.paged(self.changed(self.requests, given), given)
            case ["7", "environments"]:
                return self.paged([{"name": name} for name in {"production", "prod-eu"}], given)
            case ["7", "releases"]:
                return self.paged(self.releases, given)
            case ["7", "issues"]:
                assert given["issue_type"] == "incident"
                return self.paged(self.changed(self.issues, given), given)
        return Told({"message": "404 Not Found"}, 404)

    def changed(self, rows: list[dict[str, Any]], given: dict[str, str]) -> list[dict[str, Any]]:
        return sorted(
            (row for row in rows if row["updated_at"] >= given["updated_after"]), key=lambda row: row["updated_at"]
        )

    def history(self, name: str) -> list[dict[str, Any]]:
        begin = 0 if name == "main" else [each["id"] for each in self.commits].index(name)
        return self.commits[begin:]

    def paged(self, rows: list[dict[str, Any]], given: dict[str, str]) -> Told:
        size, number = min(self.page, int(given["per_page"])), int(given.get("page", 1))
        links = {"Link": '<https://elsewhere.example.com/>; rel="next"'} if len(rows) > number * size else {}
        return Told(rows[(number - 1) * size : number * size], headers=links)

    def details(self, given: dict[str, Any]) -> Told:
        assert given["path"] == self.path
        stats = {"additions": 7, "deletions": 3, "fileCount": 4}
        commits = {"nodes": [{"authoredDate": "2025-03-02T12:00:00Z"}, {"authoredDate": self.written}]}
        nodes = [{"iid": iid, "diffStatsSummary": stats, "commits": commits} for iid in given["iids"]]
        return Told({"data": {"project": {"mergeRequests": {"nodes": nodes}}}})


def shop() -> Project:
    return Project(
        deployments=[
            deployment(1, "success", "2025-03-01T10:00:00.000Z", "2025-03-01T10:05:00.000Z"),
            deployment(2, "failed", "2025-03-02T10:00:00.000Z", "2025-03-02T10:05:00.000Z"),
            deployment(3, "canceled", "2025-03-02T11:00:00.000Z", "2025-03-02T11:05:00.000Z"),
            deployment(4, "blocked", "2025-03-02T12:00:00.000Z"),
            deployment(
                5, "success", "2025-03-03T11:00:00.000Z", ref="v1.1", updated_at="2025-03-03T11:07:00.000Z",
                deployable=None
            ),
            deployment(6, "running", "2025-03-05T10:01:00.000Z"),
        ],
        commits=[
            commit(4, 3, "2025-03-04T10:00:00.000+01:00"),
            commit(3, 2, "2025-03-03T10:00:00.000+01:00"),
            commit(2, 1, "2025-03-02T09:00:00.000+01:00"),
            commit(1, None, "2025-03-01T09:00:00.000+01:00"),
        ],
        requests=[
            merge_request(7, "2025-03-03T08:00:00.000Z", "2025-03-03T09:00:01.000Z", merge_commit_sha=sha(3)),
            merge_request(8, "2025-03-03T08:00:00.000Z", "2025-03-04T09:00:01.000Z", squash_commit_sha=sha(4)),
            merge_request(9, "2025-03-03T08:00:00.000Z", "2025-03-05T09:00:01.000Z", merge_commit_sha=sha(99)),
        ],
        releases=[
            {"tag_name": "v1.1", "created_at": "2025-03-03T10:30:00.000Z", "released_at": "2025-03-03T10:31:00.000Z",
             "commit": {"id": sha(3)}},
        ],
        issues=[
            issue(11, "2025-03-04T10:10:00.000Z", "2025-03-04T12:00:00.000Z"),
            issue(12, "2025-03-05T10:10:00.000Z", None),
        ],
    )  # fmt: skip


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "home")


@pytest.fixture
def project() -> Project:
    return shop()


@pytest.fixture
def gitlab(project: Project) -> Iterator[Vendor]:
    with serving(Vendor(project.answer)) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A home that has read the shop once; for claims that change nothing."""
    reader = Reader(tmp_path_factory.mktemp("gitlab") / "home")
    with pytest.MonkeyPatch.context() as patch, serving(Vendor(shop().answer)) as vendor:
        patch.setenv("GITLAB_TOKEN", TOKEN)
        reader.read(source(vendor, names=True))
    return reader


def source(gitlab: Vendor, **more: Any) -> GitlabSource:
    return GitlabSource(project="acme/shop", url=gitlab.url, **more)


def test_deployments_end_with_their_jobs_and_begin_once_they_are_let(read_once: Reader):
    found = read_once.rows(
        "select right(deployment_id, 1), strftime(started_at, '%d %H:%M'), strftime(finished_at, '%d %H:%M'), status, "
        "deployed_by from raw.deployments order by 1"
    )
    assert found == [
        ("1", "01 10:00", "01 10:05", "succeeded", "tanuki"),
        ("2", "02 10:00", "02 10:05", "failed", "tanuki"),
        ("3", "02 11:00", "02 11:05", "cancelled", "tanuki"),
        ("5", "03 11:00", "03 11:07", "succeeded", "tanuki"),
        ("6", "05 10:01", None, "running", "tanuki"),
    ]


def test_a_change_is_a_commit_of_the_main_line_or_the_request_that_it_merged(read_once: Reader):
    found = read_once.rows(
        "select change_id, position, lines_added, files_changed, is_bot, strftime(authored_at, '%d %H:%M'), "
        "strftime(merged_at, '%d %H:%M:%S') from raw.changes order by 2"
    )
    assert found == [
        ("shop-010101010101", 1, 10, None, False, "01 08:00", "01 08:00:00"),
        ("shop-020202020202", 2, 20, None, False, "02 08:00", "02 08:00:00"),
        ("acme/shop!7", 3, 7, 4, True, "01 08:00", "03 09:00:01"),
        ("acme/shop!8", 4, 7, 4, True, "01 08:00", "04 09:00:01"),
    ]


def test_a_release_has_the_place_of_its_commit(read_once: Reader):
    assert read_once.rows("select version, position from raw.releases where kind = 'tag'") == [("v1.1", 3)]


def test_an_incident_lasts_until_it_is_closed(read_once: Reader):
    found = read_once.rows("select incident_id, severity, strftime(resolved_at, '%H:%M') from raw.incidents order by 1")
    assert found == [("acme/shop#11", "critical", "12:00"), ("acme/shop#12", "critical", None)]


def test_what_is_new_or_has_ended_since_is_read_once(reader: Reader, gitlab: Vendor, project: Project):
    first = reader.read(source(gitlab))
    assert sum(item.merged for item in first.items) == 0
    before = {name: reader.table(name) for name in TABLES}
    again = reader.read(source(gitlab))
    assert {name: reader.table(name) for name in TABLES} == before
    assert sum(item.inserted + item.updated for item in again.items) == 0

    project.deployments[5] = deployment(6, "success", "2025-03-05T10:01:00.000Z", "2025-03-05T10:30:00.000Z")
    project.deployments[3] = deployment(4, "running", "2025-03-05T10:40:00.000Z")
    project.commits.insert(0, commit(5, 4, "2025-03-06T10:00:00.000Z"))
    report = reader.read(source(gitlab))

    assert sum(item.inserted for item in report.items) == 3
    assert reader.rows("select max(position) from raw.changes") == [(5,)]
    assert reader.rows("select status, count(*) from raw.deployments group by 1 order by 1") == [
        ("cancelled", 1),
        ("failed", 1),
        ("running", 1),
        ("succeeded", 3),
    ]


def test_many_changed_at_one_instant_are_all_read(reader: Reader, gitlab: Vendor, project: Project):
    for node in project.deployments:
        node["updated_at"] = "2025-03-06T00:00:00.000Z"

    reader.read(source(gitlab))

    assert reader.rows("select count(*) from raw.deployments") == [(5,)]


def test_what_is_deleted_or_changed_while_it_is_paged_costs_no_other_row(
    reader: Reader, gitlab: Vendor, project: Project
):
    first = project.deployments[0]

    def moving(asked: Asked) -> Told:
        told = project.answer(asked)
        if asked.path.endswith("/deployments"):
            project.deployments[:] = project.deployments[1:] or project.deployments
        return told

    gitlab.answer = moving
    reader.read(source(gitlab))

    assert reader.rows("select min(right(deployment_id, 1)), count(*) from raw.deployments") == [("1", 5)]
    assert first not in project.deployments


def test_a_rewritten_history_is_read_anew_and_what_it_lost_is_gone(reader: Reader, gitlab: Vendor, project: Project):
    reader.read(source(gitlab))
    project.commits[:2] = [commit(9, 2, "2025-03-03T10:00:00.000Z")]

    report = reader.read(source(gitlab))

    assert reader.rows("select change_id, position from raw.changes order by 2") == [
        ("shop-010101010101", 1),
        ("shop-020202020202", 2),
        ("shop-090909090909", 3),
    ]
    assert any("rewritten" in warning for warning in report.warnings)


def test_a_merge_that_gitlab_does_not_know_of_yet_is_waited_for(reader: Reader, gitlab: Vendor, project: Project):
    merged = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="milliseconds")
    project.commits.insert(0, commit(5, 4, merged))
    reader.read(source(gitlab))
    assert reader.rows("select max(position) from raw.changes") == [(4,)]

    project.requests.append(merge_request(10, "2025-03-06T08:00:00.000Z", merged, merge_commit_sha=sha(5)))
    reader.read(source(gitlab))

    assert reader.rows("select change_id from raw.changes where position >= 5") == [("acme/shop!10",)]


def test_a_moved_project_is_read_and_told_of(reader: Reader, gitlab: Vendor, project: Project):
    project.path = "umbrella/store"

    report = reader.read(source(gitlab))

    assert reader.rows("select distinct service from raw.deployments") == [("shop",)]
    assert [warning for warning in report.warnings if "umbrella/store" in warning]


def test_an_empty_project_gives_nothing_and_what_is_switched_off_is_not_asked_for(reader: Reader):
    empty = Project(about={"default_branch": None, "issues_access_level": "disabled"})
    with serving(Vendor(empty.answer)) as gitlab:
        report = reader.read(source(gitlab))

    assert (sum(item.read for item in report.items), report.exit_code) == (0, 0)
    assert not [asked for asked in gitlab.asked if asked.path.endswith("/issues")]


def test_faults_that_pass_change_nothing(reader: Reader, gitlab: Vendor, read_once: Reader):
    gitlab.faults = ["429", None, "502", "truncated", None, "drip", "reset"]
    gitlab.skew = 86_400

    reader.read(source(gitlab, names=True))

    for name in TABLES:
        assert without_port(reader.table(name)) == without_port(read_once.table(name))


def test_a_storm_loses_nothing_that_came_before(reader: Reader, gitlab: Vendor):
    gitlab.faults = [None, None, None] + ["502"] * 6
    with pytest.raises(SourceUnreachable):
        reader.read(source(gitlab))
    stored = reader.rows("select count(*) from raw.deployments")

    reader.read(source(gitlab))

    assert stored == [(3,)]
    assert reader.rows("select count(*) from raw.deployments") == [(5,)]


def test_an_expired_token_is_said_and_not_shown(reader: Reader, gitlab: Vendor):
    gitlab.faults = ["expired"]

    with pytest.raises(CredentialsRefused, match="the token in GITLAB_TOKEN") as raised:
        reader.read(source(gitlab))
    assert TOKEN not in str(raised.value) + repr(raised.value.__dict__)


def without_port(rows: list[tuple[Any, ...]]) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "", repr(rows))

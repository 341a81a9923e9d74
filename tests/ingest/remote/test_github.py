"""GitHub, as its public GraphQL schema describes it (schema.docs.graphql of API version 2022-11-28)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from vendor import HASTY, TOKEN, Asked, Reader, Told, Vendor, serving

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, NothingThere
from shipcast.ingest.health import record
from shipcast.ingest.hooks.arrival import events_of
from shipcast.ingest.hooks.inbox import Inbox
from shipcast.ingest.hooks.reading import ingest_events
from shipcast.ingest.remote import site
from shipcast.ingest.remote.site import Patience
from shipcast.pipeline import load_source
from shipcast.settings import Settings
from shipcast.settings.errors import SourceUnreachable
from shipcast.settings.sources import GithubSource


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


def sha(number: int) -> str:
    return f"{number:02x}" * 20


def deployment(number: int, created: str, *states: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "databaseId": number,
        "createdAt": created,
        "environment": "production",
        "commitOid": sha(number),
        "state": states[-1][0] if states else "PENDING",
        "ref": {"name": "main", "prefix": "refs/heads/"},
        "creator": {"login": "octo"},
        "statuses": {"nodes": [{"state": state, "createdAt": at} for state, at in reversed(states)]},
        **more,
    }


def commit(number: int, parent: int | None, at: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "oid": sha(number),
        "committedDate": at,
        "authoredDate": at,
        "message": f"Change {number}",
        "additions": 10 * number,
        "deletions": number,
        "changedFilesIfAvailable": 2,
        "parents": {"nodes": [{"oid": sha(parent)}] if parent else []},
        "author": {"name": "Octo", "email": "octo@example.com", "user": {"login": "octo"}},
        "associatedPullRequests": {"nodes": [request] if request else []},
    }


def pull_request(number: int, merge: int, created: str, merged: str, written: str) -> dict[str, Any]:
    return {
        "number": number,
        "createdAt": created,
        "mergedAt": merged,
        "title": f"Request {number}",
        "additions": 7,
        "deletions": 3,
        "changedFiles": 4,
        "author": {"login": "dependabot", "__typename": "Bot"},
        "mergeCommit": {"oid": sha(merge)},
        "commits": {"nodes": [{"commit": {"authoredDate": written}}]},
    }


@dataclass
class Repository:
    """What GitHub knows of one repository, newest first, and how it pages it."""

    name: str = "acme/shop"
    deployments: list[dict[str, Any]] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2

    def answer(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Told({"message": "Bad credentials"}, 401)
        if asked.path != "/graphql":
            return Told({"message": "Not Found"}, 404)
        query, given = asked.body["query"], asked.body["variables"]
        if "deployments(" in query:
            return self.told(self.paged(self.deployments, given["after"], "databaseId"))
        if "history(" in query:
            commits = [each for each in self.commits if not given["since"] or each["committedDate"] >= given["since"]]
            found = self.paged(commits, given["after"], "oid")
            return self.told(None, object={"found": found} if self.commits else None)
        if "releases(" in query:
            return self.told(self.paged(self.releases, given["after"], "tagName"))
        issues = [each for each in self.issues if not given["since"] or each["updatedAt"] >= given["since"]]
        return self.told(self.paged(issues, given["after"], "number"))

    def told(self, found: Any, **more: Any) -> Told:
        listed = {"found": found} if found is not None else {}
        return Told({"data": {"repository": {"nameWithOwner": self.name, **listed, **more}}})

    def paged(self, nodes: list[dict[str, Any]], after: str | None, key: str) -> dict[str, Any]:
        """A page behind a cursor, which stays where it was when newer nodes come or others are deleted."""
        begin = 0
        if after is not None:
            begin = next((place + 1 for place, node in enumerate(nodes) if str(node[key]) == after), len(nodes))
        page = nodes[begin : begin + self.page]
        return {
            "nodes": page,
            "pageInfo": {
                "hasNextPage": begin + self.page < len(nodes),
                "endCursor": str(page[-1][key]) if page else None,
            },
        }


def shop() -> Repository:
    merged = pull_request(7, 3, "2025-03-03T08:00:00Z", "2025-03-03T10:00:00Z", "2025-03-01T09:00:00Z")
    return Repository(
        deployments=[
            deployment(5, "2025-03-05T10:00:00Z", ("IN_PROGRESS", "2025-03-05T10:01:00Z")),
            deployment(
                4, "2025-03-04T10:00:00Z", ("IN_PROGRESS", "2025-03-04T10:01:00Z"), ("FAILURE", "2025-03-04T10:09:00Z")
            ),
            deployment(
                3, "2025-03-03T11:00:00Z", ("SUCCESS", "2025-03-03T11:05:00Z"), ("INACTIVE", "2025-03-04T10:00:00Z")
            ),
            deployment(2, "2025-03-02T10:00:00Z", ("INACTIVE", "2025-03-02T10:05:00Z"), environment="staging"),
            deployment(1, "2025-03-01T10:00:00Z", ("SUCCESS", "2025-03-01T10:05:00Z")),
        ],
        commits=[
            commit(3, 2, "2025-03-03T10:00:00Z", merged),
            commit(20, 1, "2025-03-02T11:00:00Z"),
            commit(2, 1, "2025-03-02T09:00:00Z"),
            commit(1, None, "2025-03-01T09:00:00Z"),
        ],
        releases=[
            {"tagName": "v1.1", "createdAt": "2025-03-03T10:30:00Z", "publishedAt": "2025-03-03T10:31:00Z",
             "isDraft": False, "tagCommit": {"oid": sha(3)}},
            {"tagName": "v1.0", "createdAt": "2025-03-01T09:30:00Z", "publishedAt": "2025-03-01T09:31:00Z",
             "isDraft": False, "tagCommit": {"oid": sha(1)}},
        ],
        issues=[
            {"number": 11, "createdAt": "2025-03-04T10:10:00Z", "closedAt": "2025-03-04T12:00:00Z",
             "updatedAt": "2025-03-04T12:00:00Z", "labels": {"nodes": [{"name": "incident"}, {"name": "sev1"}]}},
        ],
    )  # fmt: skip


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "home")


@pytest.fixture
def repository() -> Repository:
    return shop()


@pytest.fixture
def github(repository: Repository) -> Iterator[Vendor]:
    with serving(Vendor(repository.answer)) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A home that has read the shop once; for claims that change nothing."""
    reader = Reader(tmp_path_factory.mktemp("github") / "home")
    with pytest.MonkeyPatch.context() as patch, serving(Vendor(shop().answer)) as vendor:
        patch.setenv("GITHUB_TOKEN", TOKEN)
        reader.read(source(vendor))
    return reader


def source(github: Vendor, **more: Any) -> GithubSource:
    return GithubSource(repository="acme/shop", url=github.url, **more)


def test_deployments_end_by_their_statuses(read_once: Reader):
    found = read_once.rows(
        "select right(deployment_id, 1), environment, strftime(started_at, '%d %H:%M'), "
        "strftime(finished_at, '%d %H:%M'), status from raw.deployments order by 1"
    )
    assert found == [
        ("1", "production", "01 10:00", "01 10:05", "succeeded"),
        ("2", "staging", "02 10:00", None, "cancelled"),
        ("3", "production", "03 11:00", "03 11:05", "succeeded"),
        ("4", "production", "04 10:01", "04 10:09", "failed"),
        ("5", "production", "05 10:01", None, "running"),
    ]


def test_a_deployment_that_goes_on_after_its_end_begins_when_it_was_made(
    reader: Reader, github: Vendor, repository: Repository
):
    again = (("SUCCESS", "2025-03-06T10:05:00Z"), ("IN_PROGRESS", "2025-03-06T10:20:00Z"))
    repository.deployments.insert(0, deployment(6, "2025-03-06T10:00:00Z", *again))
    report = reader.read(source(github))

    assert sum(item.quarantined for item in report.items) == 0
    found = reader.rows("select started_at, finished_at from raw.deployments where deployment_id like '%-6'")
    assert [(start.hour, end.minute) for start, end in found] == [(10, 5)]


def test_a_change_is_a_commit_of_the_main_line_or_the_request_that_it_merged(read_once: Reader):
    found = read_once.rows(
        "select change_id, position, lines_added, is_bot, strftime(authored_at, '%d %H:%M') from raw.changes order by 2"
    )
    assert found == [
        ("shop-010101010101", 1, 10, False, "01 09:00"),
        ("shop-020202020202", 2, 20, False, "02 09:00"),
        ("acme/shop#7", 3, 7, True, "01 09:00"),
    ]


def test_a_release_has_the_place_of_its_commit(read_once: Reader):
    assert read_once.rows("select version, position from raw.releases where kind = 'tag' order by 1") == [
        ("v1.0", 1),
        ("v1.1", 3),
    ]


def test_a_labelled_issue_is_an_incident(read_once: Reader):
    assert read_once.rows("select incident_id, severity, strftime(resolved_at, '%H:%M') from raw.incidents") == [
        ("acme/shop#11", "sev1", "12:00")
    ]


def test_reading_again_brings_nothing_and_asks_little(reader: Reader, github: Vendor):
    reader.read(source(github))
    before, first = {name: reader.table(name) for name in TABLES}, len(github.asked)

    report = reader.read(source(github))

    assert {name: reader.table(name) for name in TABLES} == before
    assert sum(item.inserted + item.updated for item in report.items) == 0
    assert len(github.asked) - first < first


def test_what_is_new_or_has_ended_since_is_read(reader: Reader, github: Vendor, repository: Repository):
    reader.read(source(github))
    repository.deployments[0] = deployment(5, "2025-03-05T10:00:00Z", ("SUCCESS", "2025-03-05T10:30:00Z"))
    repository.deployments.insert(0, deployment(6, "2025-03-25T10:00:00Z", ("SUCCESS", "2025-03-25T10:30:00Z")))
    repository.commits.insert(0, commit(4, 3, "2025-03-06T10:00:00Z"))

    reader.read(source(github))

    ends = reader.rows("select status from raw.deployments where right(deployment_id, 1) in ('5', '6')")
    assert ends == [("succeeded",), ("succeeded",)]
    assert reader.rows("select max(position) from raw.changes") == [(4,)]


def test_a_rewritten_history_is_read_anew_and_what_it_lost_is_gone(
    reader: Reader, github: Vendor, repository: Repository
):
    reader.read(source(github))
    repository.commits[0] = commit(9, 2, "2025-03-04T10:00:00Z")

    report = reader.read(source(github))

    assert reader.rows("select position from raw.changes order by 1") == [(1,), (2,), (3,)]
    assert reader.rows("select count(*) from raw.changes where change_id = 'acme/shop#7'") == [(0,)]
    assert any("rewritten" in warning for warning in report.warnings)


def test_names_here_are_those_of_the_settings(reader: Reader, github: Vendor):
    reader.read(source(github, environments={"production": "live", "staging": ""}, service="pay"))

    assert reader.rows("select distinct service, environment from raw.deployments") == [("pay", "live")]


def test_other_names_later_leave_none_of_the_old(reader: Reader, github: Vendor):
    reader.read(source(github))

    reader.read(source(github, environments={"production": "live", "staging": ""}))

    assert reader.rows("select environment, count(*) from raw.deployments group by 1") == [("live", 4)]


def test_what_a_webhook_told_of_is_gone_too_once_it_is_left_out(reader: Reader, github: Vendor):
    told = {
        "repository": {"full_name": "acme/shop"},
        "deployment": {"id": 3, "sha": sha(3), "environment": "production", "created_at": "2025-03-03T11:00:00Z",
                       "creator": {"login": "octo"}},
        "deployment_status": {"state": "success", "created_at": "2025-03-03T11:05:00Z",
                              "updated_at": "2025-03-03T11:05:00Z"},
    }  # fmt: skip
    headers = {"x-github-event": "deployment_status", "x-github-delivery": "1"}
    Inbox(reader.settings.home).add(events_of([source(github)], headers, json.dumps(told).encode()))
    ingest_events(reader.settings, source(github))
    reader.read(source(github))
    there = "select count(*) from raw.deployments where deployment_id like '%-3'"
    assert reader.rows(f"{there} and _file like '%: events'") == [(1,)]

    reader.read(source(github, environments={"production": ""}))

    assert reader.rows(there) == [(0,)]


def test_people_are_told_apart_and_not_named(read_once: Reader):
    people = read_once.rows("select deployed_by from raw.deployments union select author from raw.changes")
    assert people
    assert not any("octo" in person for (person,) in people)


def test_people_are_named_where_it_is_wanted(reader: Reader, github: Vendor):
    reader.read(source(github, names=True))

    assert reader.rows("select distinct deployed_by from raw.deployments") == [("octo",)]


def test_a_renamed_repository_is_read_and_told_of(reader: Reader, github: Vendor, repository: Repository):
    repository.name = "acme/store"

    report = reader.read(source(github))

    assert reader.rows("select distinct service from raw.deployments") == [("shop",)]
    assert any("acme/store" in warning for warning in report.warnings)


def test_an_empty_account_gives_nothing_and_fails_nowhere(reader: Reader):
    with serving(Vendor(Repository().answer)) as github:
        report = reader.read(source(github))

    assert sum(item.read for item in report.items) == 0
    assert report.exit_code == 0


def test_what_is_deleted_while_it_is_paged_costs_no_other_row(reader: Reader, github: Vendor, repository: Repository):
    answer, gone = repository.answer, repository.deployments[2]

    def deleting(asked: Asked) -> Told:
        told = answer(asked)
        if "deployments(" in asked.body["query"] and gone in repository.deployments:
            repository.deployments.remove(gone)
        return told

    github.answer = deleting
    reader.read(source(github))

    assert reader.rows("select count(*) from raw.deployments") == [(4,)]


@pytest.mark.parametrize("fault", ["429", "502", "truncated", "reset", "drip"])
def test_a_fault_that_passes_changes_nothing(reader: Reader, github: Vendor, fault: str, tmp_path: Path):
    other = Reader(tmp_path / "other")
    other.read(source(github, names=True))
    github.faults = [fault, None, fault, fault, None, fault]

    reader.read(source(github, names=True))

    assert {name: reader.table(name) for name in TABLES} == {name: other.table(name) for name in TABLES}


def test_a_storm_ends_in_words_and_loses_nothing(reader: Reader, github: Vendor, repository: Repository):
    repository.page = 100
    github.faults = [None] + ["502"] * 6

    with pytest.raises(SourceUnreachable, match=r"no answer from http://.* in 6 attempts; the last: it answers 502"):
        reader.read(source(github))
    assert reader.rows("select count(*) from raw.deployments") == [(5,)]
    reader.read(source(github))
    assert reader.rows("select count(*) from raw.changes") == [(3,)]


def test_a_server_that_was_not_there_the_last_time_is_given_up_sooner(
    github: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(site, "DOUBTFUL", replace(HASTY, knocks=3))
    settings, shop = Settings(home=tmp_path), source(github)
    record(tmp_path, [(shop.label, SourceUnreachable("It did not answer."))], datetime.now(UTC))
    github.faults = ["502"] * 3

    with pytest.raises(SourceUnreachable, match=r"in 3 attempts"):
        load_source(settings, shop, print)
    assert len(github.asked) == 3

    github.faults = ["502", "502", None, *["502"] * 5]  # it is there, and stumbles
    assert sum(item.read for item in load_source(settings, shop, print).items) > 5


def test_a_query_that_github_gave_up_is_asked_again(reader: Reader, github: Vendor, repository: Repository):
    gave_up = Told({"data": None, "errors": [{"message": "Something went wrong while executing your query."}]})
    github.answer = lambda asked: gave_up if len(github.asked) % 2 else repository.answer(asked)
    reader.read(source(github))

    assert reader.rows("select count(*) from raw.deployments") == [(5,)]

    github.answer = lambda _: gave_up
    with pytest.raises(SourceUnreachable, match="it says that something went wrong there"):
        reader.read(source(github))


def test_a_head_that_drips_is_left_as_a_body_is(reader: Reader, github: Vendor):
    github.faults = ["head"]

    with pytest.raises(SourceUnreachable, match="its answer was not whole after 0 s"):
        reader.read(source(github), Patience(attempts=1, silence=0.2, deadline=0.1))


def test_an_answer_without_a_body_is_none(reader: Reader, github: Vendor, repository: Repository):
    empty = Told(raw=b"")
    github.answer = lambda asked: empty if len(github.asked) == 1 else repository.answer(asked)
    report = reader.read(source(github))

    assert sum(item.read for item in report.items) > 0


def test_an_expired_token_is_said_and_not_shown(reader: Reader, github: Vendor):
    github.faults = ["expired"]

    with pytest.raises(CredentialsRefused) as raised:
        reader.read(source(github))
    assert "the token in GITHUB_TOKEN" in str(raised.value)
    assert TOKEN not in str(raised.value) + repr(raised.value.__dict__)


def test_a_token_that_is_nowhere_is_asked_for(reader: Reader, github: Vendor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GITHUB_TOKEN")

    with pytest.raises(CredentialsRefused, match="GITHUB_TOKEN is not set"):
        reader.read(source(github))


def test_an_unknown_repository_is_named(reader: Reader):
    error = {"data": {"repository": None}, "errors": [{"type": "NOT_FOUND", "message": "Could not resolve"}]}
    with serving(Vendor(lambda _: Told(error))) as github, pytest.raises(NothingThere, match="github acme/shop"):
        reader.read(source(github))


@pytest.mark.parametrize(
    "answer",
    [
        lambda found: {**found, "pageInfo": {"hasNextPage": True, "endCursor": None}},
        lambda found: {**found, "pageInfo": {"hasNextPage": True, "endCursor": "again"}},
        lambda found: {**found, "nodes": [{"databaseId": 1}]},
        lambda found: {"nodes": found["nodes"]},
    ],
    ids=["no cursor", "a circle", "a node without its fields", "no page info"],
)
def test_an_answer_that_breaks_its_promise_ends_in_words(
    reader: Reader, github: Vendor, repository: Repository, answer
):
    told = repository.paged(repository.deployments, None, "databaseId")
    github.answer = lambda _: repository.told(answer(told))

    with pytest.raises(AnswerUnusable, match="github acme/shop"):
        reader.read(source(github))


def test_a_node_that_is_null_costs_no_other_row(reader: Reader, github: Vendor, repository: Repository):
    answer = repository.answer

    def with_null(asked: Asked) -> Told:
        told = answer(asked)
        if "deployments(" in asked.body["query"]:
            told.data["data"]["repository"]["found"]["nodes"].append(None)
        return told

    github.answer = with_null
    reader.read(source(github))

    assert reader.rows("select count(*) from raw.deployments") == [(5,)]


def test_a_name_that_is_no_text_is_stored_as_far_as_it_is(reader: Reader, github: Vendor, repository: Repository):
    repository.deployments[0]["environment"] = "prod\ud800"

    reader.read(source(github))

    assert ("prod?",) in reader.rows("select environment from raw.deployments")


def test_a_token_that_a_server_puts_into_its_words_is_cut_out(reader: Reader, github: Vendor):
    github.answer = lambda asked: Told({"message": f"bad token {asked.headers['authorization']}"}, 401)

    with pytest.raises(CredentialsRefused, match="bad token …") as raised:
        reader.read(source(github))
    assert TOKEN not in str(raised.value)


def test_two_sources_of_one_repository_leave_each_other_alone(reader: Reader, github: Vendor):
    for _ in range(2):
        for service in ("pay", "cart"):
            reader.read(source(github, service=service, environments={"staging": ""}))

    with serving(Vendor(shop().answer)) as other:
        reader.read(source(other))

    assert reader.rows("select distinct service from raw.releases order by 1") == [("cart",), ("pay",), ("shop",)]


def test_a_branch_that_is_not_there_is_said(reader: Reader, github: Vendor, repository: Repository):
    repository.commits = []

    with pytest.raises(NothingThere, match="no branch 'mian'"):
        reader.read(source(github, branch="mian"))


def test_a_sign_in_page_is_no_answer(reader: Reader, github: Vendor):
    github.faults = ["html"]

    with pytest.raises(AnswerUnusable, match="web page"):
        reader.read(source(github))


def test_a_token_goes_to_no_other_server(reader: Reader, github: Vendor):
    with serving(Vendor(lambda _: Told({}))) as other:
        github.answer = lambda _: Told(status=301, headers={"Location": f"{other.url}/graphql"})

        with pytest.raises(AnswerUnusable, match="gets no token of yours"):
            reader.read(source(github))
    assert other.asked == []


def test_clocks_that_differ_change_nothing(reader: Reader, github: Vendor, tmp_path: Path):
    github.skew = -7 * 86400
    github.faults = ["429"]
    reader.read(source(github))
    github.skew = 7 * 86400
    reader.read(source(github))

    assert reader.rows("select count(*) from raw.deployments") == [(5,)]


TABLES = ("deployments", "changes", "releases", "incidents")

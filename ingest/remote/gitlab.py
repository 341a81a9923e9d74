"""GitLab, asked through its REST API (v4), and for what that does not say of merge requests through its GraphQL API.

- A deployment starts and ends with its job. One that no job made, which the API was told of, starts when it was made,
  and its last change stands in for its end. One that waits for a person or a job has not started and is left out.
- A change is a commit of the main line (by first parents): the merge request that it merged, with when the oldest of
  its commits was written, else itself. Of one that was fast-forwarded each commit is a change by itself. Its position
  on that line tells which deployment carried it first.
- A release holds each change up to the place of its commit; one that lies beside the main line has no place.
- An issue of the type incident is one, from when it was opened until it was closed.

Lists are walked from what was changed first to what was changed last, each request from the last record of the one
before, so that what is changed or deleted meanwhile costs no other record. The records of one instant alone are counted
off in pages. The main line is read down from one commit, which no later one moves; its end is left for the next reading
while it is so fresh that GitLab may not know yet which merge request it is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from shipcast.ingest.errors import AnswerUnusable, NothingThere
from shipcast.ingest.people import is_bot
from shipcast.ingest.remote.listing import Batch, Listing, Mark, Recall, Record
from shipcast.ingest.remote.misfits import GAP, Kind, Made, Sieve, moment, named, released
from shipcast.ingest.remote.site import Reply, Site
from shipcast.ingest.reverts import is_revert
from shipcast.settings.sources import GitlabSource

PAGE = 100
DETAILED = 50  # merge requests in one query
OVERLAP = timedelta(minutes=10)  # a change is seen a little after it was made
FRESH = timedelta(minutes=10)  # a merged commit whose merge request may not be marked as merged yet
BEGINNING = "1970-01-01T00:00:00Z"
ENDED = {"success": "succeeded", "failed": "failed", "canceled": "cancelled", "skipped": "cancelled"}
UNDER_WAY = ("running", "canceling")
DETAILS = f"""
query($path: ID!, $iids: [String!]) {{ project(fullPath: $path) {{
  mergeRequests(iids: $iids, first: {DETAILED}) {{ nodes {{
    iid diffStatsSummary {{ additions deletions fileCount }} commits {{ nodes {{ authoredDate }} }} }} }} }} }}
"""


DEPLOYMENT = Kind("deployments", ("id", "status", "created_at", "updated_at"))
COMMIT = Kind("releases", ("id", "committed_date"))
MERGE_REQUEST = Kind("changes", ("iid", "created_at", "merged_at", "updated_at"))
RELEASE = Kind("releases", ("tag_name", "created_at"))
INCIDENT = Kind("incidents", ("iid", "state", "created_at", "closed_at", "updated_at"))


@dataclass
class Gitlab:
    """One project."""

    source: GitlabSource
    site: Site
    recall: Recall
    warnings: list[str] = field(default_factory=list)
    sieve: Sieve = field(default_factory=Sieve)

    def __post_init__(self) -> None:
        self.site.carry()
        self.site.advice = "A project access token needs the scope read_api and the role Reporter."

    def listings(self) -> Sequence[Listing]:
        return [
            Listing("deployments", ("deployments",), self.deployments),
            Listing("main line", ("changes", "releases"), self.mainline),
            Listing("releases", ("releases",), self.releases),
            Listing("incidents", ("incidents",), self.incidents),
        ]

    @cached_property
    def project(self) -> Mapping[str, Any]:
        """What GitLab says of the project itself, by whatever name it goes now."""
        found = self.site.get(f"api/v4/projects/{quote(self.source.project, safe='')}").data
        if not isinstance(found, dict) or not isinstance(found.get("id"), int):
            raise AnswerUnusable(f"{self.site.name}: this is no project that GitLab would describe.")
        now, named = str(found.get("path_with_namespace")), self.source.project
        if not named.isdecimal() and now.lower() != named.lower():
            told = f"{self.site.name} is called {now} by now; name it so in shipcast.toml"
            self.warnings.append(f"{told} (its service stays {self.source.owned_service!r} with the key service).")
        return found

    def all_names(self) -> dict[str, set[str]]:
        """See `Naming`: environments that were stopped too."""
        found, page, is_over = set[str](), 1, not self.has("environments")
        while not is_over:
            reply = self.asked("environments", page=page)
            found.update(str(each["name"]) for each in self.rows(reply))
            page, is_over = page + 1, reply.next_page is None
        return {"service": {self.source.owned_service}, "environment": found}

    @property
    def branch(self) -> str | None:
        """Whose main line counts; None: the repository is empty."""
        return self.source.branch or self.project.get("default_branch")

    def has(self, feature: str) -> bool:
        """Whether the project uses that part of GitLab; what is switched off answers as if it were forbidden."""
        return self.project.get(f"{feature}_access_level") != "disabled"

    def asked(self, path: str, **parameters: Any) -> Reply:
        return self.site.get(f"api/v4/projects/{self.project['id']}/{path}", {"per_page": PAGE, **parameters})

    def rows(self, reply: Reply) -> list[Any]:
        if not isinstance(reply.data, list):
            raise AnswerUnusable(f"{self.site.name}: GitLab answers with something that is no list.")
        return reply.data

    def walk(
        self, path: str, kind: Kind, made: Made, after: str, about: Mapping[str, Made], **parameters: Any
    ) -> Iterator[list[Any]]:
        """What was changed at an instant or later, in that order, page by page, without what the page before had."""
        page, before = 1, list[Any]()
        while True:
            reply = self.asked(path, order_by="updated_at", sort="asc", updated_after=after, page=page, **parameters)
            given = self.rows(reply)
            rows = self.sieve.readable(kind, given, lambda row: moment(row["updated_at"]), made, **about)
            yield [row for row in rows if row not in before]
            if reply.next_page is None or not given:
                return
            before = rows
            last = str(rows[-1]["updated_at"]) if rows else after
            after, page = (after, page + 1) if instant(last) <= instant(after) else (last, 1)

    def changed(
        self, path: str, kind: Kind, made: Made, mark: Mark | None, about: Mapping[str, Made], **parameters: Any
    ) -> Iterator[tuple[list[Any], Mark]]:
        """What was changed since a mark, each page with the next one: `updated`, the last change that was read."""
        known = (mark or {}).get("updated")
        begin = instant(known) - OVERLAP if known else self.source.begins_at
        for rows in self.walk(path, kind, made, text_of(begin) if begin else BEGINNING, about, **parameters):
            known = max([*filter(None, [known]), *(row["updated_at"] for row in rows)], key=instant, default=None)
            yield rows, {"updated": known}

    def deployments(self, mark: Mark | None) -> Iterator[Batch]:
        if not self.has("builds") or not self.has("environments"):
            return
        for nodes, then in self.changed(
            "deployments", DEPLOYMENT, self.deployment, mark, {"deployment_id": self.identity}
        ):
            begun = [node for node in nodes if node["status"] in ENDED or node["status"] in UNDER_WAY]
            yield Batch({"deployments": [self.deployment(node) for node in begun]}, then)

    def identity(self, node: Any) -> str:
        return f"{self.source.prefix}-{named(node['id'])}"

    def deployment(self, node: Any) -> Record:
        job, status = node.get("deployable") or {}, node["status"]
        end = (job.get("finished_at") if job else node["updated_at"]) if status in ENDED else None
        start = job.get("started_at") or node["created_at"]
        return {
            "deployment_id": self.identity(node),
            "service": self.source.owned_service,
            "environment": (node.get("environment") or {}).get("name"),
            "started_at": min(filter(None, [start, end]), key=instant),  # it may be made after its job has ended
            "finished_at": end,
            "status": ENDED.get(status, "running"),
            "commit_sha": node["sha"],
            "version": node["ref"] if job.get("tag") else None,
            "deployed_by": (node.get("user") or {}).get("username"),
        }

    def mainline(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `tip`, the newest commit of the main line that was read, and `position`, its place on it."""
        mark = mark or {}
        line, is_joined, now = self.line(mark.get("tip"))
        if not is_joined and self.sieve.waiting and (mark.get("tip") or not line):
            self.warnings.append(f"{self.site.name}: {GAP}")
            return
        requests = self.merge_requests(line)
        line = settled(line, requests, now) if self.has("merge_requests") else line
        is_anew = bool(mark.get("tip")) and not is_joined
        if is_anew:
            self.warnings.append(
                f"{self.site.name}: its history was rewritten and no longer holds commit {mark['tip'][:12]}; read anew."
            )
        base = mark.get("position", 0) if is_joined else 0
        if line:
            self.detail(requests)
            placed = list(enumerate(line, start=base + 1))
            changes = [self.change(commit, position, requests.get(commit["id"])) for position, commit in placed]
            releases = [self.commit(commit, position) for position, commit in placed]
            tip = {"tip": line[-1]["id"], "position": base + len(line)}
            yield Batch({"changes": changes, "releases": releases}, tip, is_anew)

    def line(self, tip: str | None) -> tuple[list[Any], bool, datetime]:
        """The main line's commits behind one that is known, oldest first; whether that was met; and GitLab's time."""
        if not self.branch or not self.has("repository"):
            return [], True, datetime.now(UTC)
        head = self.asked("repository/commits", ref_name=self.branch, per_page=1)
        newest, found = (
            self.sieve.readable(
                COMMIT,
                self.rows(head),
                lambda commit: commit["id"].lower(),
                **released(self.source.owned_service, "id"),
            ),
            list[Any](),
        )
        if not newest or newest[0]["id"] == tip:
            return [], not self.sieve.waiting, told_at(head)
        for commit in self.down_from(newest[0]["id"]):
            if commit["id"] == tip:
                return found[::-1], True, told_at(head)
            found.append(commit)
        return found[::-1], False, told_at(head)

    def down_from(self, head: str) -> Iterator[Any]:
        """The main line's commits, from the newest on."""
        begin = self.source.begins_at
        since, page, is_over = text_of(begin) if begin else None, 1, False
        while not is_over:
            reply = self.asked(
                "repository/commits", ref_name=head, first_parent="true", with_stats="true", since=since, page=page
            )
            yield from self.sieve.readable(
                COMMIT, self.rows(reply), self.placed, **released(self.source.owned_service, "id")
            )
            page, is_over = page + 1, reply.next_page is None or self.recall.is_sample

    def merge_requests(self, line: Sequence[Any]) -> dict[str, dict[str, Any]]:
        """The merge requests that commits of the line merged, by those commits."""
        if not line or not self.has("merge_requests"):
            return {}
        commits, found = {commit["id"] for commit in line}, dict[str, dict[str, Any]]()
        begin = min(instant(commit["committed_date"]) for commit in line) - OVERLAP
        wanted = {"state": "merged", "scope": "all", "target_branch": self.branch}
        for nodes in self.walk(
            "merge_requests", MERGE_REQUEST, self.merged, text_of(begin), {"change_id": self.request}, **wanted
        ):
            for node in nodes:
                merged = commits & {node.get("merge_commit_sha"), node.get("squash_commit_sha")}
                found.update((sha, node) for sha in merged)
        return found

    def detail(self, requests: Mapping[str, dict[str, Any]]) -> None:
        """Add to merge requests what REST does not say: lines, files, and when their commits were written."""
        by_number = {str(request["iid"]): request for request in requests.values()}
        numbers = list(by_number)
        for begin in range(0, len(numbers), DETAILED):
            wanted = {"path": self.project["path_with_namespace"], "iids": numbers[begin : begin + DETAILED]}
            nodes = self.queried(DETAILS, wanted)["mergeRequests"]["nodes"]
            for node in self.sieve.readable(
                MERGE_REQUEST,
                nodes,
                lambda node: self.merged({**by_number[str(int(node["iid"]))], "details": node}),
                change_id=self.request,
            ):
                by_number[str(node["iid"])]["details"] = node

    def queried(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """The project, as a query gives it."""
        data = self.site.post("api/graphql", {"query": query, "variables": variables}).data
        answer = data if isinstance(data, dict) else {}
        if errors := answer.get("errors"):
            first = errors[0] if isinstance(errors, list) else {}
            said = self.site.quoted(first.get("message"))
            raise AnswerUnusable(f"{self.site.name}: GitLab refuses the query. It says: {said}")
        project = (answer.get("data") or {}).get("project")
        if not isinstance(project, dict):
            raise NothingThere(
                f"{self.site.name}: {self.site.credential} may not see its merge requests.",
                next_step=self.site.advice,
            )
        return project

    def placed(self, commit: Any) -> object:
        """The rows of a commit, wherever it stands."""
        return moment(commit["committed_date"]), self.commit(commit, 0), self.change(commit, 0, None)

    def merged(self, request: Any) -> object:
        """The row of a merge request, whatever commit it left."""
        return self.merge_request(request, {"committed_date": None})

    def commit(self, commit: Any, position: int) -> Record:
        """A commit of the main line, which a deployment may name."""
        return {
            "service": self.source.owned_service,
            "version": commit["id"],
            "commit_sha": commit["id"],
            "released_at": commit["committed_date"],
            "position": position,
            "kind": "commit",
        }

    def change(self, commit: Any, position: int, request: Any) -> Record:
        service, place = self.source.owned_service, {"commit_sha": commit["id"], "position": position}
        if request is not None:
            return {**self.merge_request(request, commit), **place}
        stats = commit.get("stats") or {}
        return {
            "change_id": f"{service}-{commit['id'][:12]}",
            "service": service,
            "authored_at": commit["authored_date"],
            "merged_at": commit["committed_date"],
            "author": commit.get("author_email") or commit.get("author_name"),
            "lines_added": stats.get("additions"),
            "lines_deleted": stats.get("deletions"),
            "is_bot": is_bot(commit.get("author_name") or "", commit.get("author_email") or ""),
            "is_revert": is_revert(commit["message"]),
            **place,
        }

    def request(self, request: Any) -> str:
        return f"{self.source.project}!{named(request['iid'])}"

    def merge_request(self, request: Any, commit: Any) -> dict[str, Any]:
        details, author = request.get("details") or {}, (request.get("author") or {}).get("username")
        stats = details.get("diffStatsSummary") or {}
        written = [node["authoredDate"] for node in (details.get("commits") or {}).get("nodes") or ()]
        return {
            "change_id": self.request(request),
            "service": self.source.owned_service,
            "authored_at": min([request["created_at"], *filter(None, written)], key=instant),
            "merged_at": request.get("merged_at") or commit["committed_date"],
            "author": author,
            "lines_added": stats.get("additions"),
            "lines_deleted": stats.get("deletions"),
            "files_changed": stats.get("fileCount"),
            "is_bot": is_bot(author or "", ""),
            "is_revert": is_revert(request["title"]),
        }

    def releases(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `newest`, when the newest known release was made. What is new is read in one batch."""
        if not self.has("releases") or not self.has("repository"):
            return
        newest, found = (mark or {}).get("newest"), list[Any]()
        stop = instant(newest) - OVERLAP if newest else self.source.begins_at
        page, is_over = 1, False
        while not is_over:
            reply = self.asked("releases", order_by="created_at", sort="desc", page=page)
            nodes = self.sieve.readable(
                RELEASE,
                self.rows(reply),
                lambda node: moment(node["created_at"]),
                lambda node: self.release(node, {}),
                **released(self.source.owned_service, "tag_name"),
            )
            fresh = [node for node in nodes if stop is None or instant(node["created_at"]) >= stop]
            found += [node for node in fresh if not node.get("upcoming_release")]
            page, is_over = page + 1, reply.next_page is None or len(fresh) < len(nodes)
        commits = [sha for node in found if (sha := self.release(node, {})["commit_sha"])]
        places = self.recall.places(self.source.owned_service, commits)
        newest = max([*filter(None, [newest]), *(node["created_at"] for node in found)], key=instant, default=None)
        yield Batch({"releases": [self.release(node, places) for node in found]}, {"newest": newest})

    def release(self, node: Any, places: Mapping[str, int]) -> Record:
        sha = (node.get("commit") or {}).get("id")
        return {
            "service": self.source.owned_service,
            "version": node["tag_name"],
            "commit_sha": sha,
            "released_at": node.get("released_at") or node["created_at"],
            "position": places.get(sha) if sha else None,
            "kind": "tag",
        }

    def incidents(self, mark: Mark | None) -> Iterator[Batch]:
        if not self.has("issues"):
            return
        for nodes, then in self.changed(
            "issues", INCIDENT, self.incident, mark, {"incident_id": self.issue}, issue_type="incident", scope="all"
        ):
            yield Batch({"incidents": [self.incident(node) for node in nodes]}, then)

    def issue(self, node: Any) -> str:
        return f"{self.source.project}#{named(node['iid'])}"

    def incident(self, node: Any) -> Record:
        return {
            "incident_id": self.issue(node),
            "service": self.source.owned_service,
            "started_at": node["created_at"],
            "resolved_at": node["closed_at"] if node["state"] == "closed" else None,
            "severity": graded(node.get("severity")),
        }


def graded(severity: object) -> str | None:
    """An incident's severity; None: nobody gave it one, which GitLab says by `unknown`."""
    found = str(severity or "").lower()
    return found if found not in ("", "unknown") else None


def settled(line: list[Any], requests: Mapping[str, Any], now: datetime) -> list[Any]:
    """The line up to the first commit that is fresh and of no known merge request."""
    for place, commit in enumerate(line):
        if commit["id"] not in requests and instant(commit["committed_date"]) > now - FRESH:
            return line[:place]
    return line


def told_at(reply: Reply) -> datetime:
    """When a server says that it answered; where it says nothing, now."""
    try:
        return parsedate_to_datetime(reply.headers["date"])
    except (KeyError, TypeError, ValueError):
        return datetime.now(UTC)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""GitHub, asked through its GraphQL API (v4), which gives in one request what its REST API gives in a hundred.

- A deployment starts with its first status `in_progress`, else when it was made, and ends with its last status that
  says how it ended. One that failed and was tried again has failed, as rows of one id are merged elsewhere.
- A change is a commit of the main line (by first parents): the pull request that it merged, with when its first commit
  was written, else itself, pushed directly. Its position on that line tells which deployment carried it first.
- A release holds each change up to the place of its commit; one that lies beside the main line has no place.
- An issue with one of the labels is an incident from when it was opened until it was closed.

Lists of which GitHub sorts the newest first are walked down to where the last walk began; one that was interrupted is
first walked to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, NothingThere, RateLimited
from shipcast.ingest.people import is_bot
from shipcast.ingest.remote.listing import Batch, Listing, Mark, Recall, Record
from shipcast.ingest.remote.misfits import GAP, Kind, Made, Sieve, moment, named, released
from shipcast.ingest.remote.site import Site
from shipcast.ingest.reverts import is_revert
from shipcast.settings.sources import GithubSource

PAGE = 100
OVERLAP = timedelta(days=1)  # a deployment that has ended may get another status
UNFINISHED = timedelta(days=30)  # a deployment that has no end by then gets none
ENDED = {"SUCCESS": "succeeded", "FAILURE": "failed", "ERROR": "failed"}
NAMELESS = ""  # in the place of the name of a commit that has none
SEVERITIES = ("sev", "severity", "priority", "p0", "p1", "p2", "p3", "p4")
REPOSITORY = "repository(owner: $owner, name: $name) { nameWithOwner"
GIVEN = "$owner: String!, $name: String!, $after: String"
DEPLOYMENTS = f"""
query({GIVEN}) {{ {REPOSITORY}
  found: deployments(first: {PAGE}, after: $after, orderBy: {{field: CREATED_AT, direction: DESC}}) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ databaseId createdAt environment commitOid state ref {{ name prefix }} creator {{ login }}
      statuses(first: 50) {{ nodes {{ state createdAt }} }} }} }} }} }}
"""
HISTORY = f"""
query({GIVEN}, $branch: String!, $since: GitTimestamp) {{ {REPOSITORY}
  object(expression: $branch) {{ ... on Commit {{
    found: history(first: {PAGE}, after: $after, since: $since) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{ oid committedDate authoredDate message additions deletions changedFilesIfAvailable
        parents(first: 1) {{ nodes {{ oid }} }}
        author {{ name email user {{ login }} }}
        associatedPullRequests(first: 1) {{ nodes {{
          number createdAt mergedAt title additions deletions changedFiles author {{ login __typename }}
          mergeCommit {{ oid }} commits(first: 1) {{ nodes {{ commit {{ authoredDate }} }} }} }} }} }} }} }} }} }} }}
"""
RELEASES = f"""
query({GIVEN}) {{ {REPOSITORY}
  found: releases(first: {PAGE}, after: $after, orderBy: {{field: CREATED_AT, direction: DESC}}) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ tagName createdAt publishedAt isDraft tagCommit {{ oid }} }} }} }} }}
"""
ISSUES = f"""
query({GIVEN}, $labels: [String!], $since: DateTime) {{ {REPOSITORY}
  found: issues(first: {PAGE}, after: $after, labels: $labels, filterBy: {{since: $since}},
      orderBy: {{field: UPDATED_AT, direction: ASC}}) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ number createdAt closedAt updatedAt labels(first: 20) {{ nodes {{ name }} }} }} }} }} }}
"""


DEPLOYMENT = Kind("deployments", ("databaseId", "createdAt", "environment", "state"))
COMMIT = Kind("releases", ("oid", "committedDate"))
RELEASE = Kind("releases", ("tagName", "createdAt"))
ISSUE = Kind("incidents", ("number", "createdAt", "updatedAt"))


@dataclass
class Github:
    """One repository."""

    source: GithubSource
    site: Site
    recall: Recall
    warnings: list[str] = field(default_factory=list)
    sieve: Sieve = field(default_factory=Sieve)

    def __post_init__(self) -> None:
        self.site.carry()
        self.site.is_passing = went_wrong
        self.site.advice = "A fine-grained token needs read access to contents, deployments, issues and pull requests."

    def listings(self) -> Sequence[Listing]:
        found = [
            Listing("deployments", ("deployments",), self.deployments),
            Listing("main line", ("changes", "releases"), self.mainline),
            Listing("releases", ("releases",), self.releases),
        ]
        if self.source.incident_labels:
            found.append(Listing("issues", ("incidents",), self.issues))
        return found

    def all_names(self) -> dict[str, set[str]]:
        """See `Naming`: the one service; its environments are those of deployments, old ones too."""
        return {"service": {self.source.owned_service}}

    def asked(self, query: str, after: str | None, **variables: Any) -> dict[str, Any]:
        """The repository, as a query gives it.

        Raises
        ------
        NothingThere, CredentialsRefused, RateLimited, AnswerUnusable
            By the type of the error that GitHub names.
        """
        owner, name = self.source.repository.split("/")
        given = {"owner": owner, "name": name, "after": after, **variables}
        data = self.site.post("graphql", {"query": query, "variables": given}).data
        answer = data if isinstance(data, dict) else {}
        repository = (answer.get("data") or {}).get("repository")
        if errors := answer.get("errors"):
            raise self.fault(errors[0] if isinstance(errors, list) and errors else {})
        if not isinstance(repository, dict):
            raise NothingThere(
                f"{self.site.name}: there is no such repository, or {self.site.credential} may not see it.",
                next_step="Correct the repository's name, or the token's rights.",
            )
        self.check_name(repository.get("nameWithOwner"))
        return repository

    def fault(self, error: Any) -> Exception:
        error = error if isinstance(error, dict) else {}
        kind, said = error.get("type"), self.site.quoted(error.get("message"))
        where = self.site.name
        if kind == "NOT_FOUND":
            return NothingThere(
                f"{where}: GitHub knows nothing of it, or {self.site.credential} may not see it.",
                next_step="Correct the repository's name, or the token's rights.",
            )
        if kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES"):
            return CredentialsRefused(f"{where}: {said}", next_step=self.site.advice)
        if kind == "RATE_LIMITED":
            return RateLimited(f"{where}: the hour's requests are used up.", next_step="Run it again in an hour.")
        return AnswerUnusable(f"{where}: GitHub refuses the query. It says: {said}")

    def check_name(self, now: Any) -> None:
        if isinstance(now, str) and now.lower() != self.source.repository.lower():
            warning = f"{self.site.name} is called {now} by now; it is still found under the name in the settings."
            if warning not in self.warnings:
                self.warnings.append(warning)

    def pages(
        self,
        query: str,
        kind: Kind,
        made: Sequence[Made],
        after: str | None = None,
        about: Mapping[str, Any] | None = None,
        **variables: Any,
    ) -> Iterator[tuple[list[Any], str | None]]:
        """Each page's nodes of which all of `made` can be made, with the cursor behind it; None: it is the last."""
        while True:
            repository = self.asked(query, after, **variables)
            if "object" in repository and repository["object"] is None and self.source.branch:
                raise NothingThere(f"{self.site.name}: there is no branch {self.source.branch!r}.")
            found = (repository.get("object") or {}).get("found") if "object" in repository else repository.get("found")
            if not isinstance(found, dict):
                return
            after = found["pageInfo"]["endCursor"] if found["pageInfo"]["hasNextPage"] else None
            if found["pageInfo"]["hasNextPage"] and not after:
                raise AnswerUnusable(f"{self.site.name}: GitHub says that there is more, and not where.")
            yield self.sieve.readable(kind, found["nodes"], *made, **(about or {})), after
            if after is None:
                return

    def deployments(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `newest`, when the newest known one was made; `open`, the oldest that may still end; `walk`, if cut."""
        mark = mark or {}
        if mark.get("walk"):
            try:
                for batch in self.walked(mark, mark["walk"]):
                    mark = batch.mark
                    yield batch
            except AnswerUnusable:  # the cursor is too old to go on from
                self.site.progress(f"{self.site.name}: the list is read from its top again")
        yield from self.walked({**mark, "walk": None}, None)

    def walked(self, mark: Mark, walk: dict[str, Any] | None) -> Iterator[Batch]:
        """One walk from the newest deployment, or from where it was cut off, down to what is known and has ended."""
        walk = walk or {"after": None, "newest": None, "open": None, "stop": stop_of(mark, self.source.begins_at)}
        made = (lambda node: moment(node["createdAt"]), self.deployment)
        for nodes, after in self.pages(DEPLOYMENTS, DEPLOYMENT, made, walk["after"], {"deployment_id": self.identity}):
            fresh = [node for node in nodes if walk["stop"] is None or node["createdAt"] >= walk["stop"]]
            rows = [self.deployment(node) for node in fresh]
            running = [node["createdAt"] for node, row in zip(fresh, rows, strict=True) if row["status"] == "running"]
            is_over = after is None or len(fresh) < len(nodes)
            walk = {
                "after": after,
                "newest": walk["newest"] or (nodes[0]["createdAt"] if nodes else mark.get("newest")),
                "open": min([*running, *([walk["open"]] if walk["open"] else [])], default=None),
                "stop": walk["stop"],
            }
            known = {"newest": walk["newest"], "open": walk["open"], "walk": None}
            yield Batch({"deployments": rows}, known if is_over else {**mark, "walk": walk})
            if is_over:
                return

    def identity(self, node: Any) -> str:
        return f"{self.source.prefix}-{named(node['databaseId'])}"

    def deployment(self, node: Any) -> Record:
        statuses = node["statuses"]["nodes"]
        found = course([(status["state"], status["createdAt"]) for status in statuses], node["createdAt"])
        if found["status"] == "running" and node.get("state") in ("INACTIVE", "ABANDONED", "DESTROYED"):
            found["status"] = "cancelled"
        ref = node.get("ref") or {}
        return {
            "deployment_id": self.identity(node),
            "service": self.source.owned_service,
            "environment": node["environment"],
            **found,
            "commit_sha": node["commitOid"],
            "version": ref.get("name") if ref.get("prefix") == "refs/tags/" else None,
            "deployed_by": (node.get("creator") or {}).get("login"),
        }

    def mainline(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `tip`, the newest commit of the main line that was read, and `position`, its place on it."""
        mark = mark or {}
        line, is_joined, is_cut = self.line(mark.get("tip"))
        if is_cut:
            self.warnings.append(f"{self.site.name}: {GAP}")
            return
        is_anew = bool(mark.get("tip")) and not is_joined
        if is_anew:
            self.warnings.append(
                f"{self.site.name}: its history was rewritten and no longer holds commit {mark['tip'][:12]}; read anew."
            )
        base = mark.get("position", 0) if is_joined else 0
        changes, releases = [], []
        for position, commit in enumerate(reversed(line), start=base + 1):
            if not self.sieve.readable(COMMIT, [commit], self.placed, **released(self.source.owned_service, "oid")):
                continue
            releases.append(self.commit(commit, position))
            if (change := self.change(commit, position)) is not None:
                changes.append(change)
        if line:
            yield Batch(
                {"changes": changes, "releases": releases},
                {"tip": line[0]["oid"], "position": base + len(line)},
                is_anew,
            )

    def line(self, tip: str | None) -> tuple[list[Any], bool, bool]:
        """The main line's commits, newest first, down to a known one; whether that was met, and whether it is cut.

        It is cut where the next commit cannot be read so far as to say what lies behind it, or may be such a one.
        """
        begin = self.source.begins_at
        commits: dict[str, Any] = {}
        hidden: set[str] = set()
        line: list[Any] = []
        wanted: str | None = None
        branch = self.source.branch or "HEAD"
        for nodes, _ in self.pages(HISTORY, COMMIT, (), branch=branch, since=begin.isoformat() if begin else None):
            wanted = name_of(nodes[0]) if nodes and wanted is None else wanted
            for node in nodes:
                if self.sieve.fits(
                    COMMIT,
                    node,
                    (lambda each: each["oid"].lower(), parent_of),
                    released(self.source.owned_service, "oid"),
                ):
                    commits[node["oid"]] = node
                else:
                    hidden.add(name_of(node))
            while wanted is not None and wanted != tip and wanted in commits:
                line.append(commits.pop(wanted))
                wanted = parent_of(line[-1])
            if wanted is None or wanted == tip or wanted in hidden or self.recall.is_sample:
                break
        is_joined = tip is not None and wanted == tip
        is_cut = wanted in hidden or (NAMELESS in hidden and not self.recall.is_sample)
        return line, is_joined, wanted is not None and not is_joined and is_cut

    def placed(self, commit: Any) -> object:
        """The rows of a commit, wherever it stands."""
        return self.commit(commit, 0), self.change(commit, 0)

    def commit(self, commit: Any, position: int) -> Record:
        """A commit of the main line, which a deployment may name."""
        return {
            "service": self.source.owned_service,
            "version": commit["oid"],
            "commit_sha": commit["oid"],
            "released_at": commit["committedDate"],
            "position": position,
            "kind": "commit",
        }

    def change(self, commit: Any, position: int) -> Record | None:
        """The change that a commit of the main line brought; None: another commit of its pull request stands for it."""
        requests = [request for request in commit["associatedPullRequests"]["nodes"] if request["mergedAt"]]
        if requests and (requests[0].get("mergeCommit") or {}).get("oid") not in (commit["oid"], None):
            return None
        service, place = self.source.owned_service, {"commit_sha": commit["oid"], "position": position}
        if requests:
            return {**self.pull_request(requests[0], service), **place}
        author = commit.get("author") or {}
        login = (author.get("user") or {}).get("login") or author.get("email") or author.get("name") or ""
        return {
            "change_id": f"{service}-{commit['oid'][:12]}",
            "service": service,
            "authored_at": commit["authoredDate"],
            "merged_at": commit["committedDate"],
            "author": login,
            "lines_added": commit["additions"],
            "lines_deleted": commit["deletions"],
            "files_changed": commit["changedFilesIfAvailable"],
            "is_bot": is_bot(author.get("name") or "", author.get("email") or ""),
            "is_revert": is_revert(commit["message"]),
            **place,
        }

    def pull_request(self, request: Any, service: str) -> dict[str, Any]:
        author = request.get("author") or {}
        first = [node["commit"]["authoredDate"] for node in request["commits"]["nodes"]]
        return {
            "change_id": f"{self.source.repository}#{request['number']}",
            "service": service,
            "authored_at": min([request["createdAt"], *first], key=instant),
            "merged_at": request["mergedAt"],
            "author": author.get("login"),
            "lines_added": request["additions"],
            "lines_deleted": request["deletions"],
            "files_changed": request["changedFiles"],
            "is_bot": author.get("__typename") == "Bot" or is_bot(author.get("login") or "", ""),
            "is_revert": is_revert(request["title"]),
        }

    def releases(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `newest`, when the newest known release was made. What is new is read in one batch."""
        stop, newest = stop_of(mark or {}, self.source.begins_at), None
        found: list[Any] = []
        made = (lambda node: moment(node["createdAt"]), lambda node: self.release(node, {}))
        for nodes, _ in self.pages(RELEASES, RELEASE, made, about=released(self.source.owned_service, "tagName")):
            newest = newest or (nodes[0]["createdAt"] if nodes else None)
            fresh = [node for node in nodes if stop is None or node["createdAt"] >= stop]
            found += [node for node in fresh if not node["isDraft"]]
            if len(fresh) < len(nodes):
                break
        commits = [sha for node in found if (sha := self.release(node, {})["commit_sha"])]
        places = self.recall.places(self.source.owned_service, commits)
        yield Batch({"releases": [self.release(node, places) for node in found]}, {"newest": newest or stop})

    def release(self, node: Any, places: Mapping[str, int]) -> Record:
        sha = (node.get("tagCommit") or {}).get("oid")
        return {
            "service": self.source.owned_service,
            "version": node["tagName"],
            "commit_sha": sha,
            "released_at": node["publishedAt"] or node["createdAt"],
            "position": places.get(sha) if sha else None,
            "kind": "tag",
        }

    def issues(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `updated`, when the last issue that was read was last changed."""
        mark = mark or {}
        begin = self.source.begins_at
        since = mark.get("updated") or (begin.isoformat() if begin else None)
        labels = list(self.source.incident_labels)
        made = (lambda node: moment(node["updatedAt"]), self.incident)
        for nodes, _ in self.pages(ISSUES, ISSUE, made, about={"incident_id": self.issue}, labels=labels, since=since):
            if nodes:
                since = nodes[-1]["updatedAt"]
            yield Batch({"incidents": [self.incident(node) for node in nodes]}, {"updated": since})

    def issue(self, node: Any) -> str:
        return f"{self.source.repository}#{named(node['number'])}"

    def incident(self, node: Any) -> Record:
        labels = [label["name"] for label in node["labels"]["nodes"]]
        return {
            "incident_id": self.issue(node),
            "service": self.source.owned_service,
            "started_at": node["createdAt"],
            "resolved_at": node["closedAt"],
            "severity": severity_of(labels),
        }


def course(states: Sequence[tuple[str, str]], made_at: str) -> dict[str, Any]:
    """When a deployment began and ended, and how, by the states that it went through.

    Parameters
    ----------
    states
        Each with its instant, in any order.
    made_at
        When it was made: its beginning, where none is told before its end.

    >>> course([("IN_PROGRESS", "10:01"), ("SUCCESS", "10:05"), ("IN_PROGRESS", "10:06")], "10:00")
    {'started_at': '10:01', 'finished_at': '10:05', 'status': 'succeeded'}
    """
    last = max((at for state, at in states if state in ENDED), default=None)
    begins = [at for state, at in states if state == "IN_PROGRESS" and (last is None or at <= last)]
    outcomes = {ENDED[state] for state, _ in states if state in ENDED}
    is_over = any(state == "INACTIVE" for state, _ in states)
    ended_by = "failed" if "failed" in outcomes else "succeeded" if outcomes else None
    return {
        "started_at": min(begins, default=made_at),
        "finished_at": last,
        "status": ended_by or ("cancelled" if is_over else "running"),
    }


def went_wrong(answer: Any) -> bool:
    """Whether GitHub gave a query up that was right, as one that took too long; it says so with the status 200.

    >>> went_wrong({"data": None, "errors": [{"message": "Something went wrong while executing your query."}]})
    True
    """
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return isinstance(first, dict) and str(first.get("message", "")).startswith("Something went wrong")


def name_of(commit: Any) -> str:
    """A commit's name; `NAMELESS`, if it has none that can be read."""
    found = commit.get("oid") if isinstance(commit, dict) else None
    return found if isinstance(found, str) else NAMELESS


def parent_of(commit: Any) -> str | None:
    """The commit before it on the main line; None: it is the first."""
    parents = commit["parents"]["nodes"]
    return str(parents[0]["oid"]) if parents else None


def severity_of(labels: Sequence[str]) -> str | None:
    """The first label that names a severity."""
    return next((label for label in labels if label.lower().startswith(SEVERITIES)), None)


def stop_of(mark: Mark, begin: datetime | None) -> str | None:
    """The time of the oldest record that is wanted; None: all are."""
    newest, still_open = mark.get("newest"), mark.get("open")
    if newest is None:
        return None if begin is None else text_of(begin)
    oldest = instant(newest) - OVERLAP
    if still_open:
        oldest = min(oldest, max(instant(still_open), instant(newest) - UNFINISHED))
    return text_of(oldest if begin is None else max(oldest, begin))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

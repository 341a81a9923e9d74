"""Argo CD, asked through the REST API of its server (`/api/v1`) for applications and the history of each.

- A synchronisation of a whole application that succeeded is a deployment: its history has when it began and ended.
- The last operation of an application that failed is a failed deployment. An earlier one that failed between two
  readings leaves no trace, so that these are the fewest there can have been. What still runs is read when it has ended.
- Going back, within a fortnight, to what was deployed before and was not rolled back itself, is a rollback of the
  deployment that it replaces. What is compared is the revision with all that the source says, such as image tags.
- The revision is a commit of the repository that the manifests are in. The version is the tag of the image that is
  called as the service is, which Argo CD tells of the newest synchronisation alone; else a chart's version.
- Where the source wants them, the sync windows of the projects of these applications are read too.
- Argo CD forgets all but the last ten synchronisations (`revisionHistoryLimit`). What was read stays.

The list of applications gives no history, so that of each is asked for by itself, where its last operation is another
than at the last reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, NothingThere
from shipcast.ingest.remote.listing import Batch, Listing, Mark, Recall, Record
from shipcast.ingest.remote.misfits import Kind, Sieve, moment, number_of
from shipcast.ingest.remote.site import Site
from shipcast.ingest.remote.sync_windows import SyncWindow, Target
from shipcast.ingest.version_history import ROLLBACK_DAYS
from shipcast.settings.sources import ArgocdSource, name_here

TOGETHER = 25  # applications in one batch
REMEMBERED = 20  # synchronisations of one application, to tell a rollback
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
FIELDS = ",".join(
    f"items.{name}"
    for name in (
        "metadata.name",
        "metadata.namespace",
        "metadata.labels",
        "spec.project",
        "spec.destination.namespace",
        "spec.destination.server",
        "spec.destination.name",
        "status.operationState.phase",
        "status.operationState.startedAt",
        "status.operationState.finishedAt",
    )
)
WINDOWS = ("metadata.name", "spec.syncWindows")  # of a project
SYNCHRONISATION = Kind("deployments", ("id", "revision", "deployStartedAt", "deployedAt"))
OPERATION = Kind("deployments", ("phase", "startedAt", "finishedAt"))
APPLICATION = Kind("deployments", ("metadata.name", "metadata.namespace"))
RIGHT = "p, role:shipcast, projects, get, *, allow"


@dataclass
class Argocd:
    """The applications of one server, or of one project on it."""

    source: ArgocdSource
    site: Site
    recall: Recall
    warnings: list[str] = field(default_factory=list)
    sieve: Sieve = field(default_factory=Sieve)

    def __post_init__(self) -> None:
        self.is_listed_whole = True
        self.site.carry()
        self.site.advice = "Its role needs the right applications, get (policy.csv: p, ROLE, applications, get, */*)."

    def listings(self) -> Sequence[Listing]:
        return [Listing("applications", ("deployments",), self.applications)]

    def applications(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `known`, by application the operation that was read last, and what tells a rollback."""
        known = (mark or {}).get("known", {})
        listed = {name_of(each): each for each in self.listed}
        placed = {name: place for name, each in listed.items() if (place := self.place(each)) is not None}
        self.tell_unplaced([name for name in listed if name not in placed])
        known = {name: seen for name, seen in known.items() if name in listed}
        changed = [name for name in sorted(placed) if known.get(name, {}).get("stamp") != stamp_of(listed[name])]
        for begin in range(0, len(changed), TOGETHER):
            rows = list[Record]()
            for name in changed[begin : begin + TOGETHER]:
                if (whole := self.whole(listed[name])) is not None:
                    found, known[name] = self.read(whole, placed[name], known.get(name, {}))
                    known[name]["stamp"] = stamp_of(listed[name])
                    rows += found
            yield Batch({"deployments": rows}, {"known": {**known}})

    @cached_property
    def listed(self) -> list[Any]:
        """The applications that can be read, of each what its list tells."""
        projects = [self.source.project] if self.source.project else None
        wanted = {"fields": FIELDS, "projects": projects, "selector": self.source.selector}
        found = self.items("api/v1/applications", wanted)
        made = (name_of, project_of, stamp_of, self.place)
        readable = self.sieve.readable(APPLICATION, found, *made)
        self.is_listed_whole = len(readable) == len(found)
        return readable

    def all_names(self) -> dict[str, set[str]]:
        """See `Naming`: of all applications."""
        places = [place for each in self.listed if (place := self.place(each)) is not None]
        labels = {label for each in self.listed for label in each["metadata"].get("labels") or {}}
        services, environments = ({place[part] for place in places} for part in (0, 1))
        return {"service": services, "environment": environments, "label": labels}

    def items(self, path: str, wanted: Mapping[str, Any]) -> list[Any]:
        found = self.site.get(path, wanted).data
        if not isinstance(found, dict) or "items" not in found:
            raise AnswerUnusable(f"{self.site.name}: Argo CD answers with something that is no list.")
        return found["items"] or []

    def sync_windows(self) -> list[SyncWindow] | None:
        """Those of the projects whose applications say what they deploy; see `Windowed`.

        Without a right to applications Argo CD lists none, which must not look as if all windows were gone.
        """
        if not self.source.sync_windows:
            return None
        if not self.listed or not self.is_listed_whole:
            which = "no application is listed" if not self.listed else "an application cannot be read"
            self.warnings.append(f"{self.site.name}: {which}, so that the last sync windows stay.")
            return None
        targets: dict[str, list[Target]] = {}
        for each in self.listed:
            if (place := self.place(each)) is not None and (target := self.target(each, place)) is not None:
                targets.setdefault(project_of(each), []).append(target)
        try:
            found = self.windows(targets.keys())
        except NothingThere as error:  # its applications cannot be synchronised at all, whatever its windows were
            self.warnings.append(f"{error.detail} A project of its applications is gone; the last sync windows stay.")
            return None
        return [
            SyncWindow(project, number, given, tuple(targets[project]))
            for project, windows in sorted(found.items())
            for number, given in enumerate(windows)
        ]

    def target(self, application: Any, place: tuple[str, str]) -> Target | None:
        """What windows choose an application by; None: its service or its environment is left out."""
        service = name_here(self.source.services, place[0])
        environment = name_here(self.source.environments, place[1])
        meta, where = application["metadata"], (application.get("spec") or {}).get("destination") or {}
        namespace, server, cluster = (where.get(key) or "" for key in ("namespace", "server", "name"))
        found = Target(meta["name"], namespace, server, cluster, service, environment)
        return found if service and environment else None

    def windows(self, projects: Collection[str]) -> dict[str, list[Any]]:
        """The windows of these projects.

        Argo CD leaves out of its list what the token may not see, so that what is missing there is asked for by itself.
        """
        found = {} if self.source.project else self.listed_windows()
        own = {name: found[name] if name in found else self.windows_of(name) for name in projects}
        return {name: [*windows, *self.inherited(name)] for name, windows in own.items()}

    def inherited(self, project: str) -> list[Any]:
        """The windows that a project has of global ones; of a server that knows no such thing, none."""
        with self.allowed(project):
            try:
                items = self.items(f"api/v1/projects/{quote(project, safe='')}/globalprojects", {})
            except NothingThere:
                return []
            return [window for each in items for window in windows_in(each)]

    def listed_windows(self) -> dict[str, list[Any]]:
        """The windows of all projects that the token sees."""
        try:
            items = self.items("api/v1/projects", {"fields": ",".join(f"items.{name}" for name in WINDOWS)})
        except CredentialsRefused:
            return {}
        return {each["metadata"]["name"]: windows_in(each) for each in items}

    def windows_of(self, project: str) -> list[Any]:
        """The own windows of one project.

        Raises
        ------
        NothingThere
            There is no such project.
        """
        with self.allowed(project):
            path = f"api/v1/projects/{quote(project, safe='')}"
            return windows_in(self.site.get(path, {"fields": ",".join(WINDOWS)}).data)

    @contextmanager
    def allowed(self, project: str) -> Iterator[None]:
        """Within the block, a refusal says which right is missing."""
        try:
            yield
        except CredentialsRefused as error:
            raise CredentialsRefused(
                f"{error.detail} To read the sync windows of the project {project}, its role needs the right: {RIGHT}.",
                next_step="Give it that (policy.csv), or leave sync_windows out.",
            ) from error

    def seen_windows(self) -> int | None:
        """How many windows the token sees; see `Windowed`."""
        project = self.source.project
        found = {project: self.windows_of(project)} if project else self.listed_windows()
        return sum(map(len, found.values())) if found else None

    def whole(self, application: Any) -> Any | None:
        """All of an application; None: it is gone, or this token may not see it, which Argo CD does not tell apart."""
        meta = application["metadata"]
        asked = {"appNamespace": meta.get("namespace"), "project": (application.get("spec") or {}).get("project")}
        try:
            found = self.site.get(f"api/v1/applications/{quote(meta['name'], safe='')}", asked).data
        except (NothingThere, CredentialsRefused):
            self.warnings.append(f"{self.site.name}: the application {meta['name']} could not be read.")
            return None
        named = {"application": name_of(application)}
        readable = self.sieve.readable(APPLICATION, [found], name_of, status_of, **named)
        return readable[0] if readable else None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """How names are read."""
        text = re.escape(self.source.pattern)
        for part in ("service", "environment"):
            text = text.replace(rf"\{{{part}\}}", f"(?P<{part}>.+)", 1)
        return re.compile(text)

    def place(self, application: Any) -> tuple[str, str] | None:
        """What an application deploys, and where to; None: neither labels nor its name say it."""
        meta = application["metadata"]
        labels, found = meta.get("labels") or {}, self.pattern.fullmatch(meta["name"])
        named = found.groupdict() if found else {}
        service = labels.get(self.source.service_label) if self.source.service_label else named.get("service")
        environment = self.source.environment or (
            labels.get(self.source.environment_label) if self.source.environment_label else named.get("environment")
        )
        return (service, environment) if service and environment else None

    def tell_unplaced(self, names: Sequence[str]) -> None:
        if names:
            count = "1 application" if len(names) == 1 else f"{len(names):,} applications"
            self.warnings.append(
                f"{self.site.name}: {count} left out, of which neither labels nor names like "
                f"{self.source.pattern!r} say the service and environment; the first: {min(names)}."
            )

    def read(self, application: Any, place: tuple[str, str], seen: Mapping[str, Any]) -> tuple[list[Record], Mark]:
        """The rows of what is new in an application, and what is to be remembered of it."""
        uid, status = application["metadata"].get("uid"), status_of(application)
        is_same = seen.get("uid") == uid
        last, past = (seen["last"], [*seen["past"]]) if is_same else (-1, list[Any]())
        rows, service = list[Record](), place[0]
        history = sorted(self.synchronisations(application, place), key=lambda each: each["id"])
        newest_start = instant(past[-1]["at"]) if past else None
        for entry in history:
            if entry["id"] <= last and (newest_start is None or instant(start_of(entry)) <= newest_start):
                continue  # ids begin anew where the history was emptied
            row = self.synchronisation(application, place, entry)
            if (replaced := rolled_back(past, row, kind_of(entry))) is not None:
                row["rollback_of"] = self.identity(application, replaced)
            if entry is history[-1]:
                row["version"] = tag_of((status.get("summary") or {}).get("images") or (), service) or row["version"]
            rows.append(row)
        failed = self.failures(application, place)
        newest = history[-1]["id"] if history else last
        begin = self.source.begins_at
        return (
            [row for row in [*rows, *failed] if begin is None or instant(row["started_at"]) >= begin],
            {"uid": uid, "last": newest, "past": past[-REMEMBERED:]},
        )

    def synchronisation(self, application: Any, place: tuple[str, str], entry: Any) -> dict[str, Any]:
        return self.deployment(application, place, start_of(entry), "succeeded", entry["deployedAt"], entry, entry)

    def synchronisations(self, application: Any, place: tuple[str, str]) -> list[Any]:
        """The entries of its history that can be read."""

        def made(entry: Any) -> object:
            row = self.synchronisation(application, place, entry)
            return number_of(entry["id"]), moment(row["started_at"]), moment(row["finished_at"]), kind_of(entry)

        entries = status_of(application).get("history") or ()
        about = {"application": name_of(application), "deployment_id": self.starting(application, start_of)}
        return self.sieve.readable(SYNCHRONISATION, entries, made, **about)

    def failures(self, application: Any, place: tuple[str, str]) -> list[Record]:
        """Its last operation, if that failed and can be read."""

        def made(state: Any) -> object:
            return [moment(row["started_at"]) for row in self.failure(application, place, state)]

        states = [status_of(application).get("operationState") or {}]
        start = self.starting(application, lambda state: str(state["startedAt"]))
        about = {"application": name_of(application), "deployment_id": start}
        readable = self.sieve.readable(OPERATION, states, made, **about)
        return [row for state in readable for row in self.failure(application, place, state)]

    def failure(self, application: Any, place: tuple[str, str], state: Any) -> list[Record]:
        """The last operation, if it was to synchronise the whole application and failed."""
        operation = state.get("operation") or {}
        sync = operation.get("sync") or {}
        if state.get("phase") not in ("Failed", "Error") or sync.get("resources") or sync.get("dryRun"):
            return []
        result, end = state.get("syncResult") or {"revision": sync.get("revision")}, state.get("finishedAt")
        return [self.deployment(application, place, state["startedAt"], "failed", end, result, operation)]

    def deployment(
        self, application: Any, place: tuple[str, str], start: str, status: str, end: str | None, what: Any, by: Any
    ) -> dict[str, Any]:
        revisions = what.get("revisions") or [what.get("revision")]
        commits, versions = split(revision for revision in revisions if revision)
        return {
            "deployment_id": self.identity(application, start),
            "service": place[0],
            "environment": place[1],
            "started_at": start,
            "finished_at": end,
            "status": status,
            "commit_sha": commits[0] if len(commits) == 1 else None,
            "version": versions[0] if len(versions) == 1 else None,
            "deployed_by": (by.get("initiatedBy") or {}).get("username") or None,
        }

    def starting(self, application: Any, start: Callable[[Any], str]) -> Callable[[Any], str]:
        """What an item of it is called that says its start."""

        def identity(item: Any) -> str:
            moment(start(item))
            return self.identity(application, start(item))

        return identity

    def identity(self, application: Any, start: str) -> str:
        """What a synchronisation is called: by its start, which its history and its operation both have."""
        return f"{self.source.prefix}/{name_of(application)}@{start}"


def rolled_back(past: list[Any], row: Record, kind: str) -> str | None:
    """When that was begun which a deployment rolls back; None: it goes on. The deployment is added to the past.

    >>> def start(day): return {"started_at": f"2025-03-{day:02}T10:00:00Z"}
    >>> past = []
    >>> [rolled_back(past, start(day), kind) for day, kind in enumerate("ABAB", 1)]
    [None, None, '2025-03-02T10:00:00Z', None]
    """
    before = past[-1] if past else None
    same = next((each for each in reversed(past) if each["kind"] == kind), None)
    now = {"at": row["started_at"], "kind": kind, "back": False}
    past.append(now)
    if before is None or same is None or same is before or same["back"]:
        return None
    if instant(now["at"]) - instant(before["at"]) > timedelta(days=ROLLBACK_DAYS):
        return None
    before["back"] = True
    return str(before["at"])


def start_of(entry: Any) -> str:
    return str(entry.get("deployStartedAt") or entry["deployedAt"])


def kind_of(entry: Any) -> str:
    """What tells a synchronisation from those that deployed something else."""
    said = [entry.get(name) for name in ("revision", "revisions", "source", "sources")]
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).hexdigest()


def status_of(application: Any) -> Mapping[str, Any]:
    """What is said of its state, with a list of synchronisations where there is one.

    Raises
    ------
    TypeError
        It is something else.
    """
    status = application.get("status") or {}
    if not isinstance(status, dict) or not isinstance(status.get("history") or [], list):
        raise TypeError("its status is no object")
    return status


def stamp_of(application: Any) -> list[Any]:
    """What changes with each operation of an application."""
    state = status_of(application).get("operationState") or {}
    return [state.get("startedAt"), state.get("finishedAt"), state.get("phase")]


def project_of(application: Any) -> str:
    """The project of an application; one that names none is of `default`."""
    return str((application.get("spec") or {}).get("project") or "default")


def windows_in(project: Any) -> list[Any]:
    """The sync windows of a project."""
    found = (project.get("spec") or {}).get("syncWindows") or []
    if not isinstance(found, list):
        raise TypeError("the sync windows are no list")
    return found


def name_of(application: Any) -> str:
    meta = application["metadata"]
    return "/".join(filter(None, (meta.get("namespace"), meta["name"])))


def split(revisions: Iterator[str]) -> tuple[list[str], list[str]]:
    """The revisions that are commits, and the others, such as versions of charts."""
    commits, others = list[str](), list[str]()
    for revision in dict.fromkeys(revisions):
        (commits if COMMIT.fullmatch(revision) else others).append(revision)
    return commits, others


def tag_of(images: Sequence[str], name: str) -> str | None:
    """The tag of the images of that name; None: there is none, or several, as while one replaces another.

    >>> tag_of(["quay.io:443/acme/shop:1.4.2@sha256:ab", "envoy:1.3"], "shop")
    '1.4.2'
    """
    parts = [image.partition("@")[0].rsplit("/", 1)[-1].partition(":") for image in images]
    tags = {tag for called, _, tag in parts if called == name and tag}
    return tags.pop() if len(tags) == 1 else None


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

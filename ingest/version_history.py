"""What the history of a GitOps repository deployed, in one pass from its oldest commit to its newest.

A deployment is a commit of the first-parent line that changes the version of a service in an environment:

- It happens when it reaches the line: a merge brings what its branch changed, with the merge's date, and what a branch
  tried before it was merged was never deployed.
- The first version of a service is a deployment, and so is the first one after its file (or key) was taken away. The
  taking away is none. A renamed file is a service taken away and another one that begins.
- A file that cannot be read deploys nothing; the next one that can is compared with the version deployed last.
- It is a rollback if its version is lower than the one deployed before it, not more than a fortnight earlier; that one
  is then rolled back. Versions without an order tell nothing, unless a return to the version before is asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from shipcast.ingest.errors import NothingToLoad
from shipcast.ingest.files import counted
from shipcast.ingest.instants import EARLIEST, instant, latest
from shipcast.ingest.layout import PLACEHOLDERS, Content, Finder, Layout, Names, Unreadable, glob
from shipcast.ingest.piece import Piece, Row, piece_of, pieces_of
from shipcast.ingest.repository import Blobs, Commit, FileChange, Repository
from shipcast.ingest.versions import commit_in, is_lower, version_in

ROLLBACK_DAYS = 14  # a lower version that comes later is a change like any other
KEPT_CONTENTS = 4_096
TOLD_COMMITS = 20_000
SHOWN_FAULTS = 3
DEPLOYMENTS = ("deployment_id", "service", "environment", "started_at", "status", "commit_sha", "version",
               "rollback_of", "deployed_by", "commit", "path")  # fmt: skip
HOLDS = ("service", "environment", "at", "active", "kind", "commit", "path")
TRUE = frozenset({"true", "yes", "on", "y", "t", "1"})
FALSE = frozenset({"false", "no", "off", "n", "f", "0"})

Target = tuple[str, str]  # environment, service
Value = TypeVar("Value")


@dataclass(slots=True)
class Deployment:
    """A version that reached an environment.

    Parameters
    ----------
    seconds
        When its commit reached the main line, since 1970 in UTC.
    line
        Its place among all rows that the history gave.
    previous
        The version before it.
    is_told
        Whether the database has the row as it stands here.
    """

    target: Target
    deployment_id: str
    version: str
    seconds: int
    line: int
    previous: str | None = None
    status: str = "succeeded"
    rollback_of: str | None = None
    deployed_by: str | None = None
    commit: str = ""
    path: str = ""
    is_told: bool = False

    @property
    def row(self) -> Row:
        environment, service = self.target
        started_at, commit_sha = instant(self.seconds), commit_in(self.version)
        return (self.line, self.deployment_id, service, environment, started_at, self.status, commit_sha, self.version,
                self.rollback_of, self.deployed_by, self.commit, self.path)  # fmt: skip


@dataclass(frozen=True)
class Flag:
    """A flag whose switches are holds: a service is held while what is found has the value."""

    key: str
    value: str
    find: Finder

    def states(self, content: Content) -> list[tuple[Names, bool]]:
        return [(names, canonical(value) == self.value) for names, value in self.find(content)]


@dataclass(frozen=True)
class Findings:
    """What a content says: versions and held flags with the names beside them, or why nothing can be read in it."""

    versions: tuple[tuple[Names, str], ...] = ()
    flags: tuple[tuple[Names, bool], ...] = ()
    fault: str | None = None


Find = Callable[[str, bool], Findings]


@dataclass
class Start:
    """Where a pass begins.

    Parameters
    ----------
    since
        The commit up to which the history was read before; None: from its beginning.
    position
        How many rows it gave so far.
    last, held
        The newest deployment, and whether deployments are held, of each service in each environment so far.
    """

    since: str | None = None
    position: int = 0
    last: dict[Target, Deployment] = field(default_factory=dict)
    held: dict[Target, bool] = field(default_factory=dict)


@dataclass
class VersionHistory:
    """One pass over the history; its counts say what was met, once the rows were read.

    Parameters
    ----------
    person
        Who carried out a commit, as it is to be stored.
    has_returns
        Whether going back to the version before is a rollback where versions have no order.
    now
        The wall clock, UTC.

    Attributes
    ----------
    position
        How many rows the history gave, those of earlier passes included.
    files, faults, unordered
        Changed files that the layout names, those of them that could not be read, and deployments whose version has no
        order with the one before.
    """

    repository: Repository
    layout: Layout
    flag: Flag | None
    tip: str
    start: Start
    person: Callable[[Commit], str]
    progress: Callable[[str], None]
    now: datetime
    has_returns: bool = False
    position: int = 0
    files: int = 0
    faults: int = 0
    unordered: int = 0
    first_faults: list[str] = field(default_factory=list)
    switches: list[Row] = field(default_factory=list)
    has_versions: bool = False

    def __post_init__(self) -> None:
        self.position = self.start.position
        self.last, self.held = self.start.last, self.start.held
        self.latest = latest(self.now)

    def deployments(self) -> Iterator[Piece]:
        """The rows of the deployments; each leaves only when the next of its service is known, and so is complete."""
        yield from pieces_of((deployment.row for deployment in self.finished()), DEPLOYMENTS)

    def holds(self) -> Iterator[Piece]:
        """The rows of the switches that the pass over the deployments met."""
        yield piece_of(self.switches, HOLDS)

    def finished(self) -> Iterator[Deployment]:
        with self.repository.blobs() as blobs:
            find = self.finder(blobs)
            commits = self.repository.mainline(self.tip, self.start.since, [glob(self.layout.path)])
            for number, commit in enumerate(commits, start=1):
                for file in commit.files:
                    yield from self.taken(commit, file, find)
                if number % TOLD_COMMITS == 0:
                    self.progress(f"{self.repository.label}: {number:,} commits read")
        self.check_sense()
        yield from (deployment for deployment in self.last.values() if not deployment.is_told)

    def finder(self, blobs: Blobs) -> Find:
        """What a blob says, by its name; the next commit asks for the same one again, so some are kept."""

        @lru_cache(KEPT_CONTENTS)
        def find(name: str, is_json: bool) -> Findings:
            data = blobs.content(name)
            if data is None:
                return Findings(fault="its content is too large, or not in this clone")
            try:
                return self.findings(Content(data, is_json))
            except Unreadable as error:
                return Findings(fault=str(error))

        return find

    def findings(self, content: Content) -> Findings:
        found = [(names, version_in(text)) for names, text in self.layout.find(content)]
        versions = tuple((names, version) for names, version in found if version)
        return Findings(versions, tuple(self.flag.states(content)) if self.flag else ())

    def taken(self, commit: Commit, file: FileChange, find: Find) -> Iterator[Deployment]:
        """What one changed file deploys."""
        names = self.layout.names(file.path)
        if names is None or file.after is None:
            return
        self.files += 1
        is_json = file.path.lower().endswith(b".json")
        path = file.path.decode("utf-8", "backslashreplace")
        after = find(file.after, is_json)
        if after.fault:
            self.note(f"{commit.sha[:12]}:{path}: {after.fault}")
            return
        before = find(file.before, is_json) if file.before else Findings()
        self.has_versions |= bool(after.versions)
        self.switch(commit, path, names, before, after)
        for target, version in by_target(names, after.versions).items():
            if version != self.version_before(target, names, before) and not self.begins_with(commit):
                yield from self.deployed(target, version, commit, path)

    def version_before(self, target: Target, names: Names, before: Findings) -> str | None:
        if before.fault is None:
            return by_target(names, before.versions).get(target)
        return self.last[target].version if target in self.last else None

    def begins_with(self, commit: Commit) -> bool:
        """Whether a shallow clone's history begins here: what lies in it was deployed earlier, nobody knows when."""
        return commit.sha in self.repository.boundary

    def deployed(self, target: Target, version: str, commit: Commit, path: str) -> Iterator[Deployment]:
        """Note a deployment; the one before it is finished, now that it is known what came next."""
        self.position += 1
        new = Deployment(target, f"{'/'.join(target)}@{commit.sha[:12]}", version, commit.committed, self.position,
                         deployed_by=self.person(commit), commit=commit.sha, path=path)  # fmt: skip
        if not self.is_usable(target, commit):
            yield new
            return
        before = self.last.get(target)
        self.last[target] = new
        if before:
            self.compare(new, before)
            if not before.is_told:
                yield before

    def is_usable(self, target: Target, commit: Commit) -> bool:
        """Whether the row will pass the rules; one that the quarantine takes is nobody's predecessor."""
        return all(target) and EARLIEST <= commit.committed <= self.latest

    def compare(self, new: Deployment, before: Deployment) -> None:
        """Note whether a deployment rolls back the one before it."""
        new.previous = before.version
        is_back = is_lower(new.version, before.version)
        if is_back is None:
            self.unordered += 1
            is_back = self.has_returns and new.version == before.previous
        if is_back and new.seconds - before.seconds <= ROLLBACK_DAYS * 86_400:
            new.rollback_of = before.deployment_id
            before.status, before.is_told = "rolled_back", False

    def switch(self, commit: Commit, path: str, names: Names, before: Findings, after: Findings) -> None:
        """Note where the flag was set or unset, or is seen for the first time; without a flag nothing is held."""
        states, past = by_target(names, after.flags), by_target(names, before.flags)
        for target in {**past, **states}:
            was = past.get(target) if before.fault is None else self.held.get(target)
            now = states.get(target, False)
            if now == was:
                continue
            self.position += 1
            environment, service = target
            facts = (instant(commit.committed), str(now).lower(), self.flag.key if self.flag else None)
            self.switches.append((self.position, service, environment, *facts, commit.sha, path))
            if self.is_usable(target, commit):
                self.held[target] = now

    def note(self, fault: str) -> None:
        self.faults += 1
        if len(self.first_faults) < SHOWN_FAULTS:
            self.first_faults.append(fault)

    def check_sense(self) -> None:
        """Nothing, if a pass from the beginning found files, and a version in one of them.

        Raises
        ------
        NothingToLoad
            It did not: the layout is not the repository's.
        """
        if self.start.since is not None or self.has_versions:
            return
        if not self.files:
            raise NothingToLoad(
                f"{self.repository.label}: no file of its history has a path like {self.layout.path!r}.",
                next_step="Write the path from the repository's top, with {environment} and {service} in their places.",
            )
        files = f"{counted(self.files, 'file')} like {self.layout.path!r}"
        first = f"; the first, {self.first_faults[0]}" if self.first_faults else ""
        raise NothingToLoad(
            f"{self.repository.label}: none of {files} names a version{first}.",
            next_step="Say where the version stands: --key image.tag, or --pattern 'tag: (.*)'.",
        )


def by_target(names: Names, found: tuple[tuple[Names, Value], ...]) -> dict[Target, Value]:
    """What was found in a file, by environment and service; of several for one the first counts."""
    values: dict[Target, Value] = {}
    for beside, value in found:
        if target := target_of({**names, **beside}):
            values.setdefault(target, value)
    return values


def target_of(names: Mapping[str, str]) -> Target | None:
    """Environment and service; None where one of them was not found."""
    found = [names[name].strip() for name in PLACEHOLDERS if name in names]
    return (found[0], found[1]) if len(found) == len(PLACEHOLDERS) else None


def canonical(value: str) -> str:
    lowered = value.strip().lower()
    return "true" if lowered in TRUE else "false" if lowered in FALSE else lowered

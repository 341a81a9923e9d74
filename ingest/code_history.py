"""The changes and releases of a service from the history of its code.

- A change is a commit of the branch that is no merge. It is merged when the commit of the main line that brought it
  was committed, and has that one's position: a merge brings what its branches had gathered, a squashed or pushed commit
  itself. The commit at which a shallow clone begins would show all that was before it, and is no change.
- A release holds each change up to its position. That of a tag beside the main line is where its branch left it: what
  is on that branch alone counts for the first release that holds its merge.
- What a change reverts is the commit it names, of a merge all that it brought, else the newest earlier change (or
  merge, by the title in its message) with the subject that it quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from shipcast.ingest.commit_details import Detail, details
from shipcast.ingest.commit_graph import CommitGraph
from shipcast.ingest.errors import NothingToLoad
from shipcast.ingest.files import counted
from shipcast.ingest.instants import instant
from shipcast.ingest.people import is_bot
from shipcast.ingest.piece import Piece, Row, pieces_of
from shipcast.ingest.repository import Repository
from shipcast.ingest.reverts import is_revert, reverted_commits, reverted_subject
from shipcast.ingest.tags import Tag

TOLD_COMMITS = 20_000
CHANGES = ("change_id", "service", "commit_sha", "authored_at", "merged_at", "author", "lines_added", "lines_deleted",
           "files_changed", "is_bot", "is_revert", "position", "reverts")  # fmt: skip
RELEASES = ("service", "version", "commit_sha", "released_at", "position", "kind")
DEPLOYMENTS = ("deployment_id", "service", "environment", "started_at", "status", "commit_sha", "version", "is_proxy")


@dataclass(frozen=True)
class Release:
    """A version of the service, at its place in the history; `line` numbers the rows of its feed."""

    line: int
    version: str
    sha: str
    seconds: int
    position: int | None
    kind: str

    def row(self, service: str) -> Row:
        return self.line, service, self.version, self.sha, instant(self.seconds), self.position, self.kind

    def deployment(self, service: str, environment: str) -> Row:
        """The deployment that the release stands in for."""
        name, started_at = f"{service}@{self.version}", instant(self.seconds)
        return self.line, name, service, environment, started_at, "succeeded", self.sha, self.version, "true"


@dataclass
class CodeHistory:
    """One pass over the history; its counts say what was met, once the rows were read.

    Parameters
    ----------
    since
        The position up to which it was read before.
    offset
        How many commits of the main line are known to lie before a shallow history.
    start
        How many changes it gave before.
    paths
        Glob patterns; what touches none of them is no change of the service. None: all does.

    Attributes
    ----------
    position
        How many changes the history gave, those of earlier passes included.
    read, unmeasured, unlisted
        Changes of this pass, those of unknown lines, and those of unknown files.
    """

    repository: Repository
    graph: CommitGraph
    tip: str
    service: str
    since: int
    offset: int
    start: int
    paths: Sequence[str]
    person: Callable[[str, str], str]
    progress: Callable[[str], None]
    position: int = 0
    read: int = 0
    unmeasured: int = 0
    unlisted: int = 0
    quoting: list[tuple[int, int, Detail]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.position = self.start

    def changes(self) -> Iterator[Piece]:
        return pieces_of(self.change_rows(), CHANGES)

    def change_rows(self) -> Iterator[Row]:
        """The rows of the new changes; those that only quote what they revert come last, when that was looked up."""
        numbers = self.new_changes()
        names = [self.graph.sha(number) for number in numbers]
        for number, detail in zip(numbers, details(self.repository, names, self.paths), strict=True):
            self.read += 1
            if self.read % TOLD_COMMITS == 0:
                self.progress(f"{self.repository.label}: {self.read:,} commits read")
            self.unmeasured += detail.added is None
            self.unlisted += detail.files is None
            if self.paths and not detail.files:
                continue
            self.position += 1
            if not reverted_commits(detail.message) and reverted_subject(detail.message) is not None:
                self.quoting.append((self.position, number, detail))
            else:
                yield self.row(self.position, number, detail, self.named(number, detail))
        self.check_sense()
        quoted = self.quoted()
        for line, number, detail in self.quoting:
            yield self.row(line, number, detail, quoted[number])

    def check_sense(self) -> None:
        """Nothing, if one of the commits read from the beginning touched the paths.

        Raises
        ------
        NothingToLoad
            None did: the paths are not the repository's.
        """
        if self.paths and self.read > self.unlisted and self.since == 0 and self.position == self.start:
            raise NothingToLoad(
                f"{self.repository.label}: none of {counted(self.read, 'commit')} touched a file like "
                f"{', '.join(self.paths)}.",
                next_step="Write the paths from the repository's top, such as --paths 'services/pay/**'.",
            )

    def new_changes(self) -> list[int]:
        """The commits that are changes and were not read before, in an order that no other reading changes."""
        graph, boundary = self.graph, set(self.repository.boundary)
        found = [
            number
            for number, position in enumerate(graph.positions)
            if position > self.since and self.is_change(number) and graph.sha(number) not in boundary
        ]
        return sorted(found, key=self.order)

    def is_change(self, number: int) -> bool:
        return self.graph.positions[number] > 0 and not self.graph.is_merge(number)

    def order(self, number: int) -> tuple[int, int, bytes]:
        return self.graph.positions[number], self.graph.seconds[number], self.graph.names[number]

    def row(self, line: int, number: int, detail: Detail, reverted: Iterable[int]) -> Row:
        position = self.graph.positions[number]
        merged_at = instant(self.graph.seconds[self.graph.mainline[position - 1]])
        reverts = ";".join(self.change_id(other) for other in sorted(reverted, key=self.order))
        flags = [str(flag).lower() for flag in (is_bot(detail.author, detail.mail), is_revert(detail.message))]
        return (
            line, self.change_id(number), self.service, detail.sha, instant(detail.authored), merged_at,
            self.person(detail.author, detail.mail), detail.added, detail.deleted, detail.files, *flags,
            position + self.offset, reverts,
        )  # fmt: skip

    def change_id(self, number: int) -> str:
        return f"{self.service}-{self.graph.sha(number)[:12]}"

    def named(self, number: int, detail: Detail) -> set[int]:
        """The changes that a message names as reverted."""
        found = {self.graph.number(name) for name in reverted_commits(detail.message)}
        return {change for other in found - {None, number} for change in self.taken_back(other)}

    def taken_back(self, number: int | None) -> list[int]:
        """The changes that go when a commit is reverted: of a merge what it brought, else itself."""
        if number is None:
            return []
        gone = self.graph.brought_by(number) if self.graph.is_merge(number) else [number]
        return [other for other in gone if self.is_change(other)]

    def quoted(self) -> dict[int, list[int]]:
        """The changes that each of the quoting ones takes back."""
        wanted = {number: reverted_subject(detail.message) for _, number, detail in self.quoting}
        titled = self.titled({subject for subject in wanted.values() if subject})
        return {
            number: self.taken_back(self.newest_before(number, titled.get(subject or "", [])))
            for number, subject in wanted.items()
        }

    def titled(self, subjects: set[str]) -> dict[str, list[int]]:
        """The commits of the branch that have one of the subjects, or are merges with one as their title."""
        found: dict[str, list[int]] = {}
        arguments = ("log", "-z", "--no-show-signature", "--encoding=UTF-8", "--format=%H%n%B", "--end-of-options")
        for token in self.repository.tokens(*arguments, self.tip, "--") if subjects else ():
            name, *lines = token.decode("utf-8", "replace").splitlines()
            number = self.graph.numbers[bytes.fromhex(name)]
            given = [line for line in lines if line.strip()][: 2 if self.graph.is_merge(number) else 1]
            for title in subjects.intersection(given):
                found.setdefault(title, []).append(number)
        return found

    def newest_before(self, number: int, others: Iterable[int]) -> int | None:
        """The newest of the commits that came before; of those that came together a merge counts as the newest."""
        graph, own = self.graph, self.order(number)
        before = [
            other
            for other in others
            if graph.positions[other] < own[0] or (not graph.is_merge(other) and self.order(other) < own)
        ]
        newest = [(graph.positions[other], graph.is_merge(other), self.order(other), other) for other in before]
        return max(newest)[-1] if newest else None

    def mainline(self, kind: str) -> Iterator[Release]:
        """The new commits of the main line, each a release or what a deployment may name."""
        for position in range(self.since + 1, len(self.graph.mainline) + 1):
            number = self.graph.mainline[position - 1]
            sha, place = self.graph.sha(number), position + self.offset
            yield Release(place, sha, sha, self.graph.seconds[number], place, kind)

    def tagged(self, versions: Iterable[tuple[str, Tag]]) -> Iterator[Release]:
        """The tags that are releases, each with the newest position it holds."""
        for line, (version, tag) in enumerate(versions, start=1):
            number = self.graph.numbers[bytes.fromhex(tag.sha)]
            seconds = self.graph.seconds[number] if tag.seconds is None else tag.seconds
            held = self.graph.reach[number]
            yield Release(line, version, tag.sha, seconds, held + self.offset if held else None, "tag")

"""Changes and releases from a repository of code into the raw tables; what counts as one, `code_history` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from shipcast.ingest.code_history import DEPLOYMENTS, RELEASES, CodeHistory, Release
from shipcast.ingest.commit_graph import CommitGraph, commit_graph
from shipcast.ingest.files import counted, load_parts, silent
from shipcast.ingest.piece import Piece, Row, pieces_of
from shipcast.ingest.reading import Reading, begun
from shipcast.ingest.report import LoadReport
from shipcast.ingest.repository import Repository, opened
from shipcast.ingest.sources import Feed, Part, shown
from shipcast.ingest.tags import Tag, TagTemplate, tags
from shipcast.settings import GitSource, Settings
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.tables import BY_NAME

BEFORE = "select commit_sha, position from raw.releases where _file = ? and epoch(released_at) <= ? order by 2 desc"
ADVICE = "a clone without --filter has them"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Code:
    """The reading of a source, and the changes and releases that it gives.

    Tags are read whole each time, since they may move, and are a source of their own: commits are read on from the last
    one seen.
    """

    reading: Reading
    source: GitSource
    history: CodeHistory
    versions: tuple[tuple[str, Tag], ...]
    has_deployments: bool

    @property
    def by_tags(self) -> bool:
        return self.source.releases == "tags"

    @property
    def has_proxies(self) -> bool:
        """Whether its releases stand in for deployments; unless it is said, those of a named service come elsewhere."""
        return self.source.service is None if self.source.proxy is None else self.source.proxy

    @property
    def name_of_tags(self) -> str:
        return f"{self.reading.name}#tags"

    def parts(self) -> list[Part]:
        """Commits, and with them tags if there are any; and what stands in for deployments."""
        part, history = self.part, self.history
        kind = "commit" if self.by_tags else "merge"
        parts = [
            part(1, "changes", "commits", history.changes),
            part(2, "releases", "commits", lambda: self.releases(history.mainline(kind))),
        ]
        if self.versions:
            parts.append(part(3, "releases", "tags", lambda: self.releases(history.tagged(self.versions))))
        if self.has_proxies and self.versions:
            parts.append(part(4, "deployments", "tags", lambda: self.proxies(history.tagged(self.versions))))
        elif self.has_proxies and not self.by_tags:
            parts.append(part(4, "deployments", "commits", lambda: self.proxies(history.mainline(kind))))
        return parts

    def part(self, number: int, table: str, what: str, pieces: Callable[[], Iterator[Piece]]) -> Part:
        repository, is_addition = self.reading.repository, what == "commits" and self.reading.since is not None
        feed = Feed(self.reading.name if what == "commits" else self.name_of_tags, pieces, is_addition)
        label, given = f"{self.history.service}: {table} of {what}", f"git {repository.name}"
        return Part(BY_NAME[table], self.source.path, label, "feed", given, number, feed=feed)

    def releases(self, found: Iterator[Release]) -> Iterator[Piece]:
        return pieces_of((release.row(self.history.service) for release in found), RELEASES)

    def proxies(self, found: Iterator[Release]) -> Iterator[Piece]:
        rows: Iterator[Row] = (release.deployment(self.history.service, self.source.environment) for release in found)
        return pieces_of(rows, DEPLOYMENTS)

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Remove what is gone and store where the reading stands, within the transaction of its rows."""
        reading = self.reading
        if reading.why:
            reading.remove_vanished(connection, "changes", "merged_at")
            reading.remove_vanished(connection, "releases", "released_at")
        if reading.why and self.has_proxies and not self.by_tags:
            reading.remove_vanished(connection, "deployments", "started_at")
        elif reading.why:
            reading.remove_all(connection, "deployments")
        self.settle_tags(connection)
        reading.keep(connection, self.history.position)

    def settle_tags(self, connection: duckdb.DuckDBPyConnection) -> None:
        for table, time, is_fed in (("releases", "released_at", True), ("deployments", "started_at", self.has_proxies)):
            if is_fed and self.versions:
                self.reading.remove_vanished(connection, table, time, self.name_of_tags)
            else:
                self.reading.remove_all(connection, table, self.name_of_tags)

    def warnings(self) -> Iterator[str]:
        """What a reader of the report should know: what counts as a release, what is a proxy, what is not known."""
        history, label = self.history, self.reading.repository.label
        yield f"{label}: {self.chosen()}."
        if self.has_proxies:
            yield (
                f"{label}: nobody recorded deployments here: each release counts as one to {self.source.environment}, "
                "marked as a proxy wherever it is counted."
            )
        yield from self.reading.warnings("what was changed")
        if history.unmeasured:
            what = "files and lines" if history.unlisted == history.unmeasured else "lines"
            yield (
                f"{label}: of {history.unmeasured:,} of {counted(history.read, 'commit')} the {what} changed are not "
                f"known, since objects are missing ({ADVICE})."
            )
        if history.unlisted and history.paths:
            yield (
                f"{label}: whether {counted(history.unlisted, 'commit')} touched {', '.join(history.paths)} is not "
                "known; they count as no changes."
            )
        if not self.has_proxies and not self.has_deployments:
            yield (
                f"{label}: no deployment of {history.service!r} is known (yet), so its changes land nowhere; load its "
                "deployments, name the service as they do (--service), or let releases stand in for them (--proxy)."
            )

    def chosen(self) -> str:
        """What counts as a release, in words."""
        service = self.history.service
        if not self.by_tags:
            return f"each commit of the main line is a release of {service}, named by its commit (--releases merges)"
        named = "" if self.source.tags == "{version}" else f" named {self.source.tags!r}"
        if not self.versions:
            return f"no tag{named} is there, so no release of {service} is known (see --tags, or --releases merges)"
        return f"{counted(len(self.versions), 'tag')}{named} are the releases of {service} (--releases tags)"


def ingest_git(
    settings: Settings,
    source: GitSource,
    *,
    strict: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Load the changes and releases that a repository's history holds; hold `run_lock` around it.

    Only commits that are new since the last time are read in full, unless the history was rewritten or the source's
    options have changed: then all of them, and what it no longer gives is removed.

    Parameters
    ----------
    strict
        Load nothing if any row is bad.
    dry_run
        Do everything, report it, and keep nothing.

    Raises
    ------
    UsageError
        The template for tags says no version.
    InputRefused
        There is no repository, or git cannot read it.
    ConfigurationError
        There is no git.
    """
    template = TagTemplate(source.tags)
    report = LoadReport(is_dry_run=dry_run)
    with opened(source.path, settings.home) as repository:
        with open_work(settings.home, settings) as connection:
            code = code_of(connection, repository, source, template, progress or silent)
        load_parts(settings, code.parts(), report, strict=strict, progress=progress, within=code.settle)
        report.warnings += code.warnings()
    return report


def code_of(
    connection: duckdb.DuckDBPyConnection,
    repository: Repository,
    source: GitSource,
    template: TagTemplate,
    progress: Progress,
) -> Code:
    """The source's history of code, from where it was read to before."""
    service = source.service or service_of(source.path)
    reading = begun(
        connection, repository, source, f"{repository.name}@{service}", source.branch, has_names=source.names
    )
    found = tags(repository) if source.releases == "tags" else iter(())
    versions = tuple((version, tag) for tag in found if (version := template.version(tag.name)))
    progress(f"{repository.label}: reading the order of its commits")
    graph = commit_graph(repository, reading.tip, [tag.sha for _, tag in versions])
    number = graph.number(reading.since) if reading.since else None
    history = CodeHistory(
        repository, graph, reading.tip, service, 0 if number is None else graph.positions[number],
        offset_of(connection, reading, graph), reading.position, source.paths, reading.person, progress,
    )  # fmt: skip
    known = connection.execute("select 1 from raw.deployments where service = ? limit 1", [service]).fetchall()
    return Code(reading, source, history, versions, bool(known))


def service_of(path: Path) -> str:
    """The name of the repository's folder.

    >>> service_of(Path("/src/shop.git")), service_of(Path("/src/shop/.git"))
    ('shop', 'shop')
    """
    folder = path.resolve()
    return shown((folder.parent if folder.name == ".git" else folder).name.removesuffix(".git"))


def offset_of(connection: duckdb.DuckDBPyConnection, reading: Reading, graph: CommitGraph) -> int:
    """How many commits of the main line lie before a shallow history, as far as an earlier reading knew them."""
    if reading.begin is None:
        return 0
    here = {graph.sha(number) for number in graph.mainline}
    rows = connection.execute(BEFORE, [reading.name, reading.begin]).fetchall()
    return next((position for sha, position in rows if sha not in here and position is not None), 0)

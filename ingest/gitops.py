"""Deployments from a GitOps repository: a commit on its main line that changes a version is one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import duckdb
import polars as pl

from shipcast.ingest.cursors import Cursor, begins_at, cursor_of, keep, why_anew
from shipcast.ingest.errors import NothingToLoad
from shipcast.ingest.files import counted, load_parts, silent
from shipcast.ingest.layout import Content, Finder, Layout, Names, Unreadable, glob, key_of, layout_of
from shipcast.ingest.people import pseudonyms
from shipcast.ingest.piece import ORIGIN, Piece
from shipcast.ingest.report import LoadReport
from shipcast.ingest.repository import Blobs, Commit, FileChange, Repository, opened
from shipcast.ingest.sources import Feed, Part
from shipcast.ingest.versions import commit_in, is_lower, version_in
from shipcast.settings import GitopsSource, Settings
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.tables import BY_NAME

ROLLBACK_DAYS = 14  # a lower version that comes later is a change like any other
BATCH_ROWS = 20_000
KEPT_CONTENTS = 4_096
TOLD_COMMITS = 20_000
DEPLOYMENTS = ("deployment_id", "service", "environment", "started_at", "status", "commit_sha", "version",
               "rollback_of", "deployed_by", "commit", "path")  # fmt: skip
HOLDS = ("service", "environment", "at", "active", "kind", "commit", "path")
TRUE = frozenset({"true", "yes", "on", "y", "t", "1"})
FALSE = frozenset({"false", "no", "off", "n", "f", "0"})
LATEST = """
select environment, service, deployment_id, version, epoch(started_at)::bigint, _line, status, rollback_of, deployed_by
from raw.deployments where _file = ?
qualify row_number() over (partition by environment, service order by _line desc) = 1
"""
HELD = """
select environment, service, active from raw.holds where _file = ?
qualify row_number() over (partition by environment, service order by _line desc) = 1
"""
VANISHED = """
delete from raw.{table} r where _file = ? and ({time} > make_timestamp(?::bigint * 1000000) or ? is null)
and not exists (from scratch.{table} s where {same}) returning 1
"""

RENUMBERED = """
update raw.{table} r set _line = s._line from scratch.{table} s
where r._file = ? and r._line is distinct from s._line and {same}
"""

Progress = Callable[[str], None]
Target = tuple[str, str]  # environment, service
Value = TypeVar("Value")


@dataclass(slots=True)
class Deployment:
    """A version that reached an environment.

    Parameters
    ----------
    line
        Its place among all that the history gave.
    seconds
        When its commit reached the main line, since 1970 in UTC.
    is_told
        Whether the database has the row as it stands here.
    """

    target: Target
    deployment_id: str
    version: str
    seconds: int
    line: int
    status: str = "succeeded"
    rollback_of: str | None = None
    deployed_by: str | None = None
    commit: str = ""
    path: str = ""
    is_told: bool = False

    @property
    def row(self) -> tuple[int | str | None, ...]:
        environment, service = self.target
        started_at, commit_sha = instant(self.seconds), commit_in(self.version)
        return (self.line, self.deployment_id, service, environment, started_at, self.status, commit_sha, self.version,
                self.rollback_of, self.deployed_by, self.commit, self.path)  # fmt: skip


@dataclass(frozen=True)
class Findings:
    """What a content says: versions and held flags with the names beside them, or why nothing can be read in it."""

    versions: tuple[tuple[Names, str], ...] = ()
    flags: tuple[tuple[Names, bool], ...] = ()
    fault: str | None = None


@dataclass(frozen=True)
class Flag:
    """A flag whose switches are holds: a service is held while the key has the value."""

    key: str
    value: str
    find: Finder

    def states(self, content: Content) -> list[tuple[Names, bool]]:
        return [(names, canonical(value) == self.value) for names, value in self.find(content)]


@dataclass
class Reading:
    """One pass over the history: what came of it is in the attributes once the rows were read.

    Parameters
    ----------
    since
        The commit up to which it was read before; None: from the beginning.
    last, held
        The newest deployment, and whether deployments are held, of each service in each environment so far.
    position
        How many rows the history gave so far.
    """

    repository: Repository
    layout: Layout
    flag: Flag | None
    person: Callable[[Commit], str]
    progress: Progress
    tip: str
    since: str | None = None
    last: dict[Target, Deployment] = field(default_factory=dict)
    held: dict[Target, bool] = field(default_factory=dict)
    position: int = 0
    switches: list[tuple[int | str | None, ...]] = field(default_factory=list)
    files: int = 0
    has_versions: bool = False
    unreadable: list[str] = field(default_factory=list)
    faults: int = 0
    missing: int = 0
    unordered: int = 0

    def deployments(self) -> Iterator[Piece]:
        """The rows of the deployments; each is complete, as it leaves only when the next of its service is known."""
        rows = []
        for deployment in self.finished():
            rows.append(deployment.row)
            if len(rows) == BATCH_ROWS:
                yield piece(rows, DEPLOYMENTS)
                rows = []
        yield piece(rows, DEPLOYMENTS)

    def holds(self) -> Iterator[Piece]:
        """The rows of the switches that the pass over the deployments met."""
        yield piece(self.switches, HOLDS)

    def finished(self) -> Iterator[Deployment]:
        with self.repository.blobs() as blobs:
            find = self.finder(blobs)
            commits = self.repository.mainline(self.tip, self.since, [glob(self.layout.path)])
            for number, commit in enumerate(commits, start=1):
                for file in commit.files:
                    yield from self.taken(commit, file, find)
                if number % TOLD_COMMITS == 0:
                    self.progress(f"{self.repository.label}: {number:,} commits read")
        self.check_sense()
        yield from (deployment for deployment in self.last.values() if not deployment.is_told)

    def finder(self, blobs: Blobs) -> Callable[[str, bool], Findings]:
        """What a blob says, by its name; the next commit asks for it again, so some are kept."""

        @lru_cache(KEPT_CONTENTS)
        def find(name: str, is_json: bool) -> Findings:
            data = blobs.content(name)
            if data is None:
                self.missing += 1
                return Findings(fault="its content is not in this clone")
            content = Content(data, is_json)
            try:
                versions = tuple((names, version) for names, text in self.layout.find(content)
                                 if (version := version_in(text)))  # fmt: skip
                return Findings(versions, tuple(self.flag.states(content)) if self.flag else ())
            except Unreadable as error:
                return Findings(fault=str(error))

        return find

    def taken(self, commit: Commit, file: FileChange, find: Callable[[str, bool], Findings]) -> Iterator[Deployment]:
        """What one changed file deploys; a deletion deploys nothing."""
        names = self.layout.names(file.path)
        if names is None or file.after is None:
            return
        self.files += 1
        is_json = file.path.lower().endswith(b".json")
        path = file.path.decode("utf-8", "backslashreplace")
        after = find(file.after, is_json)
        before = find(file.before, is_json) if file.before else Findings()
        if after.fault:
            self.note(f"{commit.sha[:12]}:{path}: {after.fault}")
            return
        self.switch(commit, path, names, before, after)
        self.has_versions |= bool(after.versions)
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
        before = self.last.get(target)
        if before:
            is_back = is_lower(version, before.version)
            self.unordered += is_back is None
            if is_back and new.seconds - before.seconds <= ROLLBACK_DAYS * 86_400:
                new.rollback_of, before.status, before.is_told = before.deployment_id, "rolled_back", False
            if not before.is_told:
                yield before
        self.last[target] = new

    def switch(self, commit: Commit, path: str, names: Names, before: Findings, after: Findings) -> None:
        """Note where the flag was set, unset or is seen for the first time; without the flag nothing is held."""
        states, past = by_target(names, after.flags), by_target(names, before.flags)
        for target in {**past, **states}:
            was = past.get(target) if before.fault is None else self.held.get(target)
            now = states.get(target, False)
            if now != was:
                self.position += 1
                environment, service = target
                kind = self.flag.key if self.flag else ""
                self.held[target] = now
                self.switches.append((self.position, service, environment, instant(commit.committed), str(now).lower(),
                                      kind, commit.sha, path))  # fmt: skip

    def note(self, fault: str) -> None:
        self.faults += 1
        if len(self.unreadable) < 3:
            self.unreadable.append(fault)

    def check_sense(self) -> None:
        """Nothing, if a first reading found files, and something in them."""
        if self.since is not None:
            return
        if not self.files:
            raise NothingToLoad(
                f"{self.repository.label}: no file of its history has a path like {self.layout.path!r}.",
                next_step="Write the path from the repository's top, with {environment} and {service} in their places.",
            )
        if not self.has_versions:
            files = f"{counted(self.files, 'file')} like {self.layout.path!r}"
            first = f"; the first, {self.unreadable[0]}" if self.unreadable else ""
            raise NothingToLoad(
                f"{self.repository.label}: none of {files} names a version{first}.",
                next_step="Say where the version stands: --key image.tag, or --pattern 'tag: (.*)'.",
            )


def ingest_gitops(
    settings: Settings,
    source: GitopsSource,
    *,
    strict: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Load the deployments that a GitOps repository's history holds; hold `run_lock` around it.

    Only commits that are new since the last time are read, unless the history was rewritten or the source's options
    have changed: then all of it, and what it no longer gives is removed.

    Parameters
    ----------
    strict
        Load nothing if any row is bad.
    dry_run
        Do everything, report it, and keep nothing.

    Raises
    ------
    UsageError
        The source's template, key or pattern cannot be read.
    InputRefused
        There is no repository, nothing in it fits, or git cannot read it.
    ConfigurationError
        There is no git.
    """
    layout, flag = layout_and_flag(source)
    report = LoadReport(is_dry_run=dry_run)
    with opened(source.path, settings.home) as repository:
        name, options, tip = source_name(repository, source), options_of(source), repository.tip(source.branch)
        with open_work(settings.home, settings) as connection:
            cursor = cursor_of(connection, name)
            why = why_anew(cursor, repository, options, tip) if cursor else None
            known = cursor if cursor and not why else None
            salted = pseudonyms(connection)
            reading = Reading(
                repository,
                layout,
                flag,
                (lambda commit: commit.author)
                if source.names
                else lambda commit: salted.of(commit.mail or commit.author),
                progress or silent,
                tip,
                since=known.tip if known else None,
                last=latest(connection, name) if known else {},
                held=held(connection, name) if known else {},
                # What lies before a shallow history stays, and what is read anew stands behind it.
                position=cursor.position if cursor and (known or repository.boundary) else 0,
            )
        removed: list[int] = []

        def within(connection: duckdb.DuckDBPyConnection) -> None:
            if why:
                removed.append(remove_vanished(connection, name, repository, tip, bool(flag)))
            keep(connection, Cursor(name, options, tip, begins_at(repository), reading.position))
            salted.keep(connection)

        parts = parts_of(source, reading, name, is_addition=known is not None)
        load_parts(settings, parts, report, strict=strict, progress=progress, within=within)
        report.warnings += warnings(repository, reading, tip, why, sum(removed))
    return report


def layout_and_flag(source: GitopsSource) -> tuple[Layout, Flag | None]:
    given = {name: value for name in ("environment", "service") if (value := getattr(source, name))}
    layout = layout_of(source.template, source.key, source.pattern, given)
    return layout, flag_of(source.holds) if source.holds else None


def flag_of(text: str) -> Flag:
    """The flag that is written `KEY` or `KEY=VALUE`; without a value a service is held while the key is false.

    Raises
    ------
    UsageError
        The key is none.
    """
    key, equals, value = text.rpartition("=")
    if not equals or "]" in value:
        key, value = text, "false"
    return Flag(key.strip(), canonical(value), key_of(key.strip()))


def canonical(value: str) -> str:
    lowered = value.strip().lower()
    return "true" if lowered in TRUE else "false" if lowered in FALSE else lowered


def by_target(names: Names, found: tuple[tuple[Names, Value], ...]) -> dict[Target, Value]:
    """What was found in a file, by environment and service; of several for one the first counts."""
    values: dict[Target, Value] = {}
    for beside, value in found:
        both = {**names, **beside}
        values.setdefault((both["environment"].strip(), both["service"].strip()), value)
    return values


def instant(seconds: int) -> str:
    """The time in ISO 8601; beyond the calendar the seconds as they are, which the rules refuse."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return str(seconds)


def piece(rows: list[tuple[int | str | None, ...]], columns: tuple[str, ...]) -> Piece:
    """The rows, the first value of each being its place in the history."""
    schema = {"_line": pl.Int64, **dict.fromkeys(columns, pl.String)}
    frame = pl.DataFrame(rows, schema=schema, orient="row")

    def verbatim(lines: pl.Series) -> pl.Series:
        found = {row["_line"]: {name: row[name] for name in columns} for row in frame.iter_rows(named=True)}
        return pl.Series([json.dumps(found[line], ensure_ascii=False) for line in lines], dtype=pl.String)

    return Piece(frame.with_columns(pl.lit(None, pl.String).alias(ORIGIN)), verbatim)


def source_name(repository: Repository, source: GitopsSource) -> str:
    """Where the rows come from: the repository, the paths and the place within the files."""
    place = source.key or source.pattern
    return f"{repository.name}:{source.template}" + (f"#{place}" if place else "")


def options_of(source: GitopsSource) -> str:
    return json.dumps(source.model_dump(mode="json", exclude={"path"}), sort_keys=True)


def parts_of(source: GitopsSource, reading: Reading, name: str, *, is_addition: bool) -> list[Part]:
    """The deployments, and behind them the holds that the same pass meets."""
    label = Path(reading.repository.name).name
    feeds = {"deployments": reading.deployments} | ({"holds": reading.holds} if reading.flag else {})
    return [
        Part(BY_NAME[table], source.path, f"{label}: {table}", "feed", f"gitops {reading.repository.name}", number,
             feed=Feed(name, pieces, is_addition))
        for number, (table, pieces) in enumerate(feeds.items())
    ]  # fmt: skip


def latest(connection: duckdb.DuckDBPyConnection, name: str) -> dict[Target, Deployment]:
    """The newest deployment of each service in each environment that the source gave."""
    rows = connection.execute(LATEST, [name]).fetchall()
    return {
        (environment, service): Deployment(
            (environment, service), deployment_id, version, seconds, line, status, rollback_of, by, is_told=True
        )
        for environment, service, deployment_id, version, seconds, line, status, rollback_of, by in rows
    }


def held(connection: duckdb.DuckDBPyConnection, name: str) -> dict[Target, bool]:
    rows = connection.execute(HELD, [name]).fetchall()
    return {(environment, service): active for environment, service, active in rows}


def remove_vanished(
    connection: duckdb.DuckDBPyConnection, name: str, repository: Repository, tip: str, has_holds: bool
) -> int:
    """Remove what the source gave before and its history no longer gives; how many rows.

    What lies before the beginning of a shallow history stays, since the history says nothing about it.
    """
    begin = repository.oldest(tip).committed if repository.boundary else None
    removed = 0
    for table, time in (("deployments", "started_at"), ("holds", '"at"')):
        if table == "holds" and not has_holds:
            continue
        keys = BY_NAME[table].key
        # Rows that did not change were not written, but their places in the history may be others now.
        same = " and ".join(f'r."{key}" is not distinct from s."{key}"' for key in keys)
        connection.execute(RENUMBERED.format(table=table, same=same), [name])
        query = VANISHED.format(table=table, time=time, same=same)
        removed += len(connection.execute(query, [name, begin, begin]).fetchall())
    return removed


def warnings(repository: Repository, reading: Reading, tip: str, why: str | None, removed: int) -> Iterator[str]:
    """What the reader of a report should know about the history."""
    if why:
        gone = f"; {counted(removed, 'row')} that it no longer gives removed" if removed else ""
        yield f"{repository.label}: read from the beginning, since {why}{gone}."
    if repository.boundary:
        begin = instant(repository.oldest(tip).committed)
        yield (
            f"{repository.label} is a shallow clone: its history begins at {begin}, and what was deployed before is "
            "not known. Get the rest with: git fetch --unshallow"
        )
    if reading.faults:
        yield (
            f"{repository.label}: in {counted(reading.faults, 'changed file')} no version can be read, and they count "
            f"as no deployments; the first: {reading.unreadable[0]}."
        )
    if reading.unordered:
        yield (
            f"{repository.label}: {counted(reading.unordered, 'deployment')} went from one version to another that has "
            "no order with it (such as commits); whether they rolled back is not known."
        )

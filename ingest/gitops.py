"""Deployments from a GitOps repository into the raw tables; what counts as one, `version_history` says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from shipcast.ingest.cursors import Cursor, begins_at, cursor_of, keep, why_anew
from shipcast.ingest.files import counted, load_parts, silent
from shipcast.ingest.layout import PLACEHOLDERS, Layout, key_of, layout_of, placeholders
from shipcast.ingest.merging import same
from shipcast.ingest.people import Pseudonyms, pseudonyms
from shipcast.ingest.report import LoadReport
from shipcast.ingest.repository import Commit, Repository, opened
from shipcast.ingest.sources import Feed, Part
from shipcast.ingest.version_history import Deployment, Flag, Start, Target, VersionHistory, canonical, instant
from shipcast.settings import GitopsSource, Settings
from shipcast.settings.errors import UsageError
from shipcast.warehouse.built import forget_built
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.tables import BY_NAME

LATEST = """
select environment, service, deployment_id, version, epoch(started_at)::bigint, _line,
    lag(version) over history, status, rollback_of, deployed_by
from raw.deployments where _file = ?
window history as (partition by environment, service order by _line)
qualify lead(_line) over history is null
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


@dataclass
class Reading:
    """One reading of a source, from its cursor on or from the beginning.

    Parameters
    ----------
    name
        The source's name: where its rows say that they came from.
    cursor
        Where it stood before; None: never read.
    why
        Why it is read from the beginning again; None: it is not.
    removed
        Rows that were removed, since the history no longer gives them.
    """

    repository: Repository
    source: GitopsSource
    name: str
    tip: str
    cursor: Cursor | None
    why: str | None
    people: Pseudonyms
    history: VersionHistory
    removed: int = field(default=0)

    @property
    def is_addition(self) -> bool:
        return self.history.start.since is not None

    def parts(self) -> list[Part]:
        """The deployments, and behind them the holds that the same pass meets."""
        feeds = {"deployments": self.history.deployments}
        if self.history.flag:
            feeds["holds"] = self.history.holds
        label, given = Path(self.repository.name).name, f"gitops {self.repository.name}"
        return [
            Part(BY_NAME[table], self.source.path, f"{label}: {table}", "feed", given, number,
                 feed=Feed(self.name, pieces, self.is_addition))
            for number, (table, pieces) in enumerate(feeds.items())
        ]  # fmt: skip

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Store where the reading stands, within the transaction of its rows."""
        if self.why:
            self.removed = self.remove_vanished(connection)
        if self.removed:
            forget_built(connection)
        begin = begins_at(self.repository)
        keep(connection, Cursor(self.name, options_of(self.source), self.tip, begin, self.history.position))
        self.people.keep(connection)

    def remove_vanished(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Remove what the source gave before and its history no longer gives; how many rows.

        What lies before the beginning of a shallow history stays, since the history says nothing about it.
        """
        begin = self.repository.oldest(self.tip).committed if self.repository.boundary else None
        removed = remove_others(connection, "deployments", "started_at", self.name, begin)
        if self.history.flag:
            return removed + remove_others(connection, "holds", '"at"', self.name, begin)
        gone = connection.execute("delete from raw.holds where _file = ? returning 1", [self.name]).fetchall()
        return removed + len(gone)

    def warnings(self) -> Iterator[str]:
        """What a reader of the report should know about the history."""
        label, history = self.repository.label, self.history
        if self.why:
            gone = f"; {counted(self.removed, 'row')} that it no longer gives removed" if self.removed else ""
            yield f"{label}: read from the beginning, since {self.why}{gone}."
        if self.repository.boundary:
            yield (
                f"{label} is a shallow clone: its history begins at "
                f"{instant(self.repository.oldest(self.tip).committed)}, and what was deployed before is not known. "
                "Get the rest with: git fetch --unshallow"
            )
        if history.faults:
            yield (
                f"{label}: in {counted(history.faults, 'changed file')} no version can be read, and they count as no "
                f"deployments; the first: {history.first_faults[0]}."
            )
        if history.unordered and not history.has_returns:
            yield (
                f"{label}: {counted(history.unordered, 'deployment')} went from one version to another that has no "
                "order with it (such as commits); whether they rolled back is not known (see --returns)."
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
        with open_work(settings.home, settings) as connection:
            reading = begun(connection, repository, source, layout, flag, progress or silent)
        parts = reading.parts()
        load_parts(settings, parts, report, strict=strict, progress=progress, within=reading.settle)
        report.warnings += reading.warnings()
    return report


def begun(
    connection: duckdb.DuckDBPyConnection,
    repository: Repository,
    source: GitopsSource,
    layout: Layout,
    flag: Flag | None,
    progress: Progress,
) -> Reading:
    """A reading of the source that is about to begin where the last one ended, if that gives the same rows."""
    name, tip = source_name(repository, source), repository.tip(source.branch)
    cursor = cursor_of(connection, name)
    why = why_anew(cursor, repository, options_of(source), tip) if cursor else None
    people = pseudonyms(connection)
    history = VersionHistory(
        repository, layout, flag, tip, start_of(connection, repository, cursor, why is not None),
        partial(person, source, people), progress, datetime.now(UTC), source.returns,
    )  # fmt: skip
    return Reading(repository, source, name, tip, cursor, why, people, history)


def start_of(
    connection: duckdb.DuckDBPyConnection, repository: Repository, cursor: Cursor | None, is_anew: bool
) -> Start:
    if cursor is None:
        return Start()
    if is_anew:
        # What lies before a shallow history stays, and what is read anew stands behind it.
        return Start(position=cursor.position if repository.boundary else 0)
    return Start(cursor.tip, cursor.position, latest(connection, cursor.source), held(connection, cursor.source))


def person(source: GitopsSource, people: Pseudonyms, commit: Commit) -> str:
    """Who brought the commit onto the line: the name, or what stands for the address."""
    return commit.author if source.names else people.of(commit.mail or commit.author)


def layout_and_flag(source: GitopsSource) -> tuple[Layout, Flag | None]:
    """Where the versions stand, and the flag whose switches are holds.

    Raises
    ------
    UsageError
        One of them cannot be read, or does not say what it is about.
    """
    given = {name: value for name in PLACEHOLDERS if (value := getattr(source, name))}
    layout = layout_of(source.template, source.key, source.pattern, given)
    flag = flag_of(source.holds) if source.holds else None
    for name in PLACEHOLDERS if flag else ():
        if flag and name not in {*given, *layout.paths.groupindex, *placeholders(flag.find)}:
            raise UsageError(
                f"--holds {source.holds!r} does not say the {name}.", next_step=f"Put {{{name}}} where it stands."
            )
    return layout, flag


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


def source_name(repository: Repository, source: GitopsSource) -> str:
    """Where the rows come from: the repository, the paths and the place within the files."""
    place = source.key or source.pattern
    return f"{repository.name}:{source.template}" + (f"#{place}" if place else "")


def options_of(source: GitopsSource) -> str:
    """All that decides which rows a history gives."""
    return json.dumps(source.model_dump(mode="json", exclude={"path"}), sort_keys=True)


def latest(connection: duckdb.DuckDBPyConnection, name: str) -> dict[Target, Deployment]:
    """The newest deployment of each service in each environment that the source gave."""
    found = {}
    for environment, service, *facts in connection.execute(LATEST, [name]).fetchall():
        target = (environment, service)
        found[target] = Deployment(target, *facts)
        found[target].is_told = True
    return found


def held(connection: duckdb.DuckDBPyConnection, name: str) -> dict[Target, bool]:
    rows = connection.execute(HELD, [name]).fetchall()
    return {(environment, service): active for environment, service, active in rows}


def remove_others(connection: duckdb.DuckDBPyConnection, table: str, time: str, name: str, begin: int | None) -> int:
    """Remove a source's rows that were not read just now, except those up to `begin`; how many."""
    keys = same(BY_NAME[table].key, "r", "s")
    # Rows that did not change were not written, but their places in the history may be others now.
    connection.execute(RENUMBERED.format(table=table, same=keys), [name])
    return len(connection.execute(VANISHED.format(table=table, time=time, same=keys), [name, begin, begin]).fetchall())

"""Deployments from a GitOps repository into the raw tables; what counts as one, `version_history` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from shipcast.ingest.files import counted, load_parts, silent
from shipcast.ingest.layout import PLACEHOLDERS, Layout, key_of, layout_of, placeholders
from shipcast.ingest.reading import Reading, begun
from shipcast.ingest.report import LoadReport
from shipcast.ingest.repository import Commit, Repository, opened
from shipcast.ingest.sources import Feed, Part
from shipcast.ingest.version_history import Deployment, Flag, Start, Target, VersionHistory, canonical
from shipcast.settings import GitopsSource, Settings
from shipcast.settings.errors import UsageError
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

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Versions:
    """The reading of a source, and the history of versions that it gives."""

    reading: Reading
    source: GitopsSource
    history: VersionHistory

    def parts(self) -> list[Part]:
        """The deployments, and behind them the holds that the same pass meets."""
        feeds = {"deployments": self.history.deployments}
        if self.history.flag:
            feeds["holds"] = self.history.holds
        repository, is_addition = self.reading.repository, self.reading.since is not None
        label, given = Path(repository.name).name, f"gitops {repository.name}"
        return [
            Part(BY_NAME[table], self.source.path, f"{label}: {table}", "feed", given, number,
                 feed=Feed(self.reading.name, pieces, is_addition))
            for number, (table, pieces) in enumerate(feeds.items())
        ]  # fmt: skip

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Remove what is gone and store where the reading stands, within the transaction of its rows."""
        if self.reading.why:
            self.reading.remove_vanished(connection, "deployments", "started_at")
            if self.history.flag:
                self.reading.remove_vanished(connection, "holds", '"at"')
            else:
                self.reading.remove_all(connection, "holds")
        self.reading.keep(connection, self.history.position)

    def warnings(self) -> Iterator[str]:
        """What a reader of the report should know about the history."""
        label, history = self.reading.repository.label, self.history
        yield from self.reading.warnings("what was deployed")
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
            versions = versions_of(connection, repository, source, layout, flag, progress or silent)
        parts = versions.parts()
        load_parts(settings, parts, report, strict=strict, progress=progress, within=versions.settle)
        report.warnings += versions.warnings()
    return report


def versions_of(
    connection: duckdb.DuckDBPyConnection,
    repository: Repository,
    source: GitopsSource,
    layout: Layout,
    flag: Flag | None,
    progress: Progress,
) -> Versions:
    """The source's history of versions, from where it was read to before."""
    name = source_name(repository, source)
    reading = begun(connection, repository, source, name, source.branch, has_names=source.names)

    def person(commit: Commit) -> str:
        """Who brought the commit onto the line."""
        return reading.person(commit.author, commit.mail)

    history = VersionHistory(
        repository, layout, flag, reading.tip, start_of(connection, reading), person, progress,
        datetime.now(UTC), source.returns,
    )  # fmt: skip
    return Versions(reading, source, history)


def start_of(connection: duckdb.DuckDBPyConnection, reading: Reading) -> Start:
    if reading.since is None:
        return Start(position=reading.position)
    name = reading.name
    return Start(reading.since, reading.position, latest(connection, name), held(connection, name))


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

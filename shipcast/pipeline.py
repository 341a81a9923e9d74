"""The steps from files to a published snapshot, put together; each holds the home's lock while it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipcast.settings import GitopsSource, GitSource, Settings, Source
from shipcast.settings.errors import ConfigurationError, InputRefused, StorageError, UsageError
from shipcast.warehouse.connection import WORK_FILE
from shipcast.warehouse.damage import REPAIR_OR_RELOAD, storage_error
from shipcast.warehouse.errors import DamagedFile, OutOfSpace
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import Snapshot, publish

if TYPE_CHECKING:
    from shipcast.ingest.files import LoadReport
    from shipcast.warehouse.transform import BuildReport, TransformFailed

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RunReport:
    """What one `run` did, source by source, what it published, and how many refused rows it dropped as too old."""

    loads: dict[Source, LoadReport | InputRefused]
    build: BuildReport
    snapshot: Snapshot
    dropped: int

    @property
    def exit_code(self) -> int:
        return max((getattr(load, "exit_code", 0) for load in self.loads.values()), default=0)


def load(settings: Settings, paths: Sequence[Path], *, strict: bool, dry_run: bool, progress: Progress) -> LoadReport:
    from shipcast.ingest.files import ingest_files

    with run_lock(settings.home, "ingest"):
        return ingest_files(settings, paths, strict=strict, dry_run=dry_run, progress=progress)


def load_gitops(
    settings: Settings, source: GitopsSource, *, strict: bool, dry_run: bool, progress: Progress
) -> LoadReport:
    from shipcast.ingest.gitops import ingest_gitops

    with run_lock(settings.home, "ingest"):
        return ingest_gitops(settings, source, strict=strict, dry_run=dry_run, progress=progress)


def load_git(settings: Settings, source: GitSource, *, strict: bool, dry_run: bool, progress: Progress) -> LoadReport:
    from shipcast.ingest.git import ingest_git

    with run_lock(settings.home, "ingest"):
        return ingest_git(settings, source, strict=strict, dry_run=dry_run, progress=progress)


def build_and_publish(settings: Settings, progress: Progress, *, in_full: bool = False) -> tuple[BuildReport, Snapshot]:
    with run_lock(settings.home, "build"):
        return built(settings, progress, in_full=in_full)


def built(settings: Settings, progress: Progress, *, in_full: bool = False) -> tuple[BuildReport, Snapshot]:
    """Transform, test, publish: the snapshot changes only when every test passed."""
    from shipcast.warehouse.transform import TransformFailed, build

    try:
        report = build(settings, progress, in_full=in_full)
    except TransformFailed as failure:
        raise build_error(settings.home, failure) from failure
    progress("publishing")
    return report, publish(settings.home, settings.keep_snapshots)


def build_error(home: Path, failure: TransformFailed) -> StorageError:
    """The failure, or what the disk did where it is to blame for it."""
    error = storage_error(home / WORK_FILE, failure.detail)
    if isinstance(error, DamagedFile):
        error.next_step = REPAIR_OR_RELOAD
    return error if isinstance(error, (DamagedFile, OutOfSpace)) else failure


def run_all(settings: Settings, progress: Progress) -> RunReport:
    """Load every configured source, build, publish. A source that is refused does not stop the others.

    Raises
    ------
    ConfigurationError
        No source is configured.
    """
    from shipcast.ingest.quarantine import prune

    if not settings.sources:
        raise ConfigurationError(
            f"{settings.home}: no source is configured.",
            next_step="Run `shipcast init` and add a [[sources]] entry with a path.",
        )
    loads: dict[Source, LoadReport | InputRefused] = {}
    with run_lock(settings.home, "run"):
        for source in settings.sources:
            progress(f"loading {source.path}")
            try:
                loads[source] = load_source(settings, source, progress)
            except InputRefused as refusal:
                loads[source] = refusal
        dropped = prune(settings)
        build, snapshot = built(settings, progress)
    return RunReport(loads, build, snapshot, dropped)


def load_source(settings: Settings, source: Source, progress: Progress) -> LoadReport:
    """Load one configured source, whatever its kind.

    Raises
    ------
    ConfigurationError
        What it says of itself cannot be used.
    """
    try:
        match source.kind:
            case "files":
                from shipcast.ingest.files import ingest_files

                return ingest_files(settings, [source.path], progress=progress)
            case "gitops":
                from shipcast.ingest.gitops import ingest_gitops

                return ingest_gitops(settings, source, progress=progress)
            case "git":
                from shipcast.ingest.git import ingest_git

                return ingest_git(settings, source, progress=progress)
    except UsageError as error:
        raise ConfigurationError(
            f"[[sources]] {source.path}: {error.detail}", next_step=error.next_step, key="sources"
        ) from error


def retry(settings: Settings, directory: Path | None, progress: Progress) -> LoadReport:
    """Load quarantined rows again, from where they lay or from exported and corrected files."""
    from shipcast.ingest.quarantine import retry as retry_quarantine

    with run_lock(settings.home, "quarantine retry"):
        return retry_quarantine(settings, directory, progress=progress)


def mend(settings: Settings, progress: Progress) -> tuple[str, ...]:
    """Repair the home and build what the repair left to be built; what was done, in words.

    Raises
    ------
    StorageError
        The home cannot be written, or there is none.
    """
    from shipcast.warehouse.repair import repair

    if not settings.home.exists():
        return ()
    with run_lock(settings.home, "doctor --repair"):
        mended = repair(settings.home)
        if not mended.must_build:
            return mended.done
        report, _ = built(settings, progress)
    return (*mended.done, f"built and published {len(report.rows)} tables again")

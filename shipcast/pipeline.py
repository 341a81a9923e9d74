"""The steps from files to a published snapshot, put together; each holds the home's lock while it writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipcast.ingest.errors import InboxUnusable
from shipcast.settings import ExportSource, GitopsSource, GitSource, Settings, Source
from shipcast.settings.errors import (
    ConfigurationError,
    InputRefused,
    ModelError,
    ShipcastError,
    SourceUnreachable,
    StorageError,
    UsageError,
)
from shipcast.settings.files import UNFINISHED
from shipcast.settings.sources import ArgocdSource, Remote
from shipcast.warehouse.connection import WORK_FILE
from shipcast.warehouse.damage import REPAIR_OR_RELOAD, storage_error, told
from shipcast.warehouse.errors import DamagedFile, OutOfSpace
from shipcast.warehouse.lock import ledger_lock, run_lock
from shipcast.warehouse.snapshot import Snapshot, publish

if TYPE_CHECKING:
    from shipcast.answers.reading import Reader
    from shipcast.answers.training import TrainAnswer
    from shipcast.features.history import History
    from shipcast.ingest.files import LoadReport
    from shipcast.models.candidates import Candidate
    from shipcast.models.registry import Champion, Version
    from shipcast.models.serving import Served
    from shipcast.models.training import Trained
    from shipcast.warehouse.transform import BuildReport, TransformFailed

Progress = Callable[[str], None]
AGAIN = timedelta(days=7)  # after a training that the gate refused
FONTS = "matplotlib"  # the folder in which matplotlib lists the fonts of this machine
KEPT = (
    "card.md",
    "forecasts.parquet",
    "hours.json",
    "reference.json",
    "scores.json",
)  # with a model, beside its pictures
PASSED_OVER = (
    InputRefused,
    SourceUnreachable,
    ConfigurationError,
    InboxUnusable,
)  # what is wrong with one source alone
AFTER_DEPLOYMENTS = {"export": 1, "pagerduty": 2, "prometheus": 2}  # what a source brings, or most often does
UNUSABLE = "the champion: it could not be used"


@dataclass(frozen=True)
class RunReport:
    """What one `run` did, source by source, what it published, and how many refused rows it dropped as too old."""

    loads: Sequence[tuple[Source, LoadReport | ShipcastError]]
    build: BuildReport
    snapshot: Snapshot
    dropped: int

    @property
    def exit_code(self) -> int:
        return max((getattr(load, "exit_code", 0) for _, load in self.loads), default=0)

    def failures(self) -> Iterator[str]:
        """What an exit code other than 0 stands for, in words."""
        from shipcast.ingest.files import quarantine_told

        for _, load in self.loads:
            if isinstance(load, ShipcastError):
                yield str(load)
                continue
            for item in load.items:
                if item.refused:
                    yield f"{item.file}: {item.refused}."
                elif item.is_all_quarantined:
                    yield from quarantine_told([item])


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


def load_export(
    settings: Settings, source: ExportSource, *, strict: bool, dry_run: bool, progress: Progress
) -> LoadReport:
    from shipcast.ingest.exports import ingest_export

    with run_lock(settings.home, "ingest"):
        return ingest_export(settings, source, strict=strict, dry_run=dry_run, progress=progress)


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
    """Load every configured source, build, publish. One that is refused or does not answer stops no other.

    Raises
    ------
    ConfigurationError
        No source is configured.
    """
    from shipcast.ingest.health import record
    from shipcast.ingest.hooks.inbox import Inbox
    from shipcast.ingest.quarantine import prune

    if not settings.sources:
        raise ConfigurationError(
            f"{settings.home}: no source is configured.",
            next_step="Run `shipcast init` and add a [[sources]] entry with a path.",
        )
    loads: list[tuple[Source, LoadReport | ShipcastError]] = []
    with run_lock(settings.home, "run"):
        for source in in_order(settings.sources):
            progress(f"loading {source.label}")
            try:
                loads.append((source, load_source(settings, source, progress)))
            except PASSED_OVER as failure:
                loads.append((source, failure))
            except (ShipcastError, OSError, MemoryError):
                raise
            except Exception as fault:
                loads.append((source, faulty(source, fault)))
        record(settings.home, [(source.label, outcome(load)) for source, load in loads], datetime.now(UTC))
        dropped = prune(settings)
        with suppress(InboxUnusable):  # whoever reads it has said so
            Inbox(settings.home).prune(datetime.now(UTC))
        build, snapshot = built(settings, progress)
    return RunReport(loads, build, snapshot, dropped)


def in_order(sources: Sequence[Source]) -> list[Source]:
    """Those first that say what is deployed: others name services by it, which would else look unknown."""
    return sorted(sources, key=lambda source: AFTER_DEPLOYMENTS.get(source.kind, 0))


def faulty(source: Source, fault: Exception) -> ShipcastError:
    """What nobody thought of in a source, which is to stop no other."""
    from shipcast.console import broken

    return ShipcastError(
        f"{source.label}: this is a bug ({broken(fault)}); nothing more was read of it.",
        next_step="Report it. What was stored stays.",
    )


def outcome(load: LoadReport | ShipcastError) -> int | ShipcastError:
    """The rows that were read, or why none were."""
    return load if isinstance(load, ShipcastError) else sum(item.read for item in load.items)


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
            case "export":
                from shipcast.ingest.exports import ingest_export

                return ingest_export(settings, source, progress=progress)
            case "events":
                from shipcast.ingest.hooks.reading import ingest_events

                return ingest_events(settings, source)
            case _:
                return load_remote(settings, source, progress)
    except UsageError as error:
        raise ConfigurationError(
            f"[[sources]] {source.label}: {error.detail}", next_step=error.next_step, key="sources"
        ) from error


def load_remote(settings: Settings, source: Remote, progress: Progress) -> LoadReport:
    """What a source has told by itself, and then what it says when it is asked, which has the last word.

    One that webhooks alone tell of is not asked.
    """
    from shipcast.ingest.health import health
    from shipcast.ingest.hooks.reading import ingest_events, was_asked
    from shipcast.ingest.remote.reading import add, ingest_remote, tell_stored
    from shipcast.ingest.remote.site import DOUBTFUL, PATIENCE
    from shipcast.ingest.report import LoadReport

    if source.is_told_alone:
        report = ingest_events(settings, source)
        if was_asked(settings, source):
            report.warnings.append(
                f"{source.label}: it was asked before and is now told of by webhooks alone, which tell of no changes, "
                f"since {source.variable} is not set. If that is not meant: export {source.variable}=..."
            )
        return report
    try:
        report = ingest_events(settings, source)
    except InboxUnusable as error:
        report = LoadReport(warnings=[str(error)])
    was = health(settings.home).get(source.label)
    has_failed = was is not None and was.failure is not None  # one that is down is not to hold up the others for long
    found = ingest_remote(settings, source, progress=progress, patience=DOUBTFUL if has_failed else PATIENCE)
    add(report, found)
    if isinstance(source, ArgocdSource) and found.sync_windows is not None:
        from shipcast.answers.calendar_import import keep_sync_windows

        try:
            report.warnings += keep_sync_windows(settings, source, found.sync_windows)
        except ConfigurationError as error:
            tell_stored(error, report)
            raise
    return report


def train(
    settings: Settings, as_of: datetime, only: str | Any | None, *, promote: bool, progress: Progress
) -> TrainAnswer:
    """Train the chance of failure on what was known at `as_of`, as `trained` does."""
    from shipcast.answers.reading import open_reader

    check_candidate(only)
    with open_reader(settings, as_of) as reader:
        return trained(reader, only, promote=promote, progress=progress)


def train_when_due(settings: Settings, as_of: datetime, progress: Progress) -> str | None:
    """Train anew and promote, past the gate, where that is due, and say why and what came of it; null: not due.

    It is where no model can serve, or it is `retrain_days` old, or deployments have drifted from what it learned, or
    what it learned from is no longer what is known of that time. Never where `retrain_days` is 0, nor before a failure
    in production has settled, nor within a week of a training that the gate refused.
    """
    from shipcast.answers.drift import due
    from shipcast.answers.reading import open_reader

    if not settings.retrain_days:
        return None
    with open_reader(settings, as_of) as reader:
        progress("looking whether to train anew")
        why = due(reader.history("production"), settings)
        if why is None or was_refused_lately(settings.home, reader.at):
            return None
        return f"{why} {trained(reader, None, promote=True, progress=progress).sentence}"


def was_refused_lately(home: Path, at: datetime) -> bool:
    """Whether the last training of the week before must not serve: another would hardly fare better."""
    from shipcast.models.registry import CHAMPION, Registry
    from shipcast.models.tracking import REFUSED

    lately = [each for each in Registry(home).versions() if at - AGAIN < each.cut_off <= at]
    return bool(lately) and lately[0].alias != CHAMPION and REFUSED in lately[0].parameters


def check_candidate(only: str | Any | None) -> None:
    """Refuse a name that no candidate has.

    Raises
    ------
    UsageError
        Naming those there are.
    """
    from shipcast.models.candidates import CANDIDATES

    if isinstance(only, str) and only not in CANDIDATES:
        raise UsageError(f"--model must be one of {', '.join(CANDIDATES)}. Got {only!r} instead.")


def trained(reader: Reader, only: str | Any | None, *, promote: bool, progress: Progress) -> TrainAnswer:
    """Train on what the reader knows, keep the model, and make it champion where it may be.

    It is where none can serve: the first model of a home, and one after a champion whose file is damaged. Else it must
    be asked for, and pass the gate.

    Parameters
    ----------
    only
        A name in `CANDIDATES`, a candidate, or an estimator of one's own; None: the best.

    Raises
    ------
    UsageError
        There is no such candidate.
    ModelError
        The store of models cannot be used, the champion cannot be read, or the model cannot be kept.
    FeatureFailed
        A feature of the user's own broke off, of deployments or of a request.
    """
    from shipcast.answers.training import train_answer
    from shipcast.features.matrix import matrix
    from shipcast.features.own import enter_files
    from shipcast.models import training
    from shipcast.models.registry import Registry
    from shipcast.models.tracking import NONE_BEFORE

    check_candidate(only)
    settings = reader.settings
    with run_lock(settings.home, "train"):
        progress("computing features")
        enter_files(settings.features)
        rows = matrix(reader.history("production"))
        is_vacant, rival, warnings = to_be_beaten(settings.home, reader.at)
        found = training.train(rows, reader.at, only, progress, rival)
        ask_once(reader.history("production"), found.model)
        pair = training.beside(found, rows, rival)
        refused = training.refusals(found, rival, pair)
        progress("keeping the model")
        missed = training.uncompared(rival, pair) if rival else UNUSABLE if warnings else NONE_BEFORE
        version = recorded(settings.home, found, refused, missed)
        registry, is_champion = Registry(settings.home), is_vacant or (promote and not refused)
        if is_champion:
            registry.promote(version)
        registry.prune(settings.keep_models)
        return train_answer(
            reader.envelope(),
            found,
            version,
            is_champion=is_champion,
            refused=refused,
            remarks=[] if refused else training.remarks(rival, pair),
            warnings=[*reader.warnings(), *warnings],
        )


def ask_once(history: History, model: Candidate) -> None:
    """See that the features a model looks at can be had of a request, which has no outcome, before it is kept."""
    import numpy as np

    from shipcast.features.change import Change
    from shipcast.features.feature import chosen
    from shipcast.features.matrix import past, request_features, request_rows

    for service, team, zone in history.services().select("service", "team", "zone").head(1).rows():
        starts = np.array([history.at], dtype="datetime64[us]")
        rows = request_rows([Change(service, team, zone)], starts)
        request_features(rows, past(history, service), chosen(*model.feature_names()))


def to_be_beaten(home: Path, at: datetime) -> tuple[bool, Served | None, list[str]]:
    """Whether no champion can serve, the champion to compare with, and what is wrong with one that answers nothing.

    One that looks at a feature which is gone may serve again, once the feature is back; a damaged one never will.
    """
    from shipcast.features.errors import FeatureMissing
    from shipcast.features.feature import chosen
    from shipcast.models.errors import NewerModel
    from shipcast.models.registry import promoted
    from shipcast.models.serving import served

    try:
        rival = served(home, at)
        chosen(*(() if rival is None else rival.model.feature_names()))
        return not promoted(home), rival, []
    except NewerModel:
        raise  # a later version of Shipcast reads it
    except ModelError as error:
        is_gone = isinstance(error, FeatureMissing)
        return not is_gone, None, [f"The champion was not compared with. {error.detail}"]


def recorded(home: Path, trained: Trained, refused: Sequence[str] = (), missed: str = "") -> Version:
    """The training as a new version, with its model file, card, pictures, and what it will be judged by.

    `missed` is what it was not compared with, and why; empty: it was compared with the champion.
    """
    from shipcast.answers.plots import draw_plots
    from shipcast.answers.training import SCORES, candidate_scores, card
    from shipcast.models.drift import write_references
    from shipcast.models.registry import FAILURE, Facts, Registry
    from shipcast.models.serving import keep
    from shipcast.models.tracking import FOLDER, REFUSED, UNCOMPARED
    from shipcast.models.training import metrics_of

    folder = home / FOLDER / f"training{UNFINISHED}"
    shutil.rmtree(folder, ignore_errors=True)
    with told(home / FOLDER):
        folder.mkdir(parents=True)
        keep(folder / "model.npz", trained.name, trained.model)
        (folder / "card.md").write_text(card(trained), encoding="utf-8")
        (folder / "scores.json").write_bytes(SCORES.dump_json(candidate_scores(trained)))
        trained.forecasts.write_parquet(folder / "forecasts.parquet")
        (folder / "hours.json").write_text(json.dumps([asdict(part) for part in trained.parts], allow_nan=False))
        write_references(folder / "reference.json", trained.references)
        plots = draw_plots(trained, folder, home / FOLDER / FONTS)
    own = trained.judgements.get(trained.name)
    facts = Facts(
        FAILURE,
        trained.name,
        {
            "deployments": trained.deployments,
            "failures": trained.failures,
            **trained.model.describe(),
            **({REFUSED: "; ".join(refused)} if refused else {}),
            **({UNCOMPARED: missed} if missed else {}),
        },
        {} if own is None else metrics_of(own),
        trained.cut_off,
        trained.fingerprint,
        artefacts=(*(folder / name for name in KEPT), *plots),
    )
    version = Registry(home).record(folder / "model.npz", facts)
    shutil.rmtree(folder)
    return version


def roll_back(settings: Settings) -> Champion:
    """Let the champion before the present one serve again, and give it.

    Raises
    ------
    ModelError
        There is none, or its file is not as it was.
    """
    from shipcast.models.registry import Registry

    with run_lock(settings.home, "train --rollback"):
        return Registry(settings.home).rollback()


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
        with ledger_lock(settings.home):
            mended = repair(settings.home)
        done = [*mended.done, *mended_champions(settings.home)]
        if mended.must_build:
            report, _ = built(settings, progress)
            done.append(f"built and published {len(report.rows)} tables again")
    return tuple(done)


def mended_champions(home: Path) -> list[str]:
    """Write the list of champions anew, where it is lost or damaged and MLflow knows who serves."""
    from shipcast.models.registry import Registry

    try:
        found = Registry(home).rebuild()
    except ModelError:  # the doctor says what is wrong with it
        return []
    again = "champion again, as MLflow's record has it; those before it are forgotten"
    return [f"made version {entry.version} ({entry.recipe}) {again}" for entry in found]

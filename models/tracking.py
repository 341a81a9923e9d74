"""What MLflow holds of the trained models of a home: a run for each, and a version of a registered model.

Nothing else in Shipcast imports MLflow, and this module only once it is asked for something, since that takes seconds.
Files are found by the id of their run below the home, never by the address that MLflow noted down: so a home may be
moved or restored elsewhere, where only MLflow's own pages no longer show the files.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shipcast.models.errors import StoreUnusable
from shipcast.settings import tell_libraries
from shipcast.settings.files import UNFINISHED, digest, fsync, put_in_place, read_sealed, write_sealed
from shipcast.warehouse.migration import written_by

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

REFUSED, UNCOMPARED = "refused", "uncompared"  # among the parameters of a version: what the gate said
NONE_BEFORE = "a champion: there was none"
FORMAT = 2  # of model files: to be raised with every change after which others cannot be read, here or there
FOLDER, STORE, ARTIFACTS = "models", "mlflow.db", "artifacts"
MODEL = "model"  # the folder of the model file among the files of its run
NUMBER = "version.json"  # beside these, for the day on which the store is lost
EXPERIMENT = "shipcast"
CHALLENGER = "challenger"
TAG = "shipcast."
MOST = 50_000  # of what one query of MLflow gives
# Telemetry would call home at the import; its log would tell of every table it makes.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # no connection outlives its question, so the file may be moved
}


@dataclass(frozen=True)
class Facts:
    """What is known of a trained model beside its file.

    Parameters
    ----------
    kind
        What it forecasts (`failure`): versions are counted, promoted and rolled back within their kind.
    recipe
        The name of how it was made.
    cut_off
        Naive UTC: nothing that became known at or after it was learned from.
    fingerprint
        Tells one set of training data from another.
    format
        Of the model file.
    artefacts
        Further files to keep with it, each of another name: plots, a model card, what it will be judged by.
    """

    kind: str
    recipe: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    cut_off: datetime
    fingerprint: str
    format: int = FORMAT
    artefacts: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.cut_off.tzinfo is not None:
            raise ValueError(f"cut_off must be naive UTC. Got {self.cut_off.isoformat()} instead.")


@dataclass(frozen=True)
class Version:
    """A recorded model.

    Parameters
    ----------
    number
        Counted from 1 within its kind; in a new store from above all that the list of champions and the folders of
        files still know.
    path, size
        Of the model file, below the home and in bytes.
    alias
        `champion` (of several, the one that answers today), `challenger` (the last recorded), or None.
    kept
        The SHA-256 of each further file, by name; empty where an earlier version of Shipcast recorded it.
    parameters
        As text.
    """

    kind: str
    number: int
    run_id: str
    recipe: str
    path: str
    size: int
    sha256: str
    kept: Mapping[str, str]
    cut_off: datetime
    fingerprint: str
    format: int
    written_by: str
    recorded_at: datetime
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    alias: str | None = None


class Store:
    """The MLflow store of a home, made if there is none."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self.path = self.folder / STORE
        self.client = opened(self.path)

    def record(self, file: Path, facts: Facts, above: int = 0) -> Version:
        """A run, its files, a version of it, the alias: what a kill leaves without a version was never recorded.

        Parameters
        ----------
        above
            The highest number of a version of this kind that is known from elsewhere.
        """
        with in_words(self.path):
            above = max(above, self.kept_number(facts.kind))
            run_id = self.begin(file, facts)
            self.keep(run_id, file, facts.artefacts)
            self.client.set_terminated(run_id)
            number = self.register(facts.kind, run_id, above)
            write_sealed(self.folder / ARTIFACTS / run_id / NUMBER, {"kind": facts.kind, "number": number})
            return version_of(facts.kind, number, self.client.get_run(run_id))

    def experiment(self) -> str | None:
        """The id of the one that holds our runs; None: nothing was recorded yet."""
        found = self.client.get_experiment_by_name(EXPERIMENT)
        return None if found is None else str(found.experiment_id)

    def address(self) -> str:
        """Where MLflow's pages look for the files of runs that are recorded from now on."""
        return (self.folder / ARTIFACTS).absolute().as_uri()

    def begin(self, file: Path, facts: Facts) -> str:
        """The id of a new run with its facts, and of the file what it is later held against."""
        from mlflow.entities import Metric, Param

        tags = {f"{TAG}{name}": text for name, text in described(file, facts).items()}
        experiment = self.experiment() or self.client.create_experiment(EXPERIMENT, self.address())
        run = self.client.create_run(experiment, run_name=f"{facts.kind} {facts.recipe}", tags=tags)
        self.client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, float(value), run.info.start_time, 0) for name, value in facts.metrics.items()],
            params=[Param(name, str(value)) for name, value in facts.parameters.items()],
        )
        return str(run.info.run_id)

    def keep(self, run_id: str, file: Path, artefacts: Iterable[Path]) -> None:
        """Copy the files of a run to where MLflow looks for them: all of them at once, and for good."""
        folder = self.folder / ARTIFACTS / run_id
        beside = folder.with_name(f"{run_id}{UNFINISHED}")
        kept = beside / "artifacts"
        try:
            (kept / MODEL).mkdir(parents=True)
            shutil.copyfile(file, kept / MODEL / file.name)
            for path in artefacts:
                shutil.copyfile(path, kept / path.name)
            for path in (*beside.rglob("*"), beside):
                fsync(path)
            put_in_place(beside, folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise

    def register(self, kind: str, run_id: str, above: int) -> int:
        """The number of the new version, which becomes the challenger."""
        if kind not in self.aliases():
            self.client.create_registered_model(kind)
        source = f"runs:/{run_id}/{MODEL}"
        self.count_up(kind, source, above)
        made = self.client.create_model_version(kind, source, run_id=run_id)
        self.client.set_registered_model_alias(kind, CHALLENGER, made.version)
        return int(made.version)

    def count_up(self, kind: str, source: str, above: int) -> None:
        """Let MLflow's next number lie above that one.

        It counts by itself and reuses nothing, so versions of no run are made and dropped until it is there.
        """
        found = self.client.search_model_versions(f"name='{kind}'", max_results=MOST)
        last = max((int(each.version) for each in found), default=0)
        while last < above:
            last = int(self.client.create_model_version(kind, source).version)
            self.client.delete_model_version(kind, str(last))

    def kept_number(self, kind: str) -> int:
        """The highest number of a version whose files lie here still; 0: there is none, or none says its number."""
        numbers = [0]
        for path in (self.folder / ARTIFACTS).glob(f"*/{NUMBER}"):
            with suppress(OSError, ValueError, KeyError):
                facts = read_sealed(path)
                numbers += [facts["number"]] if facts["kind"] == kind else []
        return max(numbers)

    def aliases(self) -> dict[str, dict[str, int]]:
        """Of each kind, the number of the version behind every alias."""
        with in_words(self.path):
            found = self.client.search_registered_models(max_results=1000)
        return {model.name: {alias: int(number) for alias, number in model.aliases.items()} for model in found}

    def point(self, kind: str, alias: str, number: int | None) -> None:
        """Let an alias name that version; None: take it away."""
        with in_words(self.path):
            if number is None:
                self.client.delete_registered_model_alias(kind, alias)
            else:
                self.client.set_registered_model_alias(kind, alias, str(number))

    def runs(self) -> dict[str, Run]:
        """All runs by their id, whether a version was made of them or not; `is_ours` tells those of others apart."""
        with in_words(self.path):
            experiment = self.experiment()
            found = self.client.search_runs([experiment], max_results=MOST) if experiment else []
        return {run.info.run_id: run for run in found}

    def versions(self) -> list[Version]:
        """Newest first, kind by kind, without an alias."""
        runs = {run_id: run for run_id, run in self.runs().items() if is_ours(run)}
        with in_words(self.path):
            found = self.client.search_model_versions(max_results=MOST)
        made = [version_of(each.name, int(each.version), runs[each.run_id]) for each in found if each.run_id in runs]
        return sorted(made, key=lambda each: (each.kind, -each.number))

    def drop_version(self, old: Version) -> None:
        with in_words(self.path):
            self.client.delete_model_version(old.kind, str(old.number))

    def drop_run(self, run_id: str) -> None:
        """MLflow keeps the bare row of a deleted run, marked as such; its gc would look for files at old addresses."""
        with in_words(self.path):
            self.client.delete_run(run_id)

    def folders(self) -> list[Path]:
        """Those of the files of runs, finished or not."""
        return sorted(path for path in (self.folder / ARTIFACTS).glob("*") if path.is_dir())


def described(file: Path, facts: Facts) -> dict[str, str]:
    return {
        "kind": facts.kind,
        "recipe": facts.recipe,
        "cut_off": as_text(facts.cut_off),
        "fingerprint": facts.fingerprint,
        "format": str(facts.format),
        "written_by": written_by(),
        "file": file.name,
        "size": str(file.stat().st_size),
        "sha256": digest(file),
        "kept": json.dumps({path.name: digest(path) for path in facts.artefacts}),
    }


def is_ours(run: Run) -> bool:
    """Whether it was recorded here; a person may log further ones into the same store."""
    return f"{TAG}sha256" in run.data.tags


def version_of(kind: str, number: int, run: Run) -> Version:
    """What a run says about the model file that was made in it."""
    tags = {name.removeprefix(TAG): value for name, value in run.data.tags.items() if name.startswith(TAG)}
    return Version(
        kind=kind,
        number=number,
        run_id=run.info.run_id,
        recipe=tags["recipe"],
        path=f"{FOLDER}/{ARTIFACTS}/{run.info.run_id}/artifacts/{MODEL}/{tags['file']}",
        size=int(tags["size"]),
        sha256=tags["sha256"],
        kept=json.loads(tags.get("kept", "{}")),
        cut_off=as_instant(tags["cut_off"]),
        fingerprint=tags["fingerprint"],
        format=int(tags["format"]),
        written_by=tags["written_by"],
        recorded_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC).replace(tzinfo=None),
        parameters=dict(run.data.params),
        metrics=dict(run.data.metrics),
    )


def as_text(instant: datetime) -> str:
    return f"{instant.isoformat()}Z"


def as_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def opened(path: Path) -> MlflowClient:
    """A client of the store at that path.

    Raises
    ------
    StoreUnusable
        It is no such store, or one of another version of MLflow.
    """
    check_readable(path)
    tell_libraries(ENVIRONMENT)
    with in_words(path):
        if not path.exists():
            make(path)
        return client(path)


def check_readable(path: Path) -> None:
    """MLflow would try for two minutes to open what is no database, and take a `%` or `?` in an address as a code."""
    if any(sign in str(path.absolute()) for sign in "%?"):
        raise StoreUnusable(
            f"{path}: MLflow cannot keep its store in a folder whose name holds % or ?.",
            next_step="Use another --home.",
        )
    try:
        if path.exists():
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("select count(*) from sqlite_master")
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def make(path: Path) -> None:
    """A new store, made beside and renamed: one that was left half made could never be opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{STORE}*"):
        leftover.unlink()
    # MLflow remembers the stores it opened by their name, so no name may come twice.
    beside = path.with_name(f".{STORE}.{uuid4().hex}{UNFINISHED}")
    client(beside)
    fsync(beside)
    put_in_place(beside, path)


def client(path: Path) -> MlflowClient:
    from mlflow import MlflowClient

    address = f"sqlite:///{path.absolute()}"
    return MlflowClient(tracking_uri=address, registry_uri=address)


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Within the block, what MLflow or its database refuses is raised in words."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: Exception) -> StoreUnusable:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return StoreUnusable(
        f"{path}: MLflow's store cannot be used: {reason}. The champion goes on serving.",
        next_step="Move the file away, then train into a new one: shipcast train",
        file=str(path),
    )

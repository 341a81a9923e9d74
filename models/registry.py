"""Trained models of a home: recorded in MLflow, promoted in a sealed list that serving reads, checked before each use.

To serve takes `champion` and `checked`, which read the list and the model file and import no MLflow. The list is the
truth about who is champion; MLflow's alias follows it. The registry never reads what is in a model file. Digests tell
what was damaged or exchanged, not what somebody made who can write the list too: a reader must not trust its content.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from shipcast.models.errors import ModelDamaged, ModelMissing, NewerModel, OlderModel, StoreUnusable
from shipcast.models.recorded import Recorded, keep, last_read, state_of
from shipcast.models.tracking import (
    ARTIFACTS,
    CHALLENGER,
    FOLDER,
    FORMAT,
    STORE,
    Facts,
    Store,
    Version,
    as_instant,
    as_text,
    is_ours,
)
from shipcast.settings.errors import ModelError
from shipcast.settings.files import digest, read_sealed, write_sealed
from shipcast.warehouse.damage import told

__all__ = ["FORMAT", "Champion", "Facts", "Registry", "Version", "artefact", "champion", "checked", "promoted"]

POINTER = "champions.json"
LAYOUT = 2  # of that file
CHAMPION = "champion"
FAILURE = "failure"
EARLIER = 5  # champions that stay in the list behind the present one
TRAIN = "Train another: shipcast train"
REBUILD_OR_TRAIN = "Let MLflow's record mend it with `shipcast doctor --repair`, or train another: shipcast train"
TRAIN_OR_BACK = "Train another with `shipcast train`, or go back to the earlier champion: shipcast train --rollback"


@dataclass(frozen=True)
class Champion:
    """A model that answers questions, as of its cut-off and later.

    Parameters
    ----------
    path, size
        Of the model file, below the home and in bytes.
    cut_off, promoted_at
        Naive UTC.
    kept
        The SHA-256 of each further file, by name. Empty: a list of layout 1 says nothing of them.
    """

    kind: str
    recipe: str
    version: int
    run_id: str
    path: str
    size: int
    sha256: str
    format: int
    cut_off: datetime
    promoted_at: datetime
    kept: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, version: Version) -> Champion:
        """The entry of a version that is promoted now."""
        same = {name: getattr(version, name) for name in cls.__dataclass_fields__ if hasattr(version, name)}
        return cls(**same, version=version.number, promoted_at=datetime.now(UTC).replace(tzinfo=None))

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Champion:
        return cls(
            **{**facts, "cut_off": as_instant(facts["cut_off"]), "promoted_at": as_instant(facts["promoted_at"])}
        )

    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "cut_off": as_text(self.cut_off), "promoted_at": as_text(self.promoted_at)}


def champion(home: Path, at: datetime, kind: str = FAILURE) -> Champion | None:
    """Who answers a question as of that time (naive UTC): the last promoted of those whose cut-off is not after it.

    A model that learned from later data would know what a question about the past must not. None: there is no such
    model, or nothing was ever trained here.

    Raises
    ------
    ModelMissing
        The list of champions is lost.
    ModelDamaged
        It is damaged.
    NewerModel
        A later version of Shipcast wrote it.
    """
    return next((entry for entry in reversed(promoted(home, kind)) if entry.cut_off <= at), None)


def checked(home: Path, entry: Champion) -> Path:
    """The model file of a champion, after every byte of it was held against what was recorded.

    Raises
    ------
    ModelMissing
        It isn't there.
    ModelDamaged
        It is shorter, longer or other than recorded.
    NewerModel, OlderModel
        It has a format that this version does not read.
    """
    path, name = home / entry.path, f"version {entry.version} of the {entry.kind} model"
    facts: dict[str, Any] = {"next_step": TRAIN_OR_BACK, "file": str(path), "version": entry.version}
    if entry.format > FORMAT:
        raise NewerModel(f"{path}: {name} has format {entry.format}; this version reads up to {FORMAT}.", **facts)
    if entry.format < FORMAT:
        raise OlderModel(f"{path}: {name} has format {entry.format}; this version reads {FORMAT} alone.", **facts)
    try:
        size = path.stat().st_size
        if size != entry.size:
            raise ModelDamaged(f"{path}: {name} has {size:,} bytes instead of {entry.size:,}.", **facts)
        if digest(path) != entry.sha256:
            raise ModelDamaged(f"{path}: {name} is not the file that was recorded: its SHA-256 differs.", **facts)
    except FileNotFoundError as error:
        raise ModelMissing(f"{path}: {name} is missing.", **facts) from error
    except OSError as error:
        raise ModelDamaged(f"{path}: {name} cannot be read: {error.strerror}.", **facts) from error
    return path


def artefact(home: Path, entry: Champion, name: str) -> Path:
    """A further file of a champion, after every byte of it was held against what was recorded.

    Of one that a list of layout 1 names no more is known than that it is there.

    Raises
    ------
    ModelMissing
        It isn't there.
    ModelDamaged
        It is other than recorded.
    """
    path = (home / entry.path).parent.parent / name
    whose = f"{name}, kept with version {entry.version} of the {entry.kind} model,"
    facts: dict[str, Any] = {"next_step": TRAIN_OR_BACK, "file": str(path), "version": entry.version}
    try:
        found = digest(path)
    except FileNotFoundError as error:
        raise ModelMissing(f"{whose} is missing: {path}.", **facts) from error
    except OSError as error:
        raise ModelDamaged(f"{whose} cannot be read ({error.strerror}): {path}.", **facts) from error
    if entry.kept.get(name, found) != found:
        raise ModelDamaged(f"{whose} is not the file that was recorded, since its SHA-256 differs: {path}.", **facts)
    return path


def promoted(home: Path, kind: str | None = None) -> list[Champion]:
    """The champions of that kind (None: of all), in the order in which they were promoted.

    Raises
    ------
    ModelMissing, ModelDamaged, NewerModel
        As `champion`.
    """
    pointer = home / FOLDER / POINTER
    try:
        facts = read_sealed(pointer)
        if facts["layout"] > LAYOUT:
            raise NewerModel(
                f"{pointer} was written by a later version of Shipcast.",
                next_step="Use that version.",
                file=str(pointer),
            )
        entries = [Champion.from_facts(entry) for entry in facts["champions"]]
    except FileNotFoundError as error:
        if not has_models(home):
            return []
        raise ModelMissing(
            f"{pointer} is missing: it says which of the models that lie beside it serves.",
            next_step=REBUILD_OR_TRAIN,
            file=str(pointer),
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelDamaged(
            f"{pointer} is damaged or cannot be read: {error}.", next_step=REBUILD_OR_TRAIN, file=str(pointer)
        ) from error
    return [entry for entry in entries if kind in (None, entry.kind)]


class Registry:
    """Records, promotes, rolls back and removes trained models.

    Hold `warehouse.lock.run_lock` around every call but `versions`, which only reads. A kill at any moment leaves the
    champions as they were or as they were to become; the next call lets MLflow's alias follow, and `prune` removes
    what is left of a recording.

    Raises
    ------
    StoreUnusable
        From every method: MLflow's store is damaged, or of another version of MLflow.
    StorageError
        From every method that writes: no space, no permission.
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    @cached_property
    def store(self) -> Store:
        return Store(self.home)

    def record(self, file: Path, facts: Facts) -> Version:
        """Keep a copy of a finished model file and its facts, as a new version that is the challenger of its kind."""
        with told(self.home / FOLDER):
            self.begin()
            self.follow()
            above = max((entry.version for entry in self.known() if entry.kind == facts.kind), default=0)
            return replace(self.store.record(file, facts, above), alias=CHALLENGER)

    def begin(self) -> None:
        """Write an empty list of champions before the first model is kept, so that one which is missing was lost."""
        if not (self.home / FOLDER / POINTER).exists() and not has_models(self.home):
            (self.home / FOLDER).mkdir(parents=True, exist_ok=True)
            write_list(self.home, [])

    def promote(self, version: Version) -> Champion:
        """Make a version the champion, once its file was checked.

        A lost or damaged list of champions is begun anew: those that were in it are recorded still, but answer no more.

        Raises
        ------
        ModelMissing, ModelDamaged, NewerModel
            As `checked`; the champion so far goes on serving.
        """
        entry = Champion.of(version)
        with champion_stays():
            checked(self.home, entry)
        others = [earlier for earlier in self.known() if earlier.run_id != entry.run_id]
        self.write([*others, entry])
        return entry

    def rollback(self, kind: str = FAILURE) -> Champion:
        """Make the champion before the present one champion again, once its file was checked.

        The present one is dropped from the list, not passed over by a second entry of the earlier one: it was found
        wanting, so it must not answer questions about the past either, and the next rollback goes one further back.
        It stays recorded, and may be promoted again.

        Raises
        ------
        ModelMissing
            There is none before, or its file or the list is gone; the champion stays.
        ModelDamaged, NewerModel
            As `checked` and `champion`; the champion stays.
        """
        entries = promoted(self.home)
        own = [entry for entry in entries if entry.kind == kind]
        if len(own) < 2:
            now = f"version {own[0].version} is the first champion" if own else "there has been no champion"
            raise ModelMissing(f"{self.home}: {now} of the {kind} model, with none before it.", next_step=TRAIN)
        with champion_stays():
            checked(self.home, own[-2])
        self.write([entry for entry in entries if entry != own[-1]])
        return own[-2]

    def rebuild(self) -> list[Champion]:
        """Where the list of champions is lost or damaged, make those champions whom MLflow's aliases name.

        Whoever was champion before them, for questions about the past, is known to nobody any more.

        Raises
        ------
        ModelMissing, ModelDamaged, NewerModel
            As `checked`.
        """
        try:
            promoted(self.home)
        except (ModelMissing, ModelDamaged):
            if not (self.home / FOLDER / STORE).exists():
                return []
            named = {(kind, numbers.get(CHAMPION)) for kind, numbers in self.store.aliases().items()}
            return [self.promote(each) for each in self.store.versions() if (each.kind, each.number) in named]
        return []

    def versions(self) -> list[Version]:
        """What was recorded and not pruned, newest first, kind by kind."""
        if not (self.home / FOLDER / STORE).exists():
            return []
        found, named = self.recorded(), self.present()
        challengers = {(kind, known.get(CHALLENGER)) for kind, known in found.aliases.items()}
        return [
            replace(each, alias=CHAMPION)
            if named.get(each.kind) == each.run_id
            else replace(each, alias=CHALLENGER if (each.kind, each.number) in challengers else None)
            for each in found.versions
        ]

    def recorded(self) -> Recorded:
        """What the store holds, which is asked only where it has changed since it was asked last."""
        found = last_read(self.home)
        if found is None:
            store, state = self.store, state_of(self.home)
            found = Recorded(store.versions(), store.aliases())
            keep(self.home, found, state)
        return found

    def prune(self, keep: int) -> list[Version]:
        """Remove all but the newest `keep` versions of each kind, with runs and files, and give what was removed.

        Champions that the list names stay, and challengers. What a killed recording left behind goes: files without a
        run, runs without a version.

        Raises
        ------
        ModelMissing, ModelDamaged, NewerModel
            As `champion`: who must stay is not known, so nothing was removed.
        """
        champions = {entry.run_id for entry in promoted(self.home)}
        with told(self.home / FOLDER):
            self.follow()
            known = self.versions()
            kinds = groupby(known, attrgetter("kind"))
            newest = {each.run_id for _, versions in kinds for each in islice(versions, keep)}
            staying = champions | newest | {each.run_id for each in known if each.alias == CHALLENGER}
            removed = [each for each in known if each.run_id not in staying]
            for old in removed:
                self.store.drop_version(old)
            self.sweep(staying)
            self.recorded()  # so that to know them takes no MLflow
        return removed

    def sweep(self, staying: set[str]) -> None:
        """Remove our runs but those named, and the folders of files that belong to no run."""
        runs = self.store.runs()
        gone = {run_id for run_id, run in runs.items() if is_ours(run)} - staying
        for run_id in gone:
            self.store.drop_run(run_id)
        for folder in self.store.folders():
            if folder.name not in staying | runs.keys() - gone:
                shutil.rmtree(folder)

    def write(self, entries: list[Champion]) -> None:
        """Put the list of champions in force, then let MLflow's alias follow."""
        with told(self.home / FOLDER):
            write_list(self.home, latest(entries))
            with suppress(StoreUnusable):  # going back must not depend on MLflow, whose alias can follow later
                self.follow()

    def follow(self) -> None:
        """Let MLflow's aliases say what the list of champions says; a champion is no challenger any more."""
        numbers = {each.run_id: each.number for each in self.store.versions()}
        aliases = self.store.aliases()
        for kind, run_id in self.present().items():
            number, known = numbers.get(run_id), aliases.get(kind, {})
            if number is not None and number != known.get(CHAMPION):
                self.store.point(kind, CHAMPION, number)
            if number is not None and number == known.get(CHALLENGER):
                self.store.point(kind, CHALLENGER, None)

    def present(self) -> dict[str, str]:
        """Of each kind, the run of the champion."""
        return {entry.kind: entry.run_id for entry in self.known()}

    def known(self) -> list[Champion]:
        """All champions; none where the list is lost or damaged, since nothing but a promotion mends it."""
        try:
            return promoted(self.home)
        except (ModelMissing, ModelDamaged):
            return []


def has_models(home: Path) -> bool:
    """Whether files of trained models lie in the home, finished or not."""
    return any((home / FOLDER / ARTIFACTS).glob("*/"))


def write_list(home: Path, entries: list[Champion]) -> None:
    facts = [entry.facts() for entry in entries]
    write_sealed(home / FOLDER / POINTER, {"layout": LAYOUT, "champions": facts})


def latest(entries: list[Champion]) -> list[Champion]:
    """Of each kind the present champion and those just before it."""
    kinds = dict.fromkeys(entry.kind for entry in entries)
    return [last for kind in kinds for last in [entry for entry in entries if entry.kind == kind][-1 - EARLIER :]]


@contextmanager
def champion_stays() -> Iterator[None]:
    """Within the block, a model that is refused was to become champion."""
    try:
        yield
    except ModelError as error:
        error.next_step = f"The champion stays as it was. {TRAIN}"
        raise

"""A home in one file: copied while nothing else writes, verified before anything is put back."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from shipcast.settings.errors import StorageError
from shipcast.settings.files import SEAL, UNFINISHED, fsync, put_in_place, seal
from shipcast.warehouse.connection import MARTS_FILE, SPILL_FOLDER, WORK_FILE, checkpoint, open_work
from shipcast.warehouse.damage import told
from shipcast.warehouse.errors import BackupRefused, NothingPublished
from shipcast.warehouse.integrity import faults, leftovers
from shipcast.warehouse.lock import HOLDER_FILE, LEDGER_LOCK_FILE, LOCK_FILE, OUTBOX_LOCK_FILE, TOKENS_LOCK_FILE
from shipcast.warehouse.migration import FORMAT, newer, written_by
from shipcast.warehouse.snapshot import DAMAGED, FOLDER, STAMP, current

MANIFEST = "manifest.json"
LAYOUT = "shipcast/backup/1"
LOCKS = (LOCK_FILE, HOLDER_FILE, LEDGER_LOCK_FILE, OUTBOX_LOCK_FILE, TOKENS_LOCK_FILE)
# What a server writes while a backup is made, and who may ask it.
OF_SERVERS = ("inbox.sqlite", "inbox.sqlite-wal", "inbox.sqlite-shm", "tokens.json")
# Made again by the next command, or of no use elsewhere.
LEFT_OUT = (*LOCKS, *OF_SERVERS, MARTS_FILE, SPILL_FOLDER, "dbt", "demo", "models/matplotlib")
LEFT_OUT_ENDINGS = (DAMAGED, ".unreadable", UNFINISHED, ".wal")
CHUNK = 2**20


@dataclass(frozen=True)
class Backup:
    """A backup that was made or put back: the file, what is in it, and where a replaced home lies now."""

    path: Path
    files: Mapping[str, int]
    replaced: Path | None = None


class Hashed(io.RawIOBase):
    """A file that is read once, its digest taken on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.sha256.update(data)
        return data


def backup(home: Path, target: Path) -> Backup:
    """Copy a home into one file; hold `run_lock` and `ledger_lock` around it.

    Parameters
    ----------
    target
        A file that does not exist yet, or a folder in which one named after the present time is made.

    Raises
    ------
    BackupRefused
        There is nothing to copy, the target is there already or lies in the home, or the home is damaged.
    StorageError
        No space, no permission; the target is then not there.
    """
    path = chosen_name(home, target)
    check_sound(home)
    with told(path):
        if (home / WORK_FILE).exists():
            with open_work(home) as connection:
                checkpoint(connection, home)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(path) as beside:
            sizes = write_archive(home, beside)
    return Backup(path, sizes)


def chosen_name(home: Path, target: Path) -> Path:
    stamp = datetime.now(UTC).strftime(STAMP)
    path = target / f"shipcast-{stamp}.tar" if target.is_dir() else target
    if path.exists():
        raise BackupRefused(f"{path} is there already.", next_step="Name another file, or a folder.")
    if path.absolute().resolve().is_relative_to(home.absolute().resolve()):
        raise BackupRefused(
            f"{path} lies in the home {home}, and would be lost with it.", next_step="Name a file outside of it."
        )
    return path


def check_sound(home: Path) -> None:
    """Nothing, if every byte of the home can be read."""
    if not home.exists() or not files_of(home):
        raise BackupRefused(f"{home} holds nothing yet.", next_step="See `shipcast doctor`.")
    broken = next((fault for fault in faults(home) if fault.is_broken), None)
    if broken:
        raise BackupRefused(f"{home} is damaged, nothing was copied: {broken.finding}", next_step=broken.remedy)


def files_of(home: Path) -> list[Path]:
    """What a backup holds: the work database, the published snapshot, settings, calendars, models: all that is kept."""
    try:
        published = home / FOLDER / current(home).file
    except NothingPublished:
        published = home / FOLDER / "none"
    useless = {*leftovers(home)}
    return [
        path
        for path in sorted(home.rglob("*"))
        if path.is_file()
        and not any(path.is_relative_to(home / name) for name in LEFT_OUT)
        and not path.name.endswith(LEFT_OUT_ENDINGS)
        and path not in useless
        and (path.parent != home / FOLDER or path == published)
    ]


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A file to write, which takes its name when the block ends well and is removed when it does not."""
    beside = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        yield beside
        fsync(beside)
        put_in_place(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_archive(home: Path, path: Path) -> dict[str, int]:
    """The files and, last, a manifest with the digest of each; the size of each by name."""
    listed: dict[str, dict[str, Any]] = {}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for source in files_of(home):
            name = source.relative_to(home).as_posix()
            info = archive.gettarinfo(str(source), name)
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            with source.open("rb") as file:
                hashed = Hashed(file)
                archive.addfile(info, hashed)
            listed[name] = {"bytes": info.size, "sha256": hashed.sha256.hexdigest()}
        facts = {"layout": LAYOUT, "format": FORMAT, "written_by": written_by(), "files": listed}
        text = json.dumps({**facts, SEAL: seal(facts)}, indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    return {name: facts["bytes"] for name, facts in listed.items()}


def restore(source: Path, home: Path, *, force: bool = False) -> Backup:
    """Put a backup in the place of a home; hold `run_lock` around it.

    Every file is written beside the home and held against the manifest; only then is the folder renamed. With `force`
    a home that holds something is renamed, not deleted.

    Raises
    ------
    BackupRefused
        The file is no backup or damaged, or the home holds something and `force` is not given.
    NewerHome
        A later version of Shipcast wrote the backup.
    """
    kept = [path for path in home.iterdir() if path.name not in LOCKS] if home.exists() else []
    if kept and not force:
        raise BackupRefused(
            f"{home} is not empty; nothing was restored.",
            next_step="Restore into another home (--home DIR), or let --force set this one aside.",
        )
    stamp = datetime.now(UTC).strftime(STAMP)
    beside = home.with_name(f".{home.name}-{stamp}{UNFINISHED}")
    aside = home.with_name(f"{home.name}-{stamp}.replaced")
    with told(home):
        try:
            sizes = extract(source, beside)
            swap(beside, home, aside)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        if not kept:
            shutil.rmtree(aside, ignore_errors=True)
    return Backup(source, sizes, aside if kept else None)


def swap(new: Path, home: Path, aside: Path) -> None:
    """Rename the old folder away and the new one into its place; if that fails, the old one comes back."""
    home.replace(aside)
    try:
        put_in_place(new, home)
    except BaseException:
        aside.replace(home)
        raise


def extract(source: Path, folder: Path) -> dict[str, int]:
    """Write the files of a backup into a new folder, each held against the manifest; the size of each by name."""
    try:
        with tarfile.open(source, "r:") as archive:
            listed = read_manifest(archive, source)
            members = {member.name: member for member in archive.getmembers() if member.name != MANIFEST}
            if set(members) != set(listed) or not all(is_plain(member) for member in members.values()):
                raise damaged(source, "its files are not those of its manifest")
            folder.mkdir()
            for name, member in members.items():
                extract_one(archive, member, folder / name, listed[name]["sha256"], source)
    except (tarfile.TarError, EOFError, KeyError, ValueError, TypeError) as error:
        raise damaged(source, str(error)) from error
    for path in {folder, *(path for path in folder.rglob("*") if path.is_dir())}:
        fsync(path)
    return {name: facts["bytes"] for name, facts in listed.items()}


def read_manifest(archive: tarfile.TarFile, source: Path) -> dict[str, dict[str, Any]]:
    file = archive.extractfile(MANIFEST)
    facts = json.loads(file.read()) if file else None
    if not isinstance(facts, dict) or facts.pop(SEAL, None) != seal(facts):
        raise damaged(source, "its manifest is not what was written")
    if facts["layout"] != LAYOUT or facts["format"] > FORMAT:
        raise newer(source, facts["format"], facts["written_by"])
    listed: dict[str, dict[str, Any]] = facts["files"]
    return listed


def is_plain(member: tarfile.TarInfo) -> bool:
    """Whether it is a file that lies within the folder it is put into."""
    name = PurePosixPath(member.name)
    return member.isreg() and not name.is_absolute() and ".." not in name.parts


def extract_one(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, expected: str, source: Path) -> None:
    content = archive.extractfile(member)
    assert content is not None
    hashed = Hashed(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(hashed, file, CHUNK)
    fsync(path)
    if hashed.sha256.hexdigest() != expected:
        raise damaged(source, f"{member.name} is not what was copied")


def damaged(source: Path, why: str) -> StorageError:
    return BackupRefused(
        f"{source} is no backup of Shipcast, or damaged: {why.rstrip('.')}. Nothing was restored.",
        next_step="Use another backup, or load your sources into a new home: --home DIR.",
        file=str(source),
    )

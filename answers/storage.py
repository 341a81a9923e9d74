"""What the verbs say that copy a home or put it back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from shipcast.answers.operations import WrittenAnswer, written_answer
from shipcast.answers.words import plural
from shipcast.scheduling.ledger.chain import LEDGER_FILE
from shipcast.scheduling.ledger.ledger import read_ledger
from shipcast.settings import Settings
from shipcast.warehouse.backup import Backup, backup, restore
from shipcast.warehouse.errors import BackupRefused
from shipcast.warehouse.lock import ledger_lock, run_lock


def backup_answer(settings: Settings, as_of: datetime, target: Path) -> WrittenAnswer:
    """The file that the home was copied to."""
    with run_lock(settings.home, "backup"), ledger_lock(settings.home):
        check_ledger(settings.home)
        made = backup(settings.home, target)
    return written_answer({made.path: None}, f"Copied {told(made)} of {settings.home} to {made.path}.", as_of)


def check_ledger(home: Path) -> None:
    """Nothing, if every entry of the ledger is as it was written.

    Raises
    ------
    BackupRefused
    """
    fault = read_ledger(home).fault
    if fault is not None:
        raise BackupRefused(
            f"{home} is damaged, nothing was copied: {LEDGER_FILE}: {fault.says}.",
            next_step="`shipcast audit verify` checks it; docs/bookings.md says how to go on.",
        )


def restore_answer(settings: Settings, as_of: datetime, source: Path, *, force: bool) -> WrittenAnswer:
    """The files that were put back, and where a home that was replaced lies now."""
    with run_lock(settings.home, "restore"), ledger_lock(settings.home):
        made = restore(source, settings.home, force=force)
    replaced = f" What it held before lies in {made.replaced}." if made.replaced else ""
    files = {settings.home / name: None for name in made.files}
    return written_answer(files, f"Restored {told(made)} to {settings.home}.{replaced}", as_of)


def told(made: Backup) -> str:
    return f"{plural(len(made.files), 'file')} ({sum(made.files.values()) / 2**20:,.1f} MiB)"

"""What MLflow's store holds, as it was read last: to know it again imports no MLflow, which takes seconds.

The store is the truth: what was kept counts as long as the store is as it was, which SQLite's header says.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shipcast.models.tracking import FOLDER, STORE, Version, as_instant, as_text
from shipcast.settings.files import read_sealed, write_sealed

KEPT = "recorded.json"
HEADER = 100  # bytes
CHANGES = slice(24, 28)  # how often SQLite has changed the file: https://sqlite.org/fileformat.html, 1.3.7
INSTANTS = ("cut_off", "recorded_at")


@dataclass(frozen=True)
class Recorded:
    """Newest first, kind by kind, and without an alias; of each kind, the number behind every alias."""

    versions: list[Version]
    aliases: Mapping[str, Mapping[str, int]]


def state_of(home: Path) -> str:
    """What tells the store's content from any other that it had.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with (home / FOLDER / STORE).open("rb") as file:
        header, size = file.read(HEADER), file.seek(0, 2)
    return f"{header[CHANGES].hex()} {size}"


def last_read(home: Path) -> Recorded | None:
    """What was kept of the store as it is; None: nothing was, or it has changed since."""
    try:
        facts = read_sealed(home / FOLDER / KEPT)
        if facts["store"] != state_of(home):
            return None
        return Recorded([version_from(each) for each in facts["versions"]], facts["aliases"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep(home: Path, found: Recorded, state: str) -> None:
    """Keep what was read of the store, which was in that state before; where nothing can be written, it is not kept."""
    facts = {"store": state, "versions": [facts_of(each) for each in found.versions], "aliases": found.aliases}
    with suppress(OSError):
        write_sealed(home / FOLDER / KEPT, facts)


def facts_of(version: Version) -> dict[str, Any]:
    return {**asdict(version), **{name: as_text(getattr(version, name)) for name in INSTANTS}}


def version_from(facts: Mapping[str, Any]) -> Version:
    return Version(**{**facts, **{name: as_instant(facts[name]) for name in INSTANTS}})

"""What was kept with the champion beside its model file, believed only if it is what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from shipcast.models.registry import Champion, artefact
from shipcast.settings.errors import ModelError

Content = TypeVar("Content")


def kept(home: Path, entry: Champion, name: str, read: Callable[[Path], Content | str]) -> Content | str:
    """What a file of that name holds, or why that is unknown, in a sentence."""
    try:
        return read(artefact(home, entry, name))
    except ModelError as error:
        return error.detail

"""A home of one's own, files written in sight, and the raw tables read back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipcast.ingest.files import LoadReport, ingest_files
from shipcast.settings import Settings
from shipcast.warehouse.connection import WORK_FILE, open_beside, open_work


class Desk:
    """A folder of input files and the home they are loaded into, a copy of a new one."""

    def __init__(self, folder: Path, new: Path) -> None:
        self.files = folder / "files"
        self.files.mkdir()
        self.settings = Settings(home=shutil.copytree(new, folder / "home"))

    def write(self, files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = self.files / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.files

    def load(self, files: dict[str, str | bytes], **options: Any) -> LoadReport:
        return ingest_files(self.settings, [self.write(files)], **options)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with open_beside(self.settings.home / WORK_FILE) as connection:  # opening to write takes five times as long
            return connection.execute(query, parameters).fetchall()


@pytest.fixture(scope="session")
def new_home(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A home that nothing was loaded into; to make its tables takes a third of a small load."""

    def make(folder: Path) -> None:
        with open_work(folder):
            pass

    return once("new", make)


@pytest.fixture
def desk(tmp_path: Path, new_home: Path) -> Desk:
    return Desk(tmp_path, new_home)


@pytest.fixture
def one_service(desk: Desk) -> Callable[[str | bytes], LoadReport]:
    """Load a services.csv with this content."""
    return lambda content: desk.load({"services.csv": content})

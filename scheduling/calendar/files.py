"""Where a calendar lies."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from shipcast.settings import Settings
from shipcast.settings.sources import ArgocdSource

FILE_NAME = "calendar.toml"
IMPORTED = "calendars"  # the folder of a home that holds what was imported
READ = f"{IMPORTED}/sources"  # that of what was read from sources
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def calendar_files(settings: Settings, given: Path | None = None) -> tuple[Path, ...]:
    """The files that make up the calendar: the one given; else the home's or the current folder's, and the imports.

    What was read from a source counts as long as the settings want it of that source.
    """
    if given is not None:
        return (given,)
    home = settings.home
    own = next((path for path in (home / FILE_NAME, Path(FILE_NAME).absolute()) if path.is_file()), None)
    read = [path for each in wanted(settings) if (path := path_of(home, each)).is_file()]
    imported = [*(home / IMPORTED).glob("*.json"), *read]
    return (*([own] if own else []), *sorted(imported))


def wanted(settings: Settings) -> list[ArgocdSource]:
    """The sources whose sync windows the settings want."""
    return [each for each in settings.sources if isinstance(each, ArgocdSource) and each.sync_windows]


def unread(settings: Settings) -> list[str]:
    """Those of them that were not read yet, by the name that they have now, each in a sentence."""
    return [
        f"The sync windows of {each.label} were not read yet: what they forbid is not known before the next "
        "`shipcast run`."
        for each in wanted(settings)
        if not path_of(settings.home, each).is_file()
    ]


def path_of(home: Path, source: ArgocdSource) -> Path:
    """The file that holds the sync windows of a source."""
    return home / READ / f"{name_after(source.label)}.json"


def name_after(label: str) -> str:
    """The name of the import of a source, by what messages call that; no two sources share one.

    >>> name_after("argocd argocd.example.com shop"), name_after("argocd localhost:8080")
    ('argocd_argocd.example.com_shop', 'argocd_localhost_8080-28d26488')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", label)
    if plain == label.replace(" ", "_") and NAME.fullmatch(plain):
        return plain
    return f"{plain[:50]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"

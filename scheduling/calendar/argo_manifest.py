"""Manifests of Argo CD's projects, as `kubectl get appproject` and `argocd proj get` print them, and our own export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from shipcast.scheduling.calendar.argo_reading import NOTHING, of_manifest, understood
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.imported import Wanted, read_bytes

LARGEST = 2 * 2**20  # a cluster holds no object of more, and what reads YAML takes its time
NOT_IMPORTED = "Nothing was imported."


def imported_manifest(path: Path, wanted: Wanted) -> tuple[list[dict[str, Any]], list[str]]:
    """The windows of the projects in a manifest, as a calendar file has them, and what is to be said of them.

    Raises
    ------
    CalendarError
        The file, or one of its windows, cannot be understood; nothing of it is taken.
    """
    found = [*projects(path)]
    if not found:
        raise refused(path, "there is no AppProject in it")
    windows = [(name, number, given) for name, listed in found for number, given in enumerate(listed)]
    return of_manifest(understood(str(path), windows, NOT_IMPORTED), wanted)


def refused(path: Path, said: str) -> CalendarError:
    return CalendarError(f"{path}: {said}.", next_step=NOT_IMPORTED, file=str(path))


def projects(path: Path) -> Iterator[tuple[str, list[Any]]]:
    """The projects of a manifest: the name of each, empty where it has none, and its windows."""
    for document in documents(path):
        listed = document.get("items") if isinstance(document, Mapping) and "items" in document else document
        for one in listed if isinstance(listed, list) else [listed]:
            if is_project(one):
                spec, meta = one["spec"], one.get("metadata")
                windows = spec.get("syncWindows") if isinstance(spec, Mapping) else None
                if not (isinstance(windows, list) or windows in NOTHING):
                    raise refused(path, "its syncWindows are no list")
                name = meta.get("name") if isinstance(meta, Mapping) else None
                yield str(name or ""), windows if isinstance(windows, list) else []


def is_project(one: object) -> bool:
    """Whether it is a project; those that `argocd` prints do not say what they are."""
    return isinstance(one, Mapping) and "spec" in one and one.get("kind", "AppProject") in ("AppProject", *NOTHING)


def documents(path: Path) -> list[Any]:
    """What the file holds; of YAML, whatever is no list and no object is text."""
    content = read_bytes(path)
    if len(content) > LARGEST:
        raise refused(path, f"a manifest has at most {LARGEST // 2**20} MiB")
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            return [json.loads(text)]
        return [*yaml.load_all(text, Loader=yaml.BaseLoader)]
    except UnicodeDecodeError as error:
        raise refused(path, f"it is no text in UTF-8 ({error.reason})") from error
    except RecursionError as error:
        raise refused(path, "it is nested too deeply") from error
    except (ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())[:150]
        raise refused(path, f"it is neither YAML nor JSON: {said}") from error

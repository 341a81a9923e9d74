"""A source written into `shipcast.toml`, behind all that stands there; the rest of the file is left as it is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shipcast.settings import FILE_NAME, settings_file
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.files import write_whole
from shipcast.settings.template import template


def add_source(home: Path, entry: Mapping[str, Any]) -> tuple[Path, bool]:
    """The settings file that holds the entry now, and whether it was added.

    Parameters
    ----------
    entry
        The keys of one `[[sources]]` entry, as TOML could hold them.

    Raises
    ------
    ConfigurationError
        The file cannot be read or written, or keeps its sources in a form to which nothing can be added.
    """
    path = settings_file(home) or home / FILE_NAME
    before = path.read_text(encoding="utf-8") if path.is_file() else template()
    if dict(entry) in [dict(each) for each in tomllib.loads(before).get("sources", []) if isinstance(each, dict)]:
        return path, False
    after = f"{before.rstrip()}\n\n{toml_entry(entry)}"
    try:
        tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path}: sources is no [[sources]] list, so nothing can be added behind it.",
            next_step=f"Add this by hand: {' '.join(toml_entry(entry).split())}",
        ) from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, [after])
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}.") from error
    return path, True


def toml_entry(entry: Mapping[str, Any]) -> str:
    """One `[[sources]]` entry as TOML.

    >>> print(toml_entry({"kind": "github", "environments": {"prod-eu": "live"}}), end="")
    [[sources]]
    kind = "github"
    environments = { "prod-eu" = "live" }
    """
    return "\n".join(["[[sources]]", *(f"{key} = {toml_value(value)}" for key, value in entry.items())]) + "\n"


def toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_value(key)} = {toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

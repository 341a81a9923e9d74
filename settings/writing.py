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
    is_new, target = not path.is_file(), path.resolve()
    before = template() if is_new else target.read_bytes().decode("utf-8")
    if dict(entry) in [dict(each) for each in tomllib.loads(before).get("sources", []) if isinstance(each, dict)]:
        return path, False
    end = "\r\n" if "\r\n" in before else "\n"
    after = f"{before.rstrip()}{end}{end}{toml_entry(entry).replace(chr(10), end)}"
    try:
        tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path}: sources is no list of [[sources]] entries, so none can be added behind it.",
            next_step="Take the line that begins with `sources =` out of it, by hand, and say this again.",
        ) from error
    if not is_new and not target.stat().st_mode & 0o200:
        raise ConfigurationError(f"{path}: it may only be read.", next_step=f"chmod u+w {path}, or add it by hand.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, [after], None if is_new else target.stat().st_mode & 0o777)
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

"""A source written into `shipcast.toml`, behind all that stands there or in the place of its old entry.

The rest of the file is left as it is.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shipcast.settings import FILE_NAME, settings_file
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.files import write_whole
from shipcast.settings.template import template

HEADER = re.compile(r"[ \t]*\[")
OWN_HEADER = re.compile(r"[ \t]*\[\[[ \t]*sources[ \t]*\]\]")
WITHIN = re.compile(r"[ \t]*\[+[ \t]*sources[ \t]*\.")  # of a table that belongs to the entry before
REMARK = re.compile(r"[ \t]*(#|\r?\n?$)")


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
    before = text_of(path)
    if dict(entry) in entries(before):
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
    write(path, after)
    return path, True


def replace_source(home: Path, entry: Mapping[str, Any], is_old: Callable[[Mapping[str, Any]], bool]) -> Path:
    """The settings file that holds the entry now, in the place of the first that is old; comments stay.

    Raises
    ------
    ConfigurationError
        As by `add_source`, or the old entry cannot be told from the rest of the file.
    """
    path = settings_file(home) or home / FILE_NAME
    before = text_of(path)
    known = entries(before)
    number = next(number for number, each in enumerate(known) if is_old(each))
    lines = before.splitlines(keepends=True)
    wanted = [dict(entry) if place == number else each for place, each in enumerate(known)]
    try:
        after = "".join(replaced(lines, number, entry))
        if tomllib.loads(after) != {**tomllib.loads(before), "sources": wanted}:
            raise ValueError("it would change more than the entry")
    except (ValueError, IndexError) as error:
        raise ConfigurationError(
            f"{path}: the entry cannot be told from the rest of the file; nothing was written.",
            next_step=f"Put into its place by hand: {', '.join(toml_entry(entry).splitlines()[1:])}",
        ) from error
    write(path, after)
    return path


def replaced(lines: Sequence[str], number: int, entry: Mapping[str, Any]) -> list[str]:
    """The lines of a file with another entry in the place of the one of that number; what is remarked in it stays.

    Raises
    ------
    IndexError
        There are not so many.
    """
    start = [place for place, line in enumerate(lines) if OWN_HEADER.match(line)][number]
    heads = [place for place, line in enumerate(lines) if HEADER.match(line) and not WITHIN.match(line)]
    stop = next((place for place in heads if place > start), len(lines))
    while REMARK.match(lines[stop - 1]):  # what stands before the next header is about that
        stop -= 1
    end = "\r\n" if lines[start].endswith("\r\n") else "\n"
    remarks = [line for line in lines[start:stop] if line.lstrip().startswith("#")]
    head, *keys = toml_entry(entry).replace("\n", end).splitlines(keepends=True)
    return [*lines[:start], head, *remarks, *keys, *lines[stop:]]


def text_of(path: Path) -> str:
    """What the file holds; a new one begins with the template."""
    return path.resolve().read_bytes().decode("utf-8") if path.is_file() else template()


def entries(text: str) -> list[Any]:
    """The `[[sources]]` entries of a settings file."""
    found = tomllib.loads(text).get("sources", [])
    return [dict(each) if isinstance(each, dict) else each for each in found] if isinstance(found, list) else []


def write(path: Path, text: str) -> None:
    is_new, target = not path.is_file(), path.resolve()
    if not is_new and not target.stat().st_mode & 0o200:
        raise ConfigurationError(f"{path}: it may only be read.", next_step=f"chmod u+w {path}, or add it by hand.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, [text], None if is_new else target.stat().st_mode & 0o777)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}.") from error


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

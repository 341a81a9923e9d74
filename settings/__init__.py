"""Settings: one frozen object; nothing else in Shipcast reads the environment.

Precedence: command-line flag > ``SHIPCAST_*`` variable > ``shipcast.toml`` > default. The file is looked for in the
home, then in the current folder.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shipcast.settings.channels import CHANNEL_KINDS, Channel, Channels
from shipcast.settings.errors import ConfigurationError, own_words
from shipcast.settings.sources import (
    KINDS,
    ExportSource,
    FilesSource,
    GitopsSource,
    GitSource,
    Names,
    Source,
    Sources,
    split_names,
)
from shipcast.settings.zone import Zone

__all__ = [
    "Channel",
    "ExportSource",
    "FilesSource",
    "GitSource",
    "GitopsSource",
    "Settings",
    "Source",
    "load_settings",
]

FILE_NAME = "shipcast.toml"
ENTRIES = {"sources": KINDS, "notify": CHANNEL_KINDS}  # what is a list of entries, each of some kind
FILE_KEYS = ("path", "mapping", "token_file", "user_file", "hook_file", "url_file", "secret_file", "password_file")


def check_memory(amount: str) -> str:
    if not re.fullmatch(r"\s*\d+(\.\d+)?\s*([KMGT]i?B|%)\s*", amount):
        raise ValueError(f"{amount!r} is not an amount of memory; write it such as 4 GiB or 50%")
    return amount.strip()


Memory = Annotated[str, AfterValidator(check_memory)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(split_names)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Everything a user may decide. A field's description is what `shipcast init` writes beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    home: Path = Field(Path(".shipcast"), description="The folder that holds everything Shipcast writes.")
    tz: Zone = Field("UTC", description="The zone in which days and weeks are reported (IANA name).")
    source_zone: Zone = Field("UTC", description="The zone of times in files that carry no offset (IANA name).")
    production_environments: Names = Field(
        ("production", "prod", "live"),
        description="Production by name, where the environments table does not say an environment's kind.",
    )
    settle_days: Amount = Field(
        14, description="Days after its finish from which a deployment that nothing was heard of counts as succeeded."
    )
    attribution: Literal["explicit", "window"] = Field(
        "explicit",
        description="Which deployment an incident is laid to: the one it names (explicit) or, where it names none, "
        "the latest landed one of its service and environment (window).",
    )
    attribution_hours: Amount = Field(24, description="How far back attribution by window looks.")
    occupancy_minutes: Amount = Field(
        60, description="Minutes for which a deployment keeps its environment in use after its finish."
    )
    holds: Literal["warn", "block"] = Field("warn", description="What a hold on a service does to its windows.")
    who: str = Field("", description="Who books, freezes and approves; empty: the operating system's name of the user.")
    stale_days: Amount = Field(7, description="Age of the newest data, in days, from which answers warn.")
    keep_snapshots: int = Field(3, ge=1, description="How many published snapshots are kept.")
    keep_models: int = Field(10, ge=1, description="How many trained models are kept, beside those that serve.")
    retrain_days: Amount = Field(
        28,
        description="Age in days from which `run` trains the serving model anew, or earlier where deployments have "
        "drifted; 0: never.",
    )
    quarantine_days: Amount = Field(
        365,
        description="Days after which a refused row is dropped, if all its file now holds was loaded without fault "
        "since; 0 keeps it for good.",
    )
    memory_limit: Memory = Field(
        "80%",
        description="Memory for the database, such as 4 GiB or a share of the machine's; beyond it, it works on disk, "
        "in the home.",
    )
    threads: int = Field(0, ge=0, description="Processor cores for the database; 0: all.")
    features: Paths = Field(
        (),
        description="Python files that define features of your own, relative to this file. They are run, as your "
        "code, whenever models are trained or asked.",
    )
    sources: Sources = Field(
        (), description="What `shipcast run` loads: [[sources]] entries; `shipcast connect` writes them."
    )
    notice_minutes: Amount = Field(
        60, description="How long before its start people are told that a booked window opens."
    )
    notify: Channels = Field(
        (), description="Where people are told what they should know: [[notify]] entries; see docs/notifications.md."
    )


def tell_libraries(variables: Mapping[str, str]) -> None:
    """Set what a library reads from the environment of this process while it is imported."""
    os.environ.update(variables)


def load_settings(flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force: flags (None = not given) over variables over the file over the defaults.

    Raises
    ------
    ConfigurationError
        Naming the file or variable, the key, and the nearest known key where one is misspelt.
    """
    environ = os.environ if environ is None else environ
    from_flags = {key: value for key, value in (flags or {}).items() if value is not None}
    from_environ = {
        name: environ[variable] for name in Settings.model_fields if (variable := f"SHIPCAST_{name.upper()}") in environ
    }
    home = Path(from_flags.get("home") or from_environ.get("home") or ".shipcast").expanduser().absolute()
    path = settings_file(home)
    from_file = read_file(path) if path else {}
    where = {
        **{name: f"{path}: {name}" for name in from_file},
        **{name: f"SHIPCAST_{name.upper()}" for name in from_environ},
        **{name: f"--{name.replace('_', '-')}" for name in from_flags},
    }
    try:
        return Settings.model_validate({**from_file, **from_environ, **from_flags, "home": home})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        got = "" if "value_error" in first["type"] or key == "notify" else f" Got {first['input']!r}."
        message = own_words(first["msg"]).rstrip(".")
        if key in ENTRIES and len(first["loc"]) > 1:
            said = wrong_entry(first["loc"], first["type"], message, ENTRIES[key])
            raise ConfigurationError(f"{where.get(key, key)}: {said}.", key=key) from None
        cause = None if key == "notify" else error  # which would repeat what was given
        raise ConfigurationError(f"{where.get(key, key)}: {message}.{got}", key=key) from cause


def wrong_entry(place: tuple[int | str, ...], fault: str, message: str, kinds: Mapping[str, type[BaseModel]]) -> str:
    """What is wrong with an entry of a list such as `[[sources]]`: which one, which key, and the nearest known one.

    What was given for a key is repeated by `message` alone, since it may be a secret in the wrong place.
    """
    entry, kind = f"entry {int(place[1]) + 1}", str(place[2]) if len(place) > 2 else ""
    model = kinds.get(kind)
    if model is None:
        *others, last = kinds
        return f"{entry}: kind must be {', '.join(others)} or {last}"
    if len(place) == 3:
        return f"{entry} ({kind}): {message}"
    name = str(place[3])
    if fault == "missing":
        return f"{entry} ({kind}) lacks the key {name!r}"
    if fault == "extra_forbidden":
        near = difflib.get_close_matches(name, model.model_fields, n=1)
        hint = f"meant is perhaps {near[0]!r}" if near else f"its keys are {', '.join(model.model_fields)}"
        return f"{entry} ({kind}): unknown key {name!r}; {hint}"
    return f"{entry} ({kind}), {name}: {message}"


def settings_file(home: Path) -> Path | None:
    """The `shipcast.toml` in force: the home's, else the current folder's, else None."""
    candidates = (home / FILE_NAME, Path(FILE_NAME).absolute())
    return next((path for path in candidates if path.is_file()), None)


def read_file(path: Path) -> dict[str, Any]:
    """The file's keys; relative paths in entries, and of features, are taken from the file's folder."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(
            f"{path}: {error}.", next_step="Correct the file; `shipcast init` shows one."
        ) from error
    known = [name for name in Settings.model_fields if name != "home"]
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(known)}."
            raise ConfigurationError(f"{path}: unknown key {key!r}.", next_step=hint, key=key)
    lists = [content[name] for name in ENTRIES if isinstance(content.get(name), list)]
    for entry in (entry for entries in lists for entry in entries if isinstance(entry, dict)):
        for key in FILE_KEYS:
            if isinstance(entry.get(key), str):
                entry[key] = path.parent / Path(entry[key]).expanduser()
    features = content.get("features")
    if isinstance(features, list) and all(isinstance(name, str) for name in features):
        content["features"] = [path.parent / Path(name).expanduser() for name in features]
    return content

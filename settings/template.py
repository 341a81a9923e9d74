"""The commented `shipcast.toml` that `shipcast init` writes: every setting, what it means, its default."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from shipcast.settings import Settings
from shipcast.settings.files import write_whole

HEADER = """\
# Settings of Shipcast. Every line shows a default: remove the leading `# ` to change it.
# Order of precedence: command-line flag, SHIPCAST_* variable, this file, default.
"""
SOURCES = """\
# [[sources]]
# path = "../exports"   # a folder of deployments.csv, incidents.csv, ...; relative to this file, or absolute
#
# [[sources]]
# kind = "gitops"       # deployments from a repository whose files name the deployed versions
# path = "../charts"
# template = "apps/{environment}/{service}.yaml"
# key = "image.tag"
#
# [[sources]]
# kind = "git"          # changes and releases from the code of a service; without `service`, releases are deployments
# path = "../checkout"
# service = "checkout"
"""
CHANNELS = """\
# [[notify]]
# kind = "slack"        # or "webhook", "email"
# url_env = "SHIPCAST_SLACK_URL"   # the variable that holds the address; url_file: the file
# quiet = "22:00-07:00"
"""
EXAMPLES = {"sources": SOURCES, "notify": CHANNELS}


def template() -> str:
    """The whole file; it parses as TOML and, uncommented, gives the defaults."""
    parts = [HEADER]
    for name, field in Settings.model_fields.items():
        if name == "home":
            continue
        comment = textwrap.fill(field.description or "", 100, initial_indent="# ", subsequent_indent="# ")
        line = EXAMPLES.get(name) or f"# {name} = {toml_value(field.default)}\n"
        parts.append(f"{comment}\n{line}")
    return "\n".join(parts)


def toml_value(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def write_template(path: Path) -> bool:
    """Write the file unless one is there; whether it was written."""
    if path.exists() or path.is_symlink():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [template()])
    return True

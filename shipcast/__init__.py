"""Shipcast: the shipping forecast for software.

On the command line it is `shipcast`; in Python `shipcast.open()` gives what the command line answers, and the tables,
features and models behind it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shipcast.notebook import feature as feature
    from shipcast.notebook import open as open

LAZY = ("feature", "open")  # the command line, which is to answer at once, needs neither them nor what they import


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module("shipcast.notebook"), name)
    raise AttributeError(f"module 'shipcast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *LAZY})

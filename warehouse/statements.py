"""Our own queries, each parsed once: parsing took a third of a question about a few rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import duckdb

KEPT = 1_000  # texts: a question has a few, by what it is grouped by and restricted to


def bound(query: str, given: Mapping[str, Any]) -> tuple[duckdb.Statement, dict[str, Any]]:
    """The statement of a query, and those of the values that it names; any connection of any thread may execute it.

    Raises
    ------
    KeyError
        It names a value that is not given.
    duckdb.Error, ValueError
        It is none, or there are several.
    """
    found = parsed(query)
    return found, {name: given[name] for name in found.named_parameters}


@lru_cache(KEPT)
def parsed(query: str) -> duckdb.Statement:
    [found] = duckdb.extract_statements(query)
    return found

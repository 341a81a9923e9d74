"""Models as files: named arrays and one JSON text in a zip, in which nothing can be run when it is read.

An estimator of somebody else's making lies in it as what skops wrote, and is read only if it is made of scikit-learn's
own parts.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shipcast.models.errors import ModelDamaged

FACTS = "facts"
ARRAY = "$array"


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a tree of dicts, lists, arrays, numbers and words; equal states give equal bytes."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    facts = json.dumps(set_apart(state, arrays), sort_keys=True)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{FACTS: np.array(facts)}, **arrays)


def read_state(path: Path) -> dict[str, Any]:
    """The tree that was written.

    Raises
    ------
    ModelDamaged
        It is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found: dict[str, Any] = put_back(json.loads(file[FACTS].item()), file)
            return found
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelDamaged(f"{path}: this is not a model file: {error}.", file=str(path)) from error


def set_apart(node: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """The tree with every array replaced by its name."""
    if isinstance(node, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = node
        return {ARRAY: name}
    if isinstance(node, Mapping):
        return {key: set_apart(value, arrays) for key, value in sorted(node.items())}
    if isinstance(node, list | tuple):
        return [set_apart(value, arrays) for value in node]
    return node.item() if isinstance(node, np.generic) else node


def put_back(node: Any, arrays: Mapping[str, Any]) -> Any:
    """The tree with every name of an array replaced by it."""
    if isinstance(node, dict):
        if set(node) == {ARRAY}:
            return arrays[node[ARRAY]]
        return {key: put_back(value, arrays) for key, value in node.items()}
    return [put_back(value, arrays) for value in node] if isinstance(node, list) else node

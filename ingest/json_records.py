"""A list of records in a JSON file, and what stands at a path of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shipcast.ingest.errors import FileRefused
from shipcast.ingest.headers import clipped
from shipcast.ingest.stream import blocks, utf8

UNDECODED = 'name the encoding of the file in the mapping, such as encoding = "cp1252"'
LARGEST = 256 * 2**20  # bytes of a file, which is read as one


def records_of(path: Path, where: str, encoding: str | None = None) -> list[Any]:
    """The records of a file: the list at a path of it, or the file itself where the path is empty.

    Raises
    ------
    FileRefused
        It is no JSON, or no list stands there.
    """
    parts, size = [], 0
    for block in utf8(blocks(path), encoding):
        parts.append(block)
        size += len(block)
        if size > LARGEST:
            raise FileRefused(f"holds over {LARGEST // 2**20} MiB of JSON. Nothing was stored; export it in parts")
    try:
        data = json.loads(b"".join(parts))
    except UnicodeDecodeError as error:
        what = encoding or f"UTF-8: {UNDECODED}"
        raise FileRefused(f"its bytes are not {what}. Nothing was stored") from error
    except (ValueError, RecursionError) as error:
        raise FileRefused(f"is no JSON that can be read ({clipped(str(error))}). Nothing was stored") from error
    found = value_at(data, where) if where else data
    if not isinstance(found, list):
        keys = f"; it holds {', '.join(map(clipped, list(data)[:12]))}" if isinstance(data, dict) else ""
        what = f"no list at {where!r}" if where else "no list"
        raise FileRefused(f"holds {what}{keys}. Nothing was stored; say in the mapping where: records = ...")
    return found


def value_at(node: Any, path: str) -> Any:
    """What stands at a path: names with dots between, numbers for places in a list; of a list the part of each.

    A name that holds dots itself is found too. None: nothing stands there.

    >>> record = {"fields": {"parts": [{"name": "a"}, {"name": "b"}]}, "caller.name": "c"}
    >>> [value_at(record, path) for path in ("fields.parts.name", "fields.parts.0.name", "caller.name", "fields.x")]
    [['a', 'b'], 'a', 'c', None]
    """
    head, _, rest = path.partition(".")
    if isinstance(node, dict):
        return node[path] if path in node else value_at(node.get(head), rest) if rest else None
    if isinstance(node, list):
        if head.isdecimal():
            place = int(head)
            within = node[place] if place < len(node) else None
            return value_at(within, rest) if rest else within
        return [value_at(each, path) for each in node]
    return None


def is_there(node: Any, path: str) -> bool:
    """Whether a record has the path; where it is null or an empty list on the way, it may have it."""
    head, _, rest = path.partition(".")
    if isinstance(node, dict):
        return path in node or bool(rest and head in node and is_there(node[head], rest))
    if isinstance(node, list):
        place = int(head) if head.isdecimal() else None
        if place is not None:
            return place >= len(node) or not rest or is_there(node[place], rest)
        return not node or any(is_there(each, path) for each in node)
    return node is None


def paths(node: Any, before: str = "") -> Iterator[str]:
    """The paths of a record, to propose."""
    for name, value in node.items() if isinstance(node, dict) else ():
        yield f"{before}{name}"
        first = value[0] if isinstance(value, list) and value else value
        yield from paths(first, f"{before}{name}.")


def as_text(value: Any) -> str | None:
    """A value as a file of the contract would hold it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ";".join(text for each in value if (text := as_text(each)) is not None)
    return str(value).encode("utf-8", "replace").decode()  # half of a pair of surrogates is no letter

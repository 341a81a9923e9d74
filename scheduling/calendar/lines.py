"""In which line of a calendar file a rule and its keys stand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

Place = tuple[str | int, ...]
Token = tuple[str, int]
HEADER = re.compile(r"\s*\[\[?\s*([\"']?)([\w-]+)\1\s*(?:\.\s*([\"']?)([\w-]+)\3\s*)?\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"\s*([\"']?)([\w-]+)\1\s*(?:\.\s*[\w\"'-]+\s*)*=")
# Strings and comments, those over several lines first; in these nothing is a header or a key.
QUOTED = re.compile(
    r"""\"{3}(?:[^\\"]++|\\.|"(?!""))*+"{3,5}|'{3}(?:[^']++|'(?!''))*+'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#[^\n]*""",
    flags=re.DOTALL,
)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\n')


class Lines:
    """The line of each place of a file, such as `("window", 2, "tz")`: the third window's zone.

    A place that is not found, such as a key that lacks, is where what holds it stands.
    """

    def __init__(self, found: dict[Place, int]) -> None:
        self.found = found

    def of(self, place: Place) -> int | None:
        """Its line, counted from 1; None: the file does not say."""
        while place and place not in self.found:
            place = place[:-1]
        return self.found.get(place)


def toml_lines(text: str) -> Lines:
    """The lines of `[[window]]`, the keys below it, and the tables below that."""
    found: dict[Place, int] = {}
    counts: dict[str, int] = defaultdict(int)
    here: Place = ()
    for number, line in enumerate(QUOTED.sub(emptied, text).split("\n"), start=1):
        if header := HEADER.match(line):
            here = entered(header, line, counts)
            found.setdefault(here[:1], number)
            found.setdefault(here, number)
        elif key := KEY.match(line):
            found.setdefault((*here, key[2]), number)
    return Lines(found)


def emptied(quoted: re.Match[str]) -> str:
    """Of a string over several lines its line feeds alone; all else as it is."""
    return "\n" * quoted[0].count("\n") if quoted[0].startswith(('"""', "'''")) else quoted[0]


def entered(header: re.Match[str], line: str, counts: dict[str, int]) -> Place:
    """The place a header opens: the next of its name, or a table below the last."""
    name, below = header[2], header[4]
    if line.lstrip().startswith("[[") and below is None:
        counts[name] += 1
        return (name, counts[name] - 1)
    return (name,) if below is None else (name, max(counts[name] - 1, 0), below)


def json_lines(text: str) -> Lines:
    """The lines of all keys and members of a JSON text that parses."""
    found: dict[Place, int] = {}
    stream = tokens(text)
    walk(next(stream), stream, (), found)
    return Lines(found)


def tokens(text: str) -> Iterator[Token]:
    """The tokens but line feeds, each with its line."""
    line = 1
    for match in TOKEN.finditer(text):
        if match[0] == "\n":
            line += 1
        else:
            yield match[0], line


def walk(token: Token, stream: Iterator[Token], here: Place, found: dict[Place, int]) -> None:
    """Note the places of a value, which opens with the token, and of what is in it."""
    text, line = token
    found.setdefault(here, line)
    if text == "{":
        walk_object(stream, here, found)
    elif text == "[":
        walk_list(stream, here, found)


def walk_list(stream: Iterator[Token], here: Place, found: dict[Place, int]) -> None:
    number = 0
    for token in stream:
        if token[0] == "]":
            return
        if token[0] != ",":
            walk(token, stream, (*here, number), found)
            number += 1


def walk_object(stream: Iterator[Token], here: Place, found: dict[Place, int]) -> None:
    for text, line in stream:
        if text == "}":
            return
        if text != ",":
            place = (*here, text.strip('"'))
            found[place] = line
            next(stream)  # the colon
            walk(next(stream), stream, place, found)

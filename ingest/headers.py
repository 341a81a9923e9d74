"""Which column of a table each header of a file means."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

from shipcast.ingest.errors import FileRefused
from shipcast.warehouse.tables import Table

EXPORTED = ("quarantine_id", "file", "line", "column", "rule", "reason")
"""The columns `quarantine export` puts before a row's own; a file whose header begins with them is such an export."""

# Which unknown headers are compared with the columns a file lacks, and how much alike they must be: short ones are by
# chance.
MOST_COMPARED, LONGEST_COMPARED, SHORTEST_COMPARED, LIKENESS = 50, 60, 5, 0.75
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
BETWEEN_WORDS = re.compile(r"[\s._-]+")


@dataclass(frozen=True)
class Header:
    """A file's header, understood.

    Parameters
    ----------
    cells
        As they stand in the file.
    columns
        The contract's column to its place among the cells.
    mapped
        Headers that are another name of a column or spell its own otherwise, to the column each stands for.
    unknown
        Headers that mean no column.
    near
        Those of them that read almost like a column that the file lacks, to that column.
    text
        The header line verbatim, without the columns of an export; empty for files without one.
    origin
        The place of the quarantine id, in exported and corrected files.
    own
        The place of the first cell that is the file's own, behind the columns of an export.
    """

    cells: tuple[str, ...]
    columns: dict[str, int]
    mapped: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    text: str = ""
    origin: int | None = None
    own: int = 0
    near: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Vocabulary:
    """What a reader knows of the headers that it may meet.

    Parameters
    ----------
    knows
        Whether it looks for such a header: of several delimiters the one is right that shows the most of them.
    understood
        What the cells of a header mean, with its text.
    """

    knows: Callable[[str], bool]
    understood: Callable[[Sequence[str], str], Header]


def vocabulary(table: Table) -> Vocabulary:
    """That of the contract's files."""
    names = words(table)
    looked_for = names | set(EXPORTED)
    return Vocabulary(lambda header: word(names, header) in looked_for, partial(understood, table))


def understood(table: Table, cells: Sequence[str], text: str = "") -> Header:
    """The header's meaning for a table, of which it names all that is required.

    Raises
    ------
    FileRefused
        Two headers are alike or mean the same column, or a required column is missing.
    """
    found = meanings(table, cells, text)
    check_required(table, found.columns, cells)
    return found


def meanings(table: Table, cells: Sequence[str], text: str = "") -> Header:
    """The header's meaning for a table.

    Names are compared in the form of `word`; the contract's own name wins over a synonym.

    Raises
    ------
    FileRefused
        Two headers are alike or mean the same column.
    """
    own = len(EXPORTED) if tuple(folded(cell) for cell in cells[: len(EXPORTED)]) == EXPORTED else 0
    known = words(table)
    names = [word(known, cell) for cell in cells]
    places = [(place, name) for place, name in enumerate(names) if place >= own and name]
    check_unlike(cells, places)
    columns = {name: place for place, name in places if is_column(table, name)}
    mapped = {cells[place]: name for name, place in columns.items() if folded(cells[place]) != name}
    for column in table.columns:
        if column.name in columns:
            continue
        heard = [(place, name) for place, name in places if name in column.synonyms and not is_column(table, name)]
        if len(heard) > 1:
            raise both_mean([cells[place] for place, _ in heard], column.name)
        for place, _ in heard:
            columns[column.name] = place
            mapped[cells[place]] = column.name
    taken = set(columns.values())
    unknown = [cells[place] for place, _ in places if place not in taken]
    origin = 0 if own else None
    near = meant(table, columns, unknown)
    return Header(tuple(cells), columns, mapped, unknown, text, origin, own, near)


def meant(table: Table, columns: Mapping[str, int], unknown: Sequence[str]) -> dict[str, str]:
    """The unknown headers that read almost like a column that the file lacks, to that column.

    >>> from shipcast.warehouse.tables import BY_NAME
    >>> meant(BY_NAME["incidents"], {"incident_id": 0}, ["Deployment Ref", "mood"])
    {'Deployment Ref': 'deployment_id'}
    """
    lacking = [column for column in table.columns if column.name not in columns]
    names = {letters(name): column.name for column in lacking for name in (*column.synonyms, column.name)}
    found = {}
    for header in unknown[:MOST_COMPARED]:
        name = letters(header[:LONGEST_COMPARED])
        close = get_close_matches(name, names, n=1, cutoff=LIKENESS) if len(name) >= SHORTEST_COMPARED else []
        for match in [name] if name in names else close:
            found[header] = names[match]
    return found


def letters(name: str) -> str:
    """The name without what people put between words."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def folded(name: str) -> str:
    return name.strip().lower()


def words(table: Table) -> frozenset[str]:
    """Every name of its columns."""
    return frozenset(name for column in table.columns for name in (column.name, *column.synonyms))


def word(known: Container[str], header: str) -> str:
    """Which of the known names the header spells; if none, the header in small letters.

    Examples
    --------
    >>> from shipcast.warehouse.tables import BY_NAME
    >>> known = words(BY_NAME["deployments"])
    >>> [word(known, header) for header in ("Release ID", "startedAt", "TimeStamp", "Mood-Ring")]
    ['release_id', 'started_at', 'timestamp', 'mood-ring']
    """
    plain, spelt = folded(header), normal(header)
    return spelt if spelt in known and plain not in known else plain


def normal(name: str) -> str:
    """In small letters, with one underscore for what people put between words: spaces, hyphens, dots, a capital letter.

    >>> [normal(name) for name in ("Merge Commit SHA", "startedAt", "CommitSHA", "service.name", "bot - commits")]
    ['merge_commit_sha', 'started_at', 'commit_sha', 'service_name', 'bot_commits']
    """
    return BETWEEN_WORDS.sub("_", HUMP.sub("_", name.strip())).lower()


def is_column(table: Table, name: str) -> bool:
    return any(column.name == name for column in table.columns)


def check_unlike(cells: Sequence[str], places: Sequence[tuple[int, str]]) -> None:
    alike: dict[str, list[str]] = {}
    for place, name in places:
        alike.setdefault(name, []).append(cells[place])
    for name, same in alike.items():
        if len({folded(cell) for cell in same}) > 1:
            raise both_mean(same, name)
        if len(same) > 1:
            said = f"{len(same)} columns are called {clipped(name)!r}"
            raise FileRefused(f"{said}. Nothing was stored; keep one of them")


def both_mean(cells: Sequence[str], name: str) -> FileRefused:
    said = " and ".join(repr(clipped(cell)) for cell in cells)
    return FileRefused(f"{said} both mean {name}. Nothing was stored; keep one of them")


def check_required(table: Table, columns: dict[str, int], cells: Sequence[str]) -> None:
    missing = [name for name in table.required if name not in columns]
    if missing:
        noun = "column is" if len(missing) == 1 else "columns are"
        found = clipped(", ".join(cells), 120)
        raise FileRefused(
            f"the required {noun} missing: {', '.join(missing)}. Its header reads: {found}. "
            "Nothing was stored; add what is missing, or rename the column that holds it"
        )


def clipped(text: str, width: int = 60) -> str:
    """The text in printable characters, cut at a width."""
    printable = "".join(character if character.isprintable() else "�" for character in text[: width + 1])
    return printable if len(printable) <= width else printable[: width - 1] + "…"

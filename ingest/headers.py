"""Which column of a table each header of a file means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
        Headers taken as synonyms, to the column each stands for.
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
    known
        Names that it looks for, in lower case: of several delimiters the one is right that shows the most of them.
    understood
        What the cells of a header mean, with its text.
    """

    known: frozenset[str]
    understood: Callable[[Sequence[str], str], Header]


def vocabulary(table: Table) -> Vocabulary:
    """That of the contract's files."""
    names = {name for column in table.columns for name in (column.name, *column.synonyms)}
    return Vocabulary(frozenset(names | set(EXPORTED)), partial(understood, table))


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

    Names are compared without regard to case and surrounding white space; the contract's own name wins over a synonym.

    Raises
    ------
    FileRefused
        Two headers are alike or mean the same column.
    """
    own = len(EXPORTED) if tuple(folded(cell) for cell in cells[: len(EXPORTED)]) == EXPORTED else 0
    names = [folded(cell) for cell in cells]
    places = [(place, name) for place, name in enumerate(names) if place >= own and name]
    check_unlike([name for _, name in places])
    columns = {name: place for place, name in places if is_column(table, name)}
    mapped: dict[str, str] = {}
    for column in table.columns:
        if column.name in columns:
            continue
        heard = [(place, name) for place, name in places if name in column.synonyms and not is_column(table, name)]
        if len(heard) > 1:
            both = " and ".join(repr(cells[place]) for place, _ in heard)
            raise FileRefused(f"{both} both mean {column.name}. Nothing was stored; keep one of them")
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


def is_column(table: Table, name: str) -> bool:
    return any(column.name == name for column in table.columns)


def check_unlike(names: Sequence[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise FileRefused(f"{times} columns are called {clipped(name)!r}. Nothing was stored; keep one of them")


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

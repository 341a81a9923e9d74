"""What a mapping file says of an export: which table it feeds, and where each column's values come from."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shipcast.ingest.errors import MappingWrong
from shipcast.ingest.rules import BASIC, DECIMAL, EXTENDED, WHOLE
from shipcast.settings.errors import own_words
from shipcast.settings.zone import Zone
from shipcast.warehouse.tables import BY_NAME, Column, Table

FORMS = (
    ("integer", WHOLE, "a whole number"),
    ("number", DECIMAL, "a number"),
    ("boolean", r"(?i)true|t|yes|y|1|false|f|no|n|0", "true or false"),
)
ISO = rf"^(?:{EXTENDED}|{BASIC})$"
ANY_TIME = datetime(2025, 3, 14, 15, 9, tzinfo=UTC)


def as_written(value: object) -> object:
    """A constant as a file of the contract would hold it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def check_encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise ValueError(f"{name!r} is no encoding of text; write it such as cp1252 or latin-1") from error
    return name


Constant = Annotated[str, BeforeValidator(as_written)]
Encoding = Annotated[str, AfterValidator(check_encoding)]


class Mapping(BaseModel):
    """One mapping file.

    Parameters
    ----------
    table
        The table that it feeds.
    columns
        The table's columns, each with the header it comes from, or in JSON with the path: names with dots between.
    constants
        Columns that have one value in every row.
    values
        By column, what its values mean; an empty meaning leaves the row out. A value that is not named, and is none of
        the column's own, sends its row to the quarantine; a service or an environment keeps its name.
    only
        By header or path, the values of the rows that are wanted; a row with any other is left out.
    records
        In JSON, the path to the list of records; empty: the file is that list.
    zone
        The zone of times that carry no offset; None: the setting `source_zone`.
    encoding
        That of the file's text, by Python's name; None: UTF-8, or UTF-16 with a byte order mark.
    time_format
        How times are written that are not ISO 8601, in the letters of `strftime`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    columns: dict[str, str]
    constants: dict[str, Constant] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    only: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    records: str = ""
    zone: Zone | None = None
    encoding: Encoding | None = None
    time_format: str | None = None

    @property
    def target(self) -> Table:
        return BY_NAME[self.table]

    @property
    def places(self) -> tuple[str, ...]:
        """The headers or paths that the export must have."""
        return tuple(dict.fromkeys([*self.columns.values(), *self.only]))


def read_mapping(path: Path) -> Mapping:
    """The mapping that a file holds.

    Raises
    ------
    MappingWrong
        It cannot be read, or says what no table has; with the nearest name.
    """
    try:
        mapping = Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise MappingWrong(
            f"{path}: {error.strerror}.", next_step="docs/connect shows mappings to begin with."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingWrong(f"{path}: {error}.") from error
    except ValidationError as error:
        raise MappingWrong(f"{path}: {fault_said(error)}") from error
    check(path, mapping)
    return mapping


def fault_said(error: ValidationError) -> str:
    """The fault to mend first: a key that nobody knows before one that is missing, which it may be misspelt."""
    faults = error.errors()
    unknown = next((fault for fault in faults if fault["type"] == "extra_forbidden"), None)
    first = unknown or faults[0]
    where = ".".join(map(str, first["loc"]))
    if unknown:
        return f"unknown key {where!r}.{nearest(where, Mapping.model_fields)}"
    if first["type"] == "missing":
        return f"{where} is missing."
    return f"{where}: {own_words(first['msg'])}."


def check(path: Path, mapping: Mapping) -> None:
    """Refuse what does not fit the table."""
    if mapping.table not in BY_NAME:
        raise MappingWrong(f"{path}: there is no table {mapping.table!r}.{nearest(mapping.table, BY_NAME)}")
    names = [column.name for column in mapping.target.columns]
    for name in (*mapping.columns, *mapping.constants, *mapping.values):
        if name not in names:
            raise MappingWrong(f"{path}: {mapping.table} has no column {name!r}.{nearest(name, names)}")
    if twice := mapping.columns.keys() & mapping.constants.keys():
        raise MappingWrong(f"{path}: {min(twice)} stands under [columns] and under [constants]; keep one.")
    if lost := mapping.values.keys() - mapping.columns.keys():
        raise MappingWrong(f"{path}: [values.{min(lost)}] has no column to read; name it under [columns].")
    if missing := [name for name in mapping.target.required if name not in {*mapping.columns, *mapping.constants}]:
        said = ", ".join(missing)
        raise MappingWrong(f"{path}: {mapping.table} needs {said}; name it under [columns] or [constants].")
    for where, name, value in meanings(mapping):
        if fault := no_value(mapping.target.column(name), value):
            raise MappingWrong(f"{path}: {where} = {json.dumps(value, ensure_ascii=False)}: {fault}")
    if mapping.time_format is not None and not is_time_format(mapping.time_format):
        raise MappingWrong(f'{path}: time_format {mapping.time_format!r} reads no time; write it as "%d/%m/%Y %H:%M".')


def meanings(mapping: Mapping) -> Iterator[tuple[str, str, str]]:
    """Every value that the mapping itself gives: where it stands, its column, the value; not what leaves rows out."""
    for name, value in mapping.constants.items():
        yield f"[constants] {name}", name, value
    for name, values in mapping.values.items():
        for theirs, ours in values.items():
            if ours:
                yield f"[values.{name}] {json.dumps(theirs, ensure_ascii=False)}", name, ours


def no_value(column: Column, value: str) -> str | None:
    """Why a column cannot have that value; None: it can, as far as a mapping tells."""
    text = value.strip()
    if column.choices and text.lower() not in column.choices:
        return f"{column.name} is one of {', '.join(column.choices)}.{nearest(text, column.choices, else_all=False)}"
    for kind, pattern, words in FORMS:
        if column.kind == kind and not re.fullmatch(pattern, text, re.ASCII):
            return f"{column.name} is {words}."
    return None


def own_value(column: Column, text: str) -> str | None:
    """The value as the column itself knows it, so that a mapping need not name it; None: it does not.

    >>> status, size = (BY_NAME["deployments"].column(name) for name in ("status", "lines_changed"))
    >>> own_value(status, "Succeeded"), own_value(status, "success"), own_value(size, "12"), own_value(size, "n/a")
    ('succeeded', None, '12', None)
    """
    if words := column.choices or column.examples:
        return text.lower() if text.lower() in words else None
    form = ISO if column.kind == "instant" else next((form for kind, form, _ in FORMS if kind == column.kind), None)
    return text if form and re.fullmatch(form, text, re.ASCII) else None


def is_time_format(form: str) -> bool:
    """Whether what it writes can be read again.

    >>> [is_time_format(form) for form in ("%d/%b/%y %I:%M %p", "%d/%m/%Y", "dd/MM/yyyy", "%H:%M")]
    [True, True, False, False]
    """
    try:
        written = pl.Series([ANY_TIME]).dt.strftime(form)
        return bool(written.str.to_datetime(form, strict=False).dt.date().to_list() == [ANY_TIME.date()])
    except (pl.exceptions.PolarsError, ValueError):
        return False


def nearest(name: str, known: Iterable[str], *, else_all: bool = True) -> str:
    """What may have been meant, as a sentence with a space before; else what there is, unless that was said."""
    names = list(known)
    close = get_close_matches(name.lower(), [each.lower() for each in names], n=1, cutoff=0.5)
    for each in names:
        if close and each.lower() == close[0]:
            return f" Meant is perhaps {each!r}."
    return f" There is {', '.join(names[:20])}." if else_all else ""

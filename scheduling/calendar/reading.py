"""Calendar files: TOML, or the same keys as JSON, taken whole or not at all."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.lines import Lines, Place, json_lines, toml_lines
from shipcast.scheduling.calendar.rules import (
    BusinessHours,
    Cab,
    Capacity,
    Freeze,
    Holidays,
    Reserve,
    Rule,
    Window,
)
from shipcast.scheduling.faults import listed, shown, worded
from shipcast.scheduling.json_objects import without_doubles

LARGEST = 16 * 2**20
SECTIONS: dict[str, tuple[str, type[Rule]]] = {  # of the file: where a calendar holds them, and what they are
    "window": ("windows", Window),
    "freeze": ("freezes", Freeze),
    "holidays": ("holidays", Holidays),
    "business_hours": ("business_hours", BusinessHours),
    "cab": ("cabs", Cab),
    "reserve": ("reserves", Reserve),
    "capacity": ("capacities", Capacity),
}
# A key of so many parts, over which the TOML library takes minutes.
LONG_KEY = re.compile(r"""(?<![\w"'.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){20}""")
SAID_KEY = re.compile(r"(\w+): (.*)", flags=re.DOTALL)


class Source:
    """A file, what it holds, and where in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = read_text(path)
        is_json = path.suffix.lower() == ".json" or text.lstrip().startswith("{")
        self.content = parsed(path, text, is_json=is_json)
        self.lines = lines_of(path, text, is_json=is_json)

    def error(self, place: Place, said: str, next_step: str = "", rule: str = "") -> CalendarError:
        """What is wrong at a place of the file."""
        line = self.lines.of(place)
        where = f"{self.path}:{line}" if line else str(self.path)
        key = next((str(part) for part in place[2:]), None)
        return CalendarError(
            f"{where}: {said}", next_step=next_step, file=str(self.path), line=line, rule=rule, key=key
        )


def lines_of(path: Path, text: str, *, is_json: bool) -> Lines:
    try:
        return json_lines(text) if is_json else toml_lines(text)
    except RecursionError as error:
        raise CalendarError(f"{path}: it is nested too deeply.", file=str(path)) from error


def read_calendar(*paths: Path, taken: Mapping[str, str] | None = None) -> Calendar:
    """The calendar that some files make up, in their order.

    Parameters
    ----------
    taken
        Ids that no rule may have, and what has them.

    Raises
    ------
    CalendarError
        Naming the file, the line, the rule, the key, and what would be understood.
    """
    found: dict[str, list[Rule]] = {attribute: [] for attribute, _ in SECTIONS.values()}
    places = dict(taken or {})
    notes: list[str] = []
    for path in paths:
        source = Source(path)
        wrong: list[CalendarError] = []
        for section, entries in sections(source):
            attribute, kind = SECTIONS[section]
            for number, entry in enumerate(entries):
                rule = checked(source, (section, number), kind, entry, places)
                if isinstance(rule, Rule):
                    found[attribute].append(rule)
                    notes += note(section, rule)
                else:
                    wrong += rule
        if wrong:
            raise together(path, wrong)
    return Calendar(**{name: tuple(rules) for name, rules in found.items()}, notes=tuple(notes))  # type: ignore[arg-type]


def together(path: Path, wrong: Sequence[CalendarError]) -> CalendarError:
    """All that is wrong with a file as one error, whose facts are those of the first."""
    first, *others = sorted(wrong, key=lambda one: one.facts["line"] or 0)
    if not others:
        return first
    faults = listed([str(one) for one in (first, *others)])
    return CalendarError(f"{path}: {len(wrong):,} faults.", lines=faults, **first.facts)


def read_text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise CalendarError(f"{path}: a calendar has at most {LARGEST // 2**20} MiB.", file=str(path))
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CalendarError(f"{path}: it is no text in UTF-8 ({error.reason}).", file=str(path)) from error
    except OSError as error:
        raise CalendarError(
            f"{path}: {error.strerror or error}.", next_step="Name a calendar file with --calendar.", file=str(path)
        ) from error


def parsed(path: Path, text: str, *, is_json: bool) -> dict[str, Any]:
    """The file's keys."""
    if not is_json and (found := LONG_KEY.search(text)):
        place = text.count("\n", 0, found.start()) + 1
        raise CalendarError(f"{path}:{place}: a key is nested too deeply.", file=str(path), line=place)
    try:
        content = json.loads(text, object_pairs_hook=without_doubles) if is_json else tomllib.loads(text)
    except RecursionError as error:
        raise CalendarError(f"{path}: it is nested too deeply.", file=str(path)) from error
    except ValueError as error:
        line = getattr(error, "lineno", None) or next(iter(re.findall(r"at line (\d+)", str(error))), None)
        where = f"{path}:{line}" if line else str(path)
        kind = "JSON" if is_json else "TOML"
        raise CalendarError(
            f"{where}: it is no {kind}: {str(error)[:200]}.", file=str(path), line=int(line) if line else None
        ) from error
    if not isinstance(content, dict):
        raise CalendarError(f"{path}: it holds no object with the keys of a calendar.", file=str(path))
    return content


def sections(source: Source) -> list[tuple[str, list[Any]]]:
    """The sections of the file, each a list of entries."""
    for name, entries in source.content.items():
        if name not in SECTIONS:
            hint = suggestion(name, list(SECTIONS))
            raise source.error((name,), f"unknown section {name[:60]!r}.", f"{hint}")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise source.error((name,), f"{name!r} must be a list of tables.", f"Write [[{name}]] above each.")
    return list(source.content.items())


def checked(
    source: Source, place: Place, kind: type[Rule], entry: dict[str, Any], taken: dict[str, str]
) -> Rule | list[CalendarError]:
    """The rule at a place of the file, or all that is wrong with it.

    Parameters
    ----------
    taken
        Where each id so far stands; this one's is added.
    """
    try:
        rule = kind.model_validate(entry)
    except ValidationError as error:
        return [wrong_entry(source, place, kind, entry, fault) for fault in error.errors()]
    if rule.id in taken:
        said = f"the id {rule.id!r} is taken by {taken[rule.id]}."
        return [source.error((*place, "id"), said, "Each rule needs its own.", rule.id)]
    taken[rule.id] = f"{source.path.name}:{source.lines.of((*place, 'id'))}"
    return rule


def wrong_entry(source: Source, place: Place, kind: type[Rule], entry: dict[str, Any], fault: Any) -> CalendarError:
    """What is wrong with an entry."""
    where, said, next_step = explained(kind, fault)
    rule = str(entry.get("id", ""))[:60]
    name = f"{kind.kind_said} {rule!r}" if rule else f"{kind.kind_said} {int(place[1]) + 1}"
    key = f", {'.'.join(str(part) for part in where)}" if where else ""
    return source.error((*place, *where), f"{name}{key}: {said}.", next_step, rule)


def explained(kind: type[Rule], fault: Any) -> tuple[Place, str, str]:
    """The place of a fault within its entry, what is wrong, and what to do."""
    where: Place = tuple(fault["loc"])
    said = worded(fault)
    if fault["type"] == "extra_forbidden":
        keys = known_keys(kind, where[:-1])
        return where, said, suggestion(str(where[-1]), keys)
    if fault["type"] == "missing":
        lacking = f"the key {where[-1]!r}" if isinstance(where[-1], str) else f"value number {where[-1] + 1}"
        return where[:-1], f"it lacks {lacking}", ""
    if fault["type"] == "value_error":
        match = None if where else SAID_KEY.fullmatch(said)
        place, said = ((match[1],), match[2]) if match else (where, said)
        return with_question(place, said)
    return where, f"{said}. Got {shown(fault['input'])} instead", ""


def with_question(place: Place, said: str) -> tuple[Place, str, str]:
    """A sentence that ends in a suggestion, cut into both."""
    fact, mark, question = said.partition("; did you mean ")
    return place, fact, f"Did you mean {question}" if mark else ""


def known_keys(kind: type[Rule], place: Sequence[int | str]) -> list[str]:
    """The keys that a rule, or the table in it at a place, may have."""
    if place and place[0] == "scope":
        return list(kind.model_fields["scope"].default.__class__.model_fields)
    return [one.alias or name for name, one in kind.model_fields.items()]


def suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


def note(section: str, rule: Rule) -> list[str]:
    """That a rule's times are read in UTC because it names no zone."""
    if "tz" not in type(rule).model_fields or "tz" in rule.model_fields_set:
        return []
    if isinstance(rule, Freeze) and all(getattr(one, "tzinfo", None) for one in (rule.start, rule.end)):
        return []
    return [f"{section} {rule.id!r} names no tz: its times are read in UTC."]

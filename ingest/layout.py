"""Where a repository keeps the deployed versions: which files, and which place in them.

A path is a template from the repository's top, such as `apps/{environment}/{service}/values.yaml`. A key leads through
the YAML or JSON of a file:

    image.tag                            names, one below the other
    "app.kubernetes.io/version"          a name with points, in quotes
    containers[0].image                  the first of a list
    images[name={service}].newTag        every one of a list whose `name` it is
    services.{service}.version           every name at this place

A placeholder stands for one name of a path or key, or for a part of one. Both must occur in the path, the key or the
pattern's groups, unless one is given for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from shipcast.settings.errors import UsageError

PLACEHOLDERS = ("environment", "service")
PLACEHOLDER = re.compile(r"\{(\w*)\}")
STEP = re.compile(
    r"""\.?(?:"(?P<quoted>[^"]+)"|(?P<name>(?:[^."\[\]{}]|\{\w*\})+))"""
    r"""|\[(?P<index>\d+)\]|\[(?P<field>[^\[\]=]+)=(?P<value>[^\[\]]+)\]"""
)
# Names under which files of one version usually have it, where no key says which.
USUAL_KEYS = ("image_tag", "imageTag", "image.tag", "newTag", "tag", "appVersion", "version", "image")
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
DEEPEST = 100  # levels; no file that names versions has more

Names = dict[str, str]
Found = tuple[Names, str]


class Unreadable(ValueError):
    """Why nothing can be found in a file's content, in words."""


@dataclass(frozen=True)
class Content:
    """What a file held in one commit."""

    data: bytes
    is_json: bool = False

    @cached_property
    def text(self) -> str:
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Unreadable("its bytes are not UTF-8") from error

    @cached_property
    def documents(self) -> list[Any]:
        """The file's documents, with every value as the text that stands there."""
        try:
            if self.is_json:
                return [json.loads(self.text, parse_int=str, parse_float=str, parse_constant=str)]
            return yaml_documents(self.text)
        except Unreadable:
            raise
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            kind = "JSON" if self.is_json else "YAML"
            raise Unreadable(f"it is not {kind} ({' '.join(str(error).split())[:120]})") from error


def yaml_documents(text: str) -> list[Any]:
    """The documents of a YAML file, in which 1.10 is the text that it is and not a number.

    Built from the parser's events, since loading whole documents ends the process on one that is nested deeply enough.
    """
    found: list[Any] = []
    anchors: dict[str, Any] = {}
    levels: list[tuple[Any, list[Any]]] = [(None, found)]
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            anchors = {}
        elif isinstance(event, yaml.CollectionEndEvent):
            filled(*levels.pop())
        elif isinstance(event, yaml.NodeEvent):
            value = started(event, anchors)
            levels[-1][1].append(value)
            if isinstance(event, yaml.CollectionStartEvent):
                levels.append((value, []))
                if len(levels) > DEEPEST:
                    raise Unreadable(f"it is nested more than {DEEPEST} levels deep")
    return found


def started(event: Any, anchors: dict[str, Any]) -> Any:
    """The value that an event begins, or that it repeats."""
    if isinstance(event, yaml.AliasEvent):
        return anchors.get(event.anchor)
    value = event.value if isinstance(event, yaml.ScalarEvent) else {} if is_mapping(event) else []
    if event.anchor:
        anchors[event.anchor] = value
    return value


def is_mapping(event: Any) -> bool:
    return isinstance(event, yaml.MappingStartEvent)


def filled(value: Any, items: list[Any]) -> None:
    """Put what stood in a mapping or list into it; keys that are no text lead nowhere."""
    if isinstance(value, dict):
        value.update((key, item) for key, item in zip(items[::2], items[1::2], strict=True) if isinstance(key, str))
    else:
        value.extend(items)


Finder = Callable[[Content], list[Found]]


def matcher(template: str, within: str) -> re.Pattern[str]:
    """What a template matches; a placeholder stands for one or more characters of the class `within`."""
    seen: set[str] = set()

    def group(match: re.Match[str]) -> str:
        name = match[1]
        if name not in PLACEHOLDERS:
            raise UsageError(f"{template!r} holds {{{name}}}. The placeholders are {{environment}} and {{service}}.")
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{within}+?)"

    parts = re.split(r"(\{\w*\})", template)
    return re.compile("".join(PLACEHOLDER.sub(group, part) if part[:1] == "{" else re.escape(part) for part in parts))


def glob(template: str) -> str:
    """The template as a pattern of git's, in which a `*` stays within one folder."""
    parts = re.split(r"(\{\w*\})", template)
    return "".join("*" if part[:1] == "{" else re.sub(r"([*?\[\]\\])", r"\\\1", part) for part in parts)


@dataclass(frozen=True)
class Step:
    """One step down in a document.

    Parameters
    ----------
    index
        The place in a list; None: `name` tells.
    field
        The name by whose value the elements of a list are chosen; None: `name` is that of a mapping.
    """

    name: re.Pattern[str] | None = None
    index: int | None = None
    field: str | None = None

    def below(self, value: Any) -> Iterator[tuple[Names, Any]]:
        if self.name is None:
            if isinstance(value, list) and self.index is not None and self.index < len(value):
                yield {}, value[self.index]
        elif self.field is None:
            for key, inner in value.items() if isinstance(value, dict) else ():
                if match := self.name.fullmatch(key):
                    yield match.groupdict(), inner
        else:
            for inner in value if isinstance(value, list) else ():
                named = inner.get(self.field) if isinstance(inner, dict) else None
                if isinstance(named, str) and (match := self.name.fullmatch(named)):
                    yield match.groupdict(), inner


@dataclass(frozen=True)
class Key:
    """A way through a document, and all that lies at its end."""

    text: str
    steps: tuple[Step, ...]

    def __call__(self, content: Content) -> list[Found]:
        return [(names, leaf(value)) for top in content.documents for names, value in self.ends(top) if is_leaf(value)]

    def ends(self, value: Any, steps: tuple[Step, ...] | None = None) -> Iterator[tuple[Names, Any]]:
        steps = self.steps if steps is None else steps
        if not steps:
            yield {}, value
            return
        for names, inner in steps[0].below(value):
            for others, end in self.ends(inner, steps[1:]):
                if all(names.get(name, other) == other for name, other in others.items()):
                    yield {**names, **others}, end


def is_leaf(value: Any) -> bool:
    return isinstance(value, (str, bool))


def leaf(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def key_of(text: str) -> Key:
    """The key that is written so.

    Raises
    ------
    UsageError
        It is none.
    """
    steps: list[Step] = []
    place = 0
    while place < len(text):
        step = STEP.match(text, place)
        if not step or (not steps and text[0] in ".["):
            raise UsageError(
                f"{text!r} is no key: it cannot be read from {text[place:]!r} on.",
                next_step="Write it such as image.tag, images[name={service}].newTag or apps.{service}.version.",
            )
        steps.append(step_of(step))
        place = step.end()
    if not steps:
        raise UsageError("The key is empty.", next_step="Leave it out if the whole file is the version.")
    return Key(text, tuple(steps))


def step_of(step: re.Match[str]) -> Step:
    if step["index"]:
        return Step(index=int(step["index"]))
    if step["field"]:
        return Step(matcher(step["value"], "."), field=step["field"])
    return Step(re.compile(re.escape(step["quoted"])) if step["quoted"] else matcher(step["name"], "."))


USUAL = tuple(key_of(text) for text in USUAL_KEYS)


@dataclass(frozen=True)
class Pattern:
    """A regular expression, and what its group `version` (or its first group) holds wherever it matches."""

    expression: re.Pattern[str]

    def __call__(self, content: Content) -> list[Found]:
        group = "version" if "version" in self.expression.groupindex else 1
        found = []
        for match in self.expression.finditer(content.text):
            names = {name: value for name in PLACEHOLDERS if (value := match.groupdict().get(name))}
            if match[group] is not None:
                found.append((names, match[group]))
        return found


def pattern_of(text: str) -> Pattern:
    try:
        expression = re.compile(text, re.MULTILINE)
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression: {error}.") from error
    if not expression.groups:
        raise UsageError(f"{text!r} has no group.", next_step="Put the version into brackets: 'tag: (.*)'.")
    return Pattern(expression)


def whole(content: Content) -> list[Found]:
    """The version of a file that names one alone: a mapping's one usual key, else the file's only line."""
    text = content.text.strip()
    try:
        mappings = [top for top in content.documents if isinstance(top, dict)]
    except Unreadable:
        mappings = []
    found = [value for top in mappings for key in USUAL for _, value in key.ends(top) if is_leaf(value)]
    if mappings and len(found) < 2:
        return [({}, leaf(value)) for value in found]
    if mappings or "\n" in text:
        raise Unreadable("it holds more than one version; say which is meant with --key")
    return [({}, text)]


@dataclass(frozen=True)
class Layout:
    """Where the versions are: files by a template, and a place in them.

    Parameters
    ----------
    path
        The template of the paths.
    find
        What finds the versions in a content, and the names that stand beside them.
    given
        Names for all that neither path nor content says.
    """

    path: str
    find: Finder
    given: Mapping[str, str]

    @cached_property
    def paths(self) -> re.Pattern[str]:
        return matcher(self.path, "[^/]")

    def names(self, path: bytes) -> Names | None:
        """What the path says; None: it does not match the template."""
        match = self.paths.fullmatch(path.decode("utf-8", "backslashreplace"))
        return {**self.given, **match.groupdict()} if match else None


def layout_of(path: str, key: str | None, pattern: str | None, given: Mapping[str, str]) -> Layout:
    """The layout that the options describe.

    Raises
    ------
    UsageError
        A template, key or expression is none, or one of the two names is nowhere or twice.
    """
    if key and pattern:
        raise UsageError("--key and --pattern are two ways to one place.", next_step="Give one of them.")
    find: Finder = key_of(key) if key else pattern_of(pattern) if pattern else whole
    layout = Layout(path.strip().removeprefix("./"), find, given)
    said = {*layout.paths.groupindex, *placeholders(find)}
    for name in PLACEHOLDERS:
        if name not in said and name not in given:
            raise UsageError(
                f"Nothing says the {name}: {{{name}}} occurs neither in the path nor in the key.",
                next_step=f"Put {{{name}}} where it stands, or name the one there is with --{name}.",
            )
        if name in said and name in given:
            raise UsageError(f"--{name} is given, and {{{name}}} stands in the path or the key. Give one of them.")
    return layout


def placeholders(find: Finder) -> set[str]:
    if isinstance(find, Key):
        return {name for step in find.steps if step.name for name in step.name.groupindex}
    return set(find.expression.groupindex) & set(PLACEHOLDERS) if isinstance(find, Pattern) else set()

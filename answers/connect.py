"""What `connect` says: that a source can be reached, what it gives, and what was written into the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from shipcast.answers.answer import Answer
from shipcast.answers.errors import nearest
from shipcast.answers.operations import Sample, envelope, samples_of
from shipcast.answers.words import listing, plural
from shipcast.ingest.headers import clipped
from shipcast.settings import FILE_NAME, Settings
from shipcast.settings.addresses import is_open
from shipcast.settings.errors import UsageError, own_words
from shipcast.settings.sources import REMOTE_KINDS, THEIRS, ArgocdSource, RemoteSource, name_here
from shipcast.settings.writing import add_source, replace_source, toml_entry

if TYPE_CHECKING:
    from shipcast.ingest.remote.reading import Look

SHOWN = 3
SHOWN_KEYS = 6
NOT_WRITTEN = "Nothing was written, since that must be known first."
LIVE = ("prod", "live", "main")  # how the names of environments begin or end that are likely to be production


class ConnectAnswer(Answer):
    """Whether a source can be used.

    Parameters
    ----------
    source
        What messages call it.
    environments
        Those it was seen to name, by their names here.
    production
        Those of them that count as production.
    proposed
        Those that look like production, where none counts as it; nothing is written then.
    undecided
        What is to be decided or corrected first; nothing is written then.
    written
        The settings file that holds the source; null: none.
    """

    schema_name: Literal["shipcast/connect/1"] = Field("shipcast/connect/1", alias="schema")
    items: tuple[Sample, ...]
    source: str
    environments: tuple[str, ...]
    production: tuple[str, ...]
    proposed: tuple[str, ...]
    undecided: tuple[str, ...]
    written: str | None
    sentence: str


def source_of(kind: str, given: Mapping[str, Any]) -> RemoteSource:
    """The source that an entry of `[[sources]]` with these keys would be.

    Raises
    ------
    UsageError
        Naming the key that is missing, unknown or wrong.
    """
    model = REMOTE_KINDS.get(kind)
    if model is None:
        raise UsageError(f"{kind!r} is no kind of source.", next_step=f"One of {', '.join(REMOTE_KINDS)}.")
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        faults = error.errors()
        first = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
        place = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            near = nearest(place, list(model.model_fields))
            meant = f"Did you mean {' or '.join(near)}?" if near else f"Its keys are {keys_of(model)}."
            raise UsageError(f"{kind} has no key {place!r}.", next_step=meant) from None
        if not given.get("url") and not model.usual_url:
            address = "Give it: --url https://..."
            raise UsageError(f"{kind}: the address of its server is missing.", next_step=address) from None
        if first["type"] == "missing":
            how = f"shipcast connect {kind} {place.upper()}" if place == model.main_key else f"--with {place}=..."
            raise UsageError(f"{kind}: {place} is missing.", next_step=f"Give it: {how}") from None
        message = own_words(first["msg"]).rstrip(".")
        raise UsageError(f"{kind}{f', {place}' if place else ''}: {message}.") from None


def keys_of(model: type[RemoteSource]) -> str:
    return ", ".join(name for name in model.model_fields if name != "kind")


def connect_answer(
    settings: Settings,
    source: RemoteSource,
    as_of: datetime,
    *,
    given: Mapping[str, Any],
    dry_run: bool,
    replace: bool = False,
) -> ConnectAnswer:
    """Ask the source for its first rows, and write it into the settings where nothing is left to decide.

    Parameters
    ----------
    given
        The keys of the entry, as they are to be written.
    replace
        Whether it is written over the entry of the same source.

    Raises
    ------
    UsageError
        There is nothing to look at, or another entry reads the same.
    ConfigurationError
        Its token is missing or refused, or it knows nothing of the name; or the settings cannot be written.
    SourceUnreachable
        It does not answer.
    """
    from shipcast.ingest.remote.reading import samples

    if source.is_told_alone:
        raise UsageError(
            f"{source.label}: webhooks alone would tell of it, since {source.variable} is not set; there is nothing to "
            "look at.",
            next_step=f"export {source.variable}=..., or write its entry into {FILE_NAME} as docs/hooks.md shows.",
        )
    look = samples(source, SHOWN)  # type: ignore[arg-type]
    there = Environments.of(settings, source, look)
    absent = [*absences(source, look), *there.absent]
    undecided = [each.said for each in absent if each.is_sure or (there.is_open and each.key == "production")]
    undecided += there.question
    written = None
    if not dry_run and not undecided:
        written = wrote(settings, source, given, replace=replace)
    rows = sum(len(each) for each in look.rows.values())
    return ConnectAnswer(
        **envelope(as_of),
        items=samples_of(look.rows),
        source=source.label,
        environments=there.seen,
        production=there.production,
        proposed=there.proposed,
        undecided=tuple(undecided),
        written=str(written.path) if written else None,
        sentence=" ".join(
            [
                f"{source.label} can be reached" + ("." if rows else ", and gave nothing."),
                *there.said,
                *undecided,
                *windows_said(source),
                *clear_said(source),
                written.said if written else NOT_WRITTEN if there.is_open else "Nothing was written.",
            ]
        ),
        warnings=(
            *look.warnings,
            *(f"{source.label}: {each.said}" for each in absent if each.said not in undecided),
            *misfits_said(source, look),
            *nothing_said(source, look),
            *(written.warnings if written else ()),
        ),
    )


@dataclass(frozen=True)
class Written:
    """The settings file that holds the source now, and how it came there."""

    path: Path
    said: str
    warnings: tuple[str, ...] = ()


def wrote(settings: Settings, source: RemoteSource, given: Mapping[str, Any], *, replace: bool) -> Written:
    """Write the entry behind those there are, or over that which reads the same: two would tell each its rows anew.

    Raises
    ------
    UsageError
        One reads the same with other keys, and is not to be written over; what it lacks is named.
    """
    old = next((each for each in settings.sources if each.label == source.label), None)
    if old is None or old == source:
        path, is_new = add_source(settings.home, given)
        return Written(path, f"Wrote it into {path}." if is_new else f"It stands in {path} already.")
    stands = old.model_dump(mode="json", exclude_unset=True)
    if not replace:
        lacks = {key: value for key, value in given.items() if stands.get(key) != value}
        entry = ", ".join(toml_entry(lacks).splitlines()[1:]) or "what it lacks"
        raise UsageError(
            f"{source.label} is configured already, with other keys; nothing was written.",
            next_step=f"Write over its entry with --replace, or put into it in {FILE_NAME}: {entry}",
        )
    path = replace_source(settings.home, given, lambda entry: label_of(entry) == source.label)
    gone = sorted(stands.keys() - given.keys())
    told = f"{source.label}: its entry had {listing(gone)} too, which {FILE_NAME} says no more." if gone else None
    return Written(path, f"Wrote it over its entry in {path}.", (told,) if told else ())


def label_of(entry: Mapping[str, Any]) -> str | None:
    """What messages call the source of an entry; None: it is none that is asked over HTTP, or cannot be used."""
    model = REMOTE_KINDS.get(str(entry.get("kind")))
    try:
        return model.model_validate(dict(entry)).label if model else None
    except ValidationError:
        return None


@dataclass(frozen=True)
class Absence:
    """Names under a key of an entry that nothing there has, and those that are there.

    Parameters
    ----------
    is_sure
        Whether these are all that there are; else they are those in what was read first.
    """

    key: str
    kind: str
    names: tuple[str, ...]
    has: tuple[str, ...]
    is_sure: bool

    @property
    def said(self) -> str:
        where = "" if self.is_sure else " in what was read first"
        names = " or ".join(repr(clipped(name)) for name in self.names)
        near = sorted(self.has, key=lambda name: -likeness(name, self.names[0]))
        there = f"there {'is' if len(near) == 1 else 'are'} {shortened(list(map(clipped, near)))}"
        said = f"There is no {self.kind} {names}{where} (under {self.key}): {there}."
        return said if self.key == "production" else f"{said} A name counts as it is spelt there."


def likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, name.lower(), other.lower()).ratio()


def absences(source: RemoteSource, look: Look) -> Iterator[Absence]:
    """The source's own names in its entry that nothing there has, key by key; nothing where there are none at all."""
    used = {"service": look.names.services, "environment": look.names.environments}
    for key, names in source.theirs.items():
        kind = THEIRS[key]
        has = used.get(kind, set()) | look.all_names.get(kind, set())
        known = has | (look.all_names.get("service id", set()) if kind == "service" else set())
        absent = tuple(name for name in names if name not in known)
        if absent and has:
            yield Absence(key, kind, absent, tuple(sorted(has)), kind in look.all_names)


@dataclass(frozen=True)
class Environments:
    """The environments of a source by their names here: those that were seen, and those that are production.

    Parameters
    ----------
    proposed
        Those that look like production, where none is.
    absent
        What was called production and is not there.
    is_open
        Whether there are some, of which none is production.
    """

    seen: tuple[str, ...]
    production: tuple[str, ...]
    proposed: tuple[str, ...]
    absent: tuple[Absence, ...]
    is_open: bool

    @classmethod
    def of(cls, settings: Settings, source: RemoteSource, look: Look) -> Environments:
        def here(names: Collection[str]) -> tuple[str, ...]:
            return tuple(filter(None, dict.fromkeys(name_here(source.environments, each) for each in sorted(names))))

        seen, told = here(look.names.environments), look.all_names.get("environment", set())
        every = here(look.names.environments | told)
        known = {*settings.production_environments, *source.production}
        is_open = bool(every) and not known & {*every}
        names = tuple(each for each in source.production if each not in every)
        absent = (Absence("production", "environment", names, every, bool(told)),) if names and every else ()
        proposed = tuple(each for each in every if looks_live(each)) if is_open else ()
        return cls(seen, tuple(each for each in seen if each in known), proposed, absent, is_open)

    @property
    def said(self) -> list[str]:
        if not self.seen:
            return []
        told = f"{plural(len(self.seen), 'environment')} in what was read first: {listing(self.seen)}"
        return [f"{told}; production is {listing(self.production)}." if self.production else f"{told}."]

    @property
    def question(self) -> list[str]:
        if not self.is_open:
            return []
        return [f"Which are production{f', perhaps {listing(self.proposed)}' if self.proposed else ''}?"]


def shortened(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_KEYS
    return listing([*names[:SHOWN_KEYS], *([f"{more:,} more"] if more > 0 else [])])


def misfits_said(source: RemoteSource, look: Look) -> list[str]:
    """How much of what was read first could not be read, and why the first could not."""
    if not look.misfits:
        return []
    count = plural(len(look.misfits), "item")
    told = f"{count} could not be read, the first: {look.misfits[0].reason}"
    return [f"{source.label}: {told}. They would be set aside, and the others read."]


def nothing_said(source: RemoteSource, look: Look) -> list[str]:
    """What was asked that nothing came of, and what to look at; nothing where something did, if only misfits."""
    if any(look.rows.values()) or look.misfits:
        return []
    since = f" from {source.since} on" if source.since else ""
    return [
        f"{source.label}: nothing was found{since}, though nothing was refused. If there should be something, check "
        "what is named here, its since, and what the token may see."
    ]


def windows_said(source: RemoteSource) -> list[str]:
    """That sync windows could become the calendar's, or will; nothing where there are none, or the token sees none."""
    from shipcast.ingest.remote.reading import seen_windows

    if not isinstance(source, ArgocdSource):
        return []
    seen = seen_windows(source)
    if source.sync_windows:
        kept = f"{plural(seen, 'sync window')} will be kept in the calendar" if seen is not None else ""
        return [f"Its {kept}." if kept else "Its token may not see projects yet, whose sync windows are to be read."]
    if not seen:
        return []
    told = f"It has {plural(seen, 'sync window')}, which sync_windows = true in its entry keeps in the calendar"
    return [f"{told} (--with sync_windows=true)."]


def clear_said(source: RemoteSource) -> list[str]:
    """That a token crosses a network in clear; nothing where none does."""
    if not is_open(source.url) or source.token() is None:
        return []
    return [
        f"Its token goes to {urlsplit(source.url).hostname} in clear, since its address begins with http:// and not https://."
    ]


def looks_live(name: str) -> bool:
    lowered = name.lower()
    return any(lowered.startswith(word) or lowered.endswith(word) for word in LIVE)

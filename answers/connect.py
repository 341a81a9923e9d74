"""What `connect` says: that a source can be reached, what it gives, and what was written into the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from shipcast.answers.answer import Answer, Part
from shipcast.answers.operations import envelope
from shipcast.answers.words import listing, plural
from shipcast.ingest.headers import clipped
from shipcast.settings import FILE_NAME, Settings
from shipcast.settings.channels import is_loopback
from shipcast.settings.errors import UsageError
from shipcast.settings.sources import REMOTE_KINDS, ArgocdSource, RemoteSource, key_of, name_here
from shipcast.settings.writing import add_source, toml_entry

if TYPE_CHECKING:
    from shipcast.ingest.remote.reading import Look

SHOWN = 3
SHOWN_KEYS = 6
LIVE = ("prod", "live", "main")  # how the names of environments begin or end that are likely to be production


class Sample(Part):
    """The first rows that a source gives for a table, by the contract's columns; people are pseudonyms."""

    table: str
    rows: tuple[dict[str, str | None], ...]


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
    written
        The settings file that holds the source; null: none.
    """

    schema_name: Literal["shipcast/connect/1"] = Field("shipcast/connect/1", alias="schema")
    items: tuple[Sample, ...]
    source: str
    environments: tuple[str, ...]
    production: tuple[str, ...]
    proposed: tuple[str, ...]
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
        first = error.errors()[0]
        place = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "missing":
            raise UsageError(f"{kind}: {place} is missing.", next_step=f"Its keys are {keys_of(model)}.") from None
        if first["type"] == "extra_forbidden":
            raise UsageError(f"{kind} has no key {place!r}.", next_step=f"Its keys are {keys_of(model)}.") from None
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise UsageError(f"{kind}{f', {place}' if place else ''}: {message}.") from None


def keys_of(model: type[RemoteSource]) -> str:
    return ", ".join(name for name in model.model_fields if name != "kind")


def connect_answer(
    settings: Settings, source: RemoteSource, as_of: datetime, *, given: Mapping[str, Any], dry_run: bool
) -> ConnectAnswer:
    """Ask the source for its first rows, and write it into the settings where nothing is left to decide.

    Parameters
    ----------
    given
        The keys of the entry, as they are to be written.

    Raises
    ------
    ConfigurationError
        Its token is missing or refused, or it knows nothing of the name; or the settings cannot be written.
    SourceUnreachable
        It does not answer.
    """
    from shipcast.ingest.json_records import as_text
    from shipcast.ingest.remote.reading import samples

    look = samples(source, SHOWN)  # type: ignore[arg-type]
    found, seen = look.rows, sorted(look.names.environments)
    environments = tuple(dict.fromkeys(name_here(source.environments, each) for each in seen))
    environments = tuple(each for each in environments if each)
    known = {*settings.production_environments, *source.production}
    production = tuple(each for each in environments if each in known)
    is_open = bool(environments) and not production
    proposed = tuple(each for each in environments if looks_live(each)) if is_open else ()
    written, is_new = None, False
    if not dry_run and not is_open:
        check_new(settings, source, given)
        written, is_new = add_source(settings.home, given)
    rows = sum(len(each) for each in found.values())
    return ConnectAnswer(
        **envelope(as_of),
        items=tuple(
            Sample(table=table, rows=tuple({key: as_text(value) for key, value in row.items()} for row in first))
            for table, first in found.items()
        ),
        source=source.label,
        environments=environments,
        production=production,
        proposed=proposed,
        written=str(written) if written else None,
        sentence=" ".join(
            [
                f"{source.label} can be reached" + ("." if rows else ", and gave nothing."),
                *asked_about(environments, production, proposed),
                *windows_said(source),
                *clear_said(source),
                *wrote(str(written) if written else None, is_new=is_new, is_open=is_open),
            ]
        ),
        warnings=(*look.warnings, *vain_keys(source, look), *misfits_said(source, look), *nothing_said(source, look)),
    )


def check_new(settings: Settings, source: RemoteSource, given: Mapping[str, Any]) -> None:
    """Nothing, if no other entry reads the same: two would each tell the other's rows anew.

    Raises
    ------
    UsageError
        One does; what its entry lacks is named.
    """
    for known in settings.sources:
        if known.label == source.label and known != source:
            stands = known.model_dump(mode="json")
            lacks = {key: value for key, value in given.items() if stands.get(key) != value}
            entry = ", ".join(toml_entry(lacks).splitlines()[1:]) or "what it lacks"
            raise UsageError(
                f"{source.label} is configured already, with other keys; nothing was written.",
                next_step=f"Put into its entry in {FILE_NAME}: {entry}",
            )


def asked_about(environments: Sequence[str], production: Sequence[str], proposed: Sequence[str]) -> list[str]:
    if not environments:
        return []
    told = f"{plural(len(environments), 'environment')} in what was read first: {listing(environments)}"
    if production:
        return [f"{told}; production is {listing(production)}."]
    guess = f", perhaps {listing(proposed)}?" if proposed else "?"
    return [f"{told}. Which are production{guess}"]


def vain_keys(source: RemoteSource, look: Look) -> Iterator[str]:
    """The names under services and environments in a source's entry that nothing there has, with those that are."""
    used = {"service": look.names.services, "environment": look.names.environments}
    for kind, table in (("service", source.services), ("environment", source.environments)):
        has = sorted(used[kind] | look.all_names.get(kind, set()))
        met = {key_of(table, name) for name in has}
        vain = [clipped(key) for key in table if key not in met and "*" not in key]  # that is for what may come
        if vain and has:
            where = "that it has" if kind in look.all_names else "in what was read first"
            matches = "matches" if len(vain) == 1 else "match"
            yield (
                f"{source.label}: {shortened(vain)} under {kind}s {matches} none of the {kind}s {where}, which are "
                f"{shortened(list(map(clipped, has)))}. A name counts as it is spelt there."
            )


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
    parts = urlsplit(source.url)
    if parts.scheme == "https" or is_loopback(parts.hostname or "") or source.token() is None:
        return []
    return [f"Its token goes to {parts.hostname} in clear, since its address begins with http:// and not https://."]


def wrote(path: str | None, *, is_new: bool, is_open: bool) -> list[str]:
    if path:
        return [f"Wrote it into {path}." if is_new else f"It stands in {path} already."]
    return ["Nothing was written, since that must be known first."] if is_open else ["Nothing was written."]


def looks_live(name: str) -> bool:
    lowered = name.lower()
    return any(lowered.startswith(word) or lowered.endswith(word) for word in LIVE)

"""A message as it arrives: whose it is, what it tells, and whether it can be used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shipcast.ingest.hooks.inbox import Event
from shipcast.ingest.hooks.kinds import KINDS, Kind, Told, Unusable
from shipcast.ingest.hooks.reading import FAULTS
from shipcast.ingest.hooks.signatures import TimeOff
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.secrets import secret
from shipcast.settings.sources import EventsSource, RemoteSource, Source

Hooked = RemoteSource | EventsSource
FORM = "application/x-www-form-urlencoded"


def hooked(sources: Sequence[Source], kind: str, name: str | None = None) -> list[Hooked]:
    """The sources of a kind that take webhooks."""
    return [
        source
        for source in sources
        if isinstance(source, (RemoteSource, EventsSource))
        and source.kind == kind
        and (source.hook_env or source.hook_file)
        and (name is None or getattr(source, "name", None) == name)
    ]


def told_events(sources: Sequence[Source], name: str) -> list[Hooked]:
    """The sources of events of one's own of that name, with a secret or without."""
    return [source for source in sources if isinstance(source, EventsSource) and source.name == name]


def signers(sources: Sequence[Hooked], headers: Mapping[str, str], body: bytes) -> list[Hooked]:
    """Those whose secret signed the message; every one is tried, so that the time it takes tells nothing.

    Raises
    ------
    ConfigurationError
        A secret's file cannot be read, or none of the variables is set.
    TimeOff
        One signed it, but not for now.
    """
    found, missing, off = [], [], []
    for source in sources:
        known = secret(source.hook_env, source.hook_file, source.label)
        if known is None:
            missing.append(f"{source.label}: {source.hook_env}")
            continue
        try:
            if KINDS[str(source.kind)].is_signed(headers, body, known):  # type: ignore[union-attr]
                found.append(source)
        except TimeOff as error:
            off.append(error)
    if off and not found:
        raise off[0]
    if len(missing) == len(sources):
        raise ConfigurationError(f"The variable with the secret of webhooks is not set ({', '.join(missing)}).")
    return found


def events_of(sources: Sequence[Hooked], headers: Mapping[str, str], content: bytes) -> list[Event]:
    """What a signed message tells each of the sources; none: nothing of use, as when it is of another repository.

    Raises
    ------
    Unusable
        It is no JSON, or says something that no row can be made of.
    """
    body = parsed(content, is_form=headers.get("content-type", "").lower().startswith(FORM))
    found = []
    for source in sources:
        kind = KINDS[str(source.kind)]  # type: ignore[union-attr]
        told = told_by(kind, source, headers, body)
        if told is not None:
            text = json.dumps(body, separators=(",", ":"))  # ASCII, whatever is in it
            event = Event(source.label, told.delivery, told.kind, told.subject, told.happened_at, text)
            found.append(replace(event, warnings=told.warnings))
    return found


def told_by(kind: Kind, source: Hooked, headers: Mapping[str, str], body: dict[str, Any]) -> Told | None:
    """What the message says, after a look whether rows can be made of it."""
    try:
        told = kind.told(source, headers, body)
        if told is not None:
            kind.rows(source, [(Event("", "", told.kind, told.subject, told.happened_at, ""), body)])
    except Unusable:
        raise
    except FAULTS as error:
        raise Unusable("it lacks what its kind always has") from error
    return told


def parsed(content: bytes, *, is_form: bool = False) -> dict[str, Any]:
    """
    Raises
    ------
    Unusable
        It is no JSON object.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        came = "it came as a form" if is_form else "it is no JSON"
        raise Unusable(f"{came}; set the webhook's content type to application/json") from error
    if not isinstance(body, dict):
        raise Unusable("it is no JSON object")
    return body

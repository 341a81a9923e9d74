"""Sync windows of Argo CD as windows of ours: which services they are about, when they open, what they ask for.

A window is about the applications of its project that it chooses. A manifest knows none, so that globs of applications
are taken for services and those of namespaces for environments, as our own export writes them; a server names them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shipcast.ingest.remote.sync_windows import SyncWindow, Target
from shipcast.scheduling.calendar.argo_globs import exactly, is_all
from shipcast.scheduling.calendar.argo_window import Given
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.imported import Wanted, unused
from shipcast.scheduling.calendar.scope import fits
from shipcast.scheduling.faults import listed, worded

NOTHING = (None, "", "null", "~")  # as JSON has it, and YAML of which nothing but text is read
NEVER, ALWAYS = ("0 0 31 6 *", 1), ("0 0 * * *", 24 * 60)

Scope = dict[str, list[str]]


@dataclass(frozen=True)
class Found:
    """A window of a project, and how messages call it."""

    project: str
    number: int
    given: Given

    @property
    def said(self) -> str:
        about = f" ({self.given.description[:60]})" if self.given.description else ""
        return f"{window_said(self.project, self.number)}{about}"


def window_said(project: str, number: int) -> str:
    """
    >>> window_said("shop", 0), window_said("", 2)
    ('window 0 of the project shop', 'window 2')
    """
    return f"window {number}{f' of the project {project}' if project else ''}"


def understood(source: str, windows: Iterable[tuple[str, int, Any]], next_step: str) -> list[Found]:
    """The windows, each given with its project and its number.

    Raises
    ------
    CalendarError
        One or more cannot be understood; each is named.
    """
    found, wrong = list[Found](), list[str]()
    for project, number, given in windows:
        said = window_said(project, number)
        if not isinstance(given, Mapping):
            wrong.append(f"{said}: it must be an object with a kind, a schedule and a duration")
            continue
        try:
            kept = {key: value for key, value in given.items() if isinstance(value, list) or value not in NOTHING}
            found.append(Found(project, number, Given.model_validate(kept)))
        except ValidationError as error:
            for fault in error.errors():
                place = ".".join(str(part) for part in fault["loc"])
                wrong.append(f"{said}, {place}: {worded(fault)}")
    if len(wrong) == 1:
        raise CalendarError(f"{source}: {wrong[0]}.", next_step=next_step)
    if wrong:
        faults = f"{len(wrong):,} faults in its sync windows."
        raise CalendarError(f"{source}: {faults}", next_step=next_step, lines=listed(wrong))
    return found


def of_manifest(found: Sequence[Found], wanted: Wanted) -> tuple[list[dict[str, Any]], list[str]]:
    """The windows of a manifest, as a calendar file has them, and what is to be said of them.

    Parameters
    ----------
    wanted
        Its scope holds for what a window leaves open.
    """
    notes = list[str]()

    def scopes(one: Found) -> list[Scope]:
        narrow, left_out = named(one.given)
        if left_out:
            notes.append(f"{one.said}: {left_out}")
        return [{**{key: list(globs) for key, globs in wanted.scope.items()}, **scope} for scope in narrow]

    several = len({one.project for one in found}) > 1
    windows = as_windows(wanted.name, found, scopes, names_project=several)
    wide = {one.project for one in found if one.project and {} in named(one.given)[0]} if not wanted.scope else set()
    if wide:
        whose = ", ".join(sorted(wide))
        notes.append(
            f"All applications of {whose} are all services here; if those of others are none of its business, "
            "import it with --service GLOB."
        )
    return windows, [*map(capital, notes), *reading_notes(found)]


def named(given: Given) -> tuple[list[Scope], str]:
    """What a manifest's window is about, each scope by itself, and what of it is left out, in words."""
    chosen = given.chosen
    if not chosen:
        return [], "it names no applications, so that it is about none; left out."
    wide = {key for key, globs in chosen.items() if is_all(globs)}
    keys = {"applications": "service", "namespaces": "environment"}
    narrow = [{keys[key]: [*globs]} for key, globs in chosen.items() if key in keys and key not in wide]
    has_clusters = "clusters" in chosen.keys() - wide
    if given.is_both:
        if has_clusters:
            return [], "it chooses by clusters too, of which a manifest does not say what runs there; left out."
        if not all(chosen.values()):
            return [], ""
        return [{key: globs for scope in narrow for key, globs in scope.items()}], ""
    if wide:
        return [{}], ""
    said = "what it chooses by clusters is left out, since a manifest does not say what runs there."
    return [scope for scope in narrow if all(scope.values())], said if has_clusters else ""


def of_server(
    name: str, found: Sequence[Found], windows: Sequence[SyncWindow], *, names_project: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """The windows of a server, resolved against its applications, and what is to be said of them."""
    applications = {(one.project, one.number): one.applications for one in windows}

    def about(one: Found) -> list[Target]:
        return [target for target in applications[one.project, one.number] if is_chosen(one.given, target)]

    def scopes(one: Found) -> list[Scope]:
        return scopes_of((each.service, each.environment) for each in about(one))

    made = as_windows(name, found, scopes, names_project=names_project)
    return made, [*divided_notes([(one, about(one)) for one in found]), *reading_notes(found)]


def is_chosen(given: Given, target: Target) -> bool:
    """Whether a window is about an application of its project."""
    names = {
        "applications": [target.name],
        "namespaces": [target.namespace],
        "clusters": [name for name in (target.cluster, target.server) if name],
    }
    fitting = [bool(globs) and any(fits(globs, name) for name in names[key]) for key, globs in given.chosen.items()]
    return bool(fitting) and (all(fitting) if given.is_both else any(fitting))


def scopes_of(places: Iterable[tuple[str, str]]) -> list[Scope]:
    """Scopes that together are about these services in these environments, and nothing else.

    >>> scopes_of([("pay", "test"), ("web", "live"), ("pay", "live"), ("cart", "live")])
    [{'service': ['cart', 'web'], 'environment': ['live']}, {'service': ['pay'], 'environment': ['live', 'test']}]
    """
    environments: dict[str, set[str]] = defaultdict(set)
    for service, environment in places:
        environments[service].add(environment)
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for service in sorted(environments):
        alike[tuple(sorted(environments[service]))].append(service)
    return [
        {"service": [*map(exactly, services)], "environment": [*map(exactly, where)]}
        for where, services in sorted(alike.items())
    ]


def as_windows(
    name: str, found: Sequence[Found], scopes: Callable[[Found], Sequence[Scope]], *, names_project: bool
) -> list[dict[str, Any]]:
    """The windows as a calendar file has them, one for each scope.

    Parameters
    ----------
    names_project
        Whether a window without a description is called after its project too.
    """
    taken, windows = set[str](), list[dict[str, Any]]()
    eager = {one.project for one in found if one.given.kind == "allow" and not one.given.overruns}
    for one in found:
        if one.given.kind == "deny" and not one.given.minutes and one.given.comes:
            continue
        number = f"{one.given.kind}-{one.number}"
        stem = one.given.description or (f"{one.project} {number}" if names_project else number)
        is_of_start = one.given.overruns and (one.given.kind == "deny" or one.project not in eager)
        for scope in scopes(one):
            window = {"id": unused(name, stem, taken), **opening(one.given), **({"scope": scope} if scope else {})}
            windows.append({**window, **({"fit": "start"} if is_of_start else {}), "reason": one.given.description})
    return windows


def opening(given: Given) -> dict[str, Any]:
    """When it opens, and what it asks for, by the keys of a calendar file."""
    cron, minutes, zone = given.schedule, given.minutes, given.zone if given.is_zone else "UTC"
    if not given.comes:
        (cron, minutes), zone = ALWAYS, "UTC"
    elif not minutes:
        cron, minutes = NEVER
    effect = "approval" if given.by_hand else "block"
    ends = "outside" if given.kind == "allow" else "effect"
    return {"kind": given.kind, "cron": cron, "minutes": minutes, "tz": zone, ends: effect}


def reading_notes(found: Sequence[Found]) -> Iterator[str]:
    """Where Argo CD takes something otherwise than it looks."""
    for one in found:
        given = one.given
        if given.unread:
            globs = ", ".join(repr(glob[:40]) for glob in given.unread)
            yield capital(f"{one.said}: Argo CD cannot read {globs}, and lets it match nothing.")
        if not given.is_zone:
            yield capital(
                f"{one.said}: {given.zone[:40]!r} is no time zone; Argo CD reads it in UTC, and so is it here."
            )
        if not given.comes:
            yield capital(f"{one.said}: {given.schedule!r} never comes about, which Argo CD takes for always open.")
        elif not given.minutes:
            says = "lets nothing go" if given.kind == "allow" else "forbids nothing; left out"
            yield capital(f"{one.said}: it is never open, so that it {says}.")


def divided_notes(about: Sequence[tuple[Found, Sequence[Target]]]) -> Iterator[str]:
    """Services that are several applications in one place, which Argo CD lets go in windows of their own."""
    windows: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for place, (one, targets) in enumerate(about):
        for target in targets if one.given.kind == "allow" else ():
            windows[target.service, target.environment][target.name].add(place)
    for (service, environment), each in sorted(windows.items()):
        if len({frozenset(places) for places in each.values()}) > 1:
            names = ", ".join(sorted(each))
            yield (
                f"{service} in {environment} is several applications with allow windows of their own ({names}): "
                "here these count as one."
            )


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]

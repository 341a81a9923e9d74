"""The verb that connects a source: look at it, show what it gives, write it into the settings."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shipcast.ask import Ask, parse_day, verb
from shipcast.console import WIDTH, hint, say, show, shown, table
from shipcast.settings.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipcast.answers.connect import ConnectAnswer
    from shipcast.answers.operations import Sample

EXAMPLE = "shipcast connect github acme/shop --environment prod-eu=production"
WIDEST = 6  # columns of a sample's table
GAP = 2  # between two of them
LENGTHS = (24, 18, 12)  # of their cells, the longest that fits


def add_verbs(app: typer.Typer) -> None:
    verb(app, "connect", EXAMPLE)(connect_verb)


def connect_verb(
    ask: Ask,
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="github, gitlab, pagerduty, prometheus, argocd or jenkins.")
    ],
    place: Annotated[
        str | None,
        typer.Argument(metavar="[PLACE]", help="The repository, project, job or query; what it is, the kind says."),
    ] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The server's address, unless the usual one.")] = None,
    token_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds the token, unless the usual one.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The file that holds the token.")] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(metavar="S", help="The service; or THEIRS=OURS, to name one of theirs; may be repeated."),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="An environment's name here; empty: left out; * is any letters."),
    ] = None,
    production: Annotated[
        list[str] | None,
        typer.Option(metavar="E", help="An environment that is production, by its name here; may be repeated."),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="The first day that is read.")] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KEY=VALUE", help="Another key of the kind; may be repeated."),
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="Keep people's names instead of pseudonyms.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, and write nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the entry of the same source.")] = False,
) -> None:
    """Connect a source: check that it can be reached, show its first rows, write it into shipcast.toml."""
    from shipcast.answers.connect import connect_answer, source_of
    from shipcast.settings.sources import REMOTE_KINDS

    key = REMOTE_KINDS[kind].main_key if kind in REMOTE_KINDS else None
    if place is not None and kind in REMOTE_KINDS and key is None:
        raise UsageError(f"{kind} is one place as a whole. Got {place!r} as well.")
    own, theirs = services(service or [])
    given: dict[str, Any] = {
        **({key: place} if key and place is not None else {}),
        "url": url,
        "token_env": token_env,
        "token_file": str(token_file.absolute()) if token_file else None,
        "since": parse_day(since, "--since").isoformat() if since else None,
        "service": own,
        "services": theirs,
        "environments": pairs(environment or [], "--environment"),
        "production": list(production or []),
        **pairs(with_ or [], "--with"),
        "names": names,
    }
    given = {name: value for name, value in given.items() if value not in (None, False, {}, [])}
    source = source_of(kind, given)
    switches = {name: value for name in given if isinstance(value := getattr(source, name), bool)}
    given = {**given, **switches}  # typed as text behind --with
    entry = {"kind": kind, **given}
    answer = connect_answer(ask.settings, source, ask.as_of, given=entry, dry_run=dry_run, replace=replace)
    show(ask, answer, lambda: show_connect(ask, answer))
    if answer.undecided:
        show_undecided(ask, answer)
        if not dry_run:
            raise typer.Exit(UsageError.exit_code)


def services(given: list[str]) -> tuple[str | None, dict[str, str]]:
    """The one service, where it is named alone, and what theirs are called here."""
    alone = [each for each in given if "=" not in each]
    if len(alone) > 1:
        raise UsageError(f"--service names one service, or THEIRS=OURS. Got {shlex.join(alone)}.")
    return (alone[0] if alone else None), pairs([each for each in given if "=" in each], "--service")


def pairs(given: list[str], flag: str) -> dict[str, str]:
    """`THEIRS=OURS`, each split at its last `=`; of `--with` at its first, since a query may hold more."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=") if flag == "--with" else each.rpartition("=")
        if not equals or not name:
            raise UsageError(f"{flag} must be written NAME=VALUE. Got {each!r} instead.")
        found[name] = value
    return found


def show_connect(ask: Ask, answer: ConnectAnswer) -> None:
    if not answer.undecided:
        say(answer.sentence)
    show_samples(answer.items)
    if answer.written:
        hint(ask, "shipcast run")


def show_samples(samples: Sequence[Sample]) -> None:
    """The first columns of each that are filled, none of whose cells is broken over two lines."""
    for item in samples:
        filled = [name for name in (item.rows[0] if item.rows else {}) if any(row.get(name) for row in item.rows)]
        if filled:
            typer.echo(f"\n{item.table}")
            table(*fitting(item, filled[:WIDEST]))


def fitting(item: Sample, names: list[str]) -> tuple[list[str], list[list[str]]]:
    """The columns, and their cells, cut as far as a line asks for; those behind are left out where that is not enough.

    Instants are told to the second, and never cut.
    """
    from shipcast.warehouse.tables import BY_NAME

    instants = {column.name for column in BY_NAME[item.table].columns if column.kind == "instant"}
    for longest in LENGTHS:
        rows = [
            [instant_said(row.get(name)) if name in instants else shown(row.get(name) or "", longest) for name in names]
            for row in item.rows
        ]
        width = sum(max(map(len, column)) + GAP for column in zip(names, *rows, strict=True))
        if width <= WIDTH:
            return names, rows
    return fitting(item, names[:-1])


def instant_said(text: str | None) -> str:
    """
    >>> instant_said("2025-03-04T11:10:00.000+01:00"), instant_said("some day")
    ('2025-03-04T10:10:00Z', 'some day')
    """
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return shown(text or "", LENGTHS[0])
    return f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if found.tzinfo else f"{found:%Y-%m-%dT%H:%M:%S}"


def show_undecided(ask: Ask, answer: ConnectAnswer) -> None:
    """What is to be decided, as the last words, behind all that may help to."""
    if ask.json:
        return
    say(answer.sentence)
    if answer.proposed:
        flags = " ".join(f"--production {shlex.quote(each)}" for each in answer.proposed)
        hint(ask, f"the same again with {flags}")
    elif answer.environments and not answer.production:
        hint(ask, "the same again with --production E for each that is")
    else:
        hint(ask, "the same again with a name that is there")

"""The verbs of the HTTP API: serving it, and who may ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from shipcast import completion
from shipcast.ask import Ask, group, verb
from shipcast.console import hint, say, show, table, tell
from shipcast.settings.errors import UsageError
from shipcast.verbs.dashboard import check_free

if TYPE_CHECKING:
    from shipcast.answers.tokens import TokenListAnswer

PORT, LOOPBACK = 8600, "127.0.0.1"
DAYS, MOST_DAYS = 90, 3650
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, which bookings by it then say.")]


def add_verbs(app: typer.Typer) -> None:
    verb(app, "serve", "shipcast serve --port 8700")(serve_verb)
    token = group(app, "token", "Who may ask over HTTP, and for what.")
    verb(token, "add", "shipcast token add deploys --scope read --scope plan --days 90")(add_verb)
    verb(token, "feed", "shipcast token feed phone --service checkout")(feed_verb)
    verb(token, "list", "shipcast token list")(list_verb)
    verb(token, "revoke", "shipcast token revoke deploys")(revoke_verb)


def serve_verb(
    ask: Ask,
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="The port.")] = PORT,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; elsewhere than here only with a token.")
    ] = LOOPBACK,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name by which it is asked; may be repeated."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", metavar="URL", help="A site whose pages may ask it; may be repeated."),
    ] = None,
) -> None:
    """The HTTP API: every answer as JSON, for programs; see docs/api.md."""
    from shipcast.answers.doctor import hook_findings
    from shipcast.api.server import check_exposure, run

    hosts, origins = tuple(allow_host or ()), tuple(map(check_origin, allow_origin or ()))
    check_exposure(ask.settings, host, hosts)
    check_free(host, port, "serve")
    as_of = None if ask.as_of_text is None else ask.as_of
    if not ask.quiet:
        say(f"The API is at http://{f'[{host}]' if ':' in host else host}:{port}/api/v1; Ctrl-C ends it.")
    for lacking in (one for one in hook_findings(ask.settings) if one.state != "good"):
        tell(f"warning: {lacking.finding} Its webhooks are refused until then: {lacking.remedy}", err=True)
    run(ask.settings, as_of, host, port, hosts, origins)


def check_origin(site: str) -> str:
    """The site as a browser says it: what it never says would let nobody in, and `*` everybody.

    Raises
    ------
    UsageError
        It is none.
    """
    found = urlsplit(site)
    if found.scheme not in ("http", "https") or not found.hostname or f"{found.scheme}://{found.netloc}" != site:
        raise UsageError(
            f"--allow-origin must be one site, without a path. Got {site!r} instead.",
            next_step="Such as https://portal.example",
        )
    return site.lower()


def add_verb(
    ask: Ask,
    name: Name,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="read, plan, approve or ingest; may be repeated. Default: read."),
    ] = None,
    days: Annotated[int, typer.Option(metavar="N", min=1, max=MOST_DAYS, help="For how many days it counts.")] = DAYS,
) -> None:
    """Make a token; it is shown once, and kept as a digest."""
    from shipcast.answers.tokens import add_token

    answer = add_token(ask.settings.home, ask.as_of, name, scope or ["read"], days)
    show(ask, answer, lambda: show_secret(ask, answer.sentence, answer.token))


def feed_verb(
    ask: Ask,
    name: Name,
    service: Annotated[
        str | None,
        typer.Option("--service", metavar="S", help="Only what is about it.", autocompletion=completion.services),
    ] = None,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Under which address the server is asked; printed in front.")
    ] = f"http://{LOOPBACK}:{PORT}",
) -> None:
    """Make a secret address under which a calendar program reads what is booked and in force."""
    from shipcast.answers.tokens import add_feed

    check_address(url)
    answer = add_feed(ask.settings.home, ask.as_of, name, service)
    show(ask, answer, lambda: show_secret(ask, answer.sentence, f"{url.rstrip('/')}{answer.path}"))


def check_address(url: str) -> None:
    """
    Raises
    ------
    UsageError
        It is no address that a calendar program asks.
    """
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment:
        raise UsageError(
            f"--url must be the address of the server. Got {url!r} instead.",
            next_step="Such as https://shipcast.example",
        )


def show_secret(ask: Ask, sentence: str, secret: str) -> None:
    say(sentence)
    tell(secret)
    hint(ask, "shipcast serve")


def list_verb(ask: Ask) -> None:
    """The tokens and feeds there are, without their secrets."""
    from shipcast.answers.tokens import token_list

    answer = token_list(ask.settings.home, ask.as_of)
    show(ask, answer, lambda: show_tokens(answer))


def show_tokens(answer: TokenListAnswer) -> None:
    say(answer.sentence)
    table(
        ["name", "id", "what", "may", "until", ""],
        [
            [
                one.name,
                one.id,
                one.kind,
                ", ".join(one.scopes) or f"calendar{f' of {one.service}' if one.service else ''}",
                None if one.expires_at is None else f"{one.expires_at:%Y-%m-%d %H:%M}",
                "" if one.is_valid else "revoked" if one.revoked_at else "expired",
            ]
            for one in answer.items
        ],
    )


def revoke_verb(
    ask: Ask, name: Annotated[str, typer.Argument(metavar="NAME", help="Of a token or feed, or its id.")]
) -> None:
    """Let a token or feed count no more, from the next request on."""
    from shipcast.answers.tokens import revoke

    answer = revoke(ask.settings.home, ask.as_of, name)
    show(ask, answer, lambda: say(answer.sentence))

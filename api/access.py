"""Who asks, and whether they may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import anyio.to_thread
from fastapi import Request

from shipcast.answers.errors import nearest
from shipcast.answers.tokens import PREFIX, TOKENS_FILE, Key, Scope, found, read_keys
from shipcast.api.errors import NoSuchPage, ScopeLacking, TokenLacking, TooBusy
from shipcast.settings.errors import UsageError

CHALLENGE = "Bearer"
MOST_WAITING = 200  # for a thread
NOBODY = "Say `Authorization: Bearer TOKEN`"


@dataclass(frozen=True)
class Caller:
    """Who a request is from; `key` null: anybody on this machine, while there are no tokens."""

    key: Key | None = None

    @property
    def name(self) -> str:
        return "" if self.key is None else self.key.name


def check_room() -> None:
    """Nothing, if an answer can be expected soon.

    Raises
    ------
    TooBusy
        All threads answer, and many wait for one.
    """
    if anyio.to_thread.current_default_thread_limiter().statistics().tasks_waiting >= MOST_WAITING:
        raise TooBusy(f"{MOST_WAITING} requests wait already.", next_step="Ask again in a second.", retry_after=1)


def check_parameters(request: Request) -> None:
    """Nothing, if the route takes every parameter that was given, as often as it was.

    One that is misspelt, or given twice where one counts, would be left out in silence.

    Raises
    ------
    UsageError
        Naming it, and the nearest one that is known.
    """
    if not request.query_params:
        return
    told = request.app.openapi()["paths"].get(request.scope["route"].path_format, {}).get(request.method.lower(), {})
    known = {one["name"]: one["schema"] for one in told.get("parameters", ()) if one["in"] == "query"}
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if name not in known:
            near = nearest(name, sorted(known))
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(sorted(known)) or 'none'}."
            raise UsageError(f"There is no parameter {name[:60]!r} here.", next_step=hint)
        if times > 1 and not is_list(known[name]):
            raise UsageError(f"The parameter {name!r} is given {times} times, and one of it counts.")


def is_list(schema: Mapping[str, Any]) -> bool:
    """Whether a parameter may be given several times."""
    return any(one.get("type") == "array" for one in (schema, *schema.get("anyOf", ())))


class Door:
    """The tokens of a home, read anew as soon as their file changes, so that one that is revoked opens nothing more.

    Parameters
    ----------
    is_open
        Whether anybody may read while there are no tokens; once there were some, nobody may without.
    """

    def __init__(self, home: Path, *, is_open: bool = True) -> None:
        self.home, self.is_open = home, is_open
        self.lock = Lock()
        self.seen: tuple[int, int, int] | None = None
        self.read: tuple[Key, ...] = ()

    def keys(self) -> tuple[Key, ...]:
        """
        Raises
        ------
        StorageError
            The file cannot be believed; so nobody is let in.
        """
        try:
            facts = (self.home / TOKENS_FILE).stat()
            seen = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
        except FileNotFoundError:
            return ()
        with self.lock:
            if seen != self.seen:
                self.read = read_keys(self.home)
                self.seen = seen
            return self.read

    def caller(self, authorization: str | None, scope: Scope) -> Caller:
        """Who says so, if they may.

        Raises
        ------
        TokenLacking
            No token was given, or one that does not count.
        ScopeLacking
            The token is for something else.
        """
        tokens = [one for one in self.keys() if not one.is_feed]
        if not tokens and self.is_open:
            if scope == "read":
                return Caller()
            raise TokenLacking(
                f"Whoever is on this machine may read; this needs a token of the scope {scope}.",
                next_step=f"Make one: shipcast token add NAME --scope {scope}",
            )
        self.is_open = False
        key = key_of(tokens, authorization)
        if scope not in key.scopes:
            raise ScopeLacking(
                f"The token {key.name!r} has the scopes {', '.join(key.scopes)}, and this needs {scope}."
            )
        return Caller(key)

    def feed(self, said: str) -> Key:
        """The feed whose secret address that is.

        Raises
        ------
        NoSuchPage
            There is none, or no more.
        """
        key_id, _, secret = said.partition("_")
        key = found([one for one in self.keys() if one.is_feed], key_id, secret)
        if key is None or not key.is_valid(datetime.now(UTC)):
            raise NoSuchPage("There is no feed at this address, or no more.")
        return key


def key_of(tokens: list[Key], authorization: str | None) -> Key:
    """The token that a header names, if it counts."""
    if authorization is None:
        raise TokenLacking("No token was given.", next_step=f"{NOBODY}; shipcast token add NAME makes one.")
    scheme, _, said = authorization.partition(" ")
    prefix, _, rest = said.strip().partition("_")
    key_id, _, secret = rest.partition("_")
    if scheme.lower() != CHALLENGE.lower() or prefix != PREFIX or not secret:
        raise TokenLacking("What was given is no token.", next_step=f"{NOBODY}.")
    key = found(tokens, key_id, secret)
    if key is None or key.revoked_at is not None:
        raise TokenLacking("This token is not known here.", next_step="Make one: shipcast token add NAME")
    if not key.is_valid(datetime.now(UTC)):
        raise TokenLacking(
            f"The token {key.name!r} expired.", next_step=f"Make another: shipcast token revoke {key.name}, then add"
        )
    return key


def scoped(scope: Scope) -> Callable[[Request], Any]:
    """What a route depends on that needs a token of that scope; it says who asks."""

    async def caller(request: Request) -> Caller:
        who: Caller = request.app.state.api.door.caller(request.headers.get("authorization"), scope)
        request.state.caller = who
        check_room()
        check_parameters(request)
        return who

    caller.__name__ = f"may_{scope}"
    return caller

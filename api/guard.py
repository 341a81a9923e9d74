"""What stands before every route: whom a request is for, how large and how slow it may be, and how long it took."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipcast.api import problems
from shipcast.api.errors import TooBusy, TooLarge, TooSlow, WrongHost
from shipcast.api.gauges import Gauges
from shipcast.settings.errors import ShipcastError

LOG = logging.getLogger("shipcast.api")
LARGEST_BODY = 2 * 2**20
BODY_SECONDS, SEND_SECONDS = 10.0, 30.0
MOST_REQUESTS, RETRY_SECONDS = 500, 2
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+))(?::[0-9]{1,5})?")
ADDRESS = re.compile(rb"(?i:https?)://([^/]*)(/.*)?", re.DOTALL)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNKNOWN = "(none)"  # the route of what is served nowhere


class Guard:
    """ASGI middleware around everything else.

    Parameters
    ----------
    hosts
        The names, in lower case, by which the server may be asked.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], gauges: Gauges) -> None:
        self.app, self.hosts, self.gauges = app, frozenset(hosts), gauges
        self.in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method, scope = scope["method"], of_the_whole(in_origin_form(scope))
        answer = Answer(send)
        began = time.perf_counter()
        try:
            await self.guarded(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path_format", UNKNOWN)
            self.gauges.count(known_method(method), route, answer.status, time.perf_counter() - began)

    async def guarded(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        request = Request(scope)
        try:
            check_host(request, self.hosts)
            body = await whole_body(request, receive)
            with self.room():
                await self.app(scope, replayed(body, receive), answer)
        except ShipcastError as error:
            await problems.of_error(request, error)(scope, receive, answer)
        except Exception as error:
            if answer.begun:
                raise
            tell_bug(request, error)
            await problems.of_status(request, 500)(scope, receive, answer)

    @contextmanager
    def room(self) -> Iterator[None]:
        """Within the block, one request more is answered: a whole one, so that half of one keeps nobody out.

        Raises
        ------
        TooBusy
        """
        if self.in_hand >= MOST_REQUESTS:
            raise too_many()
        self.in_hand += 1
        try:
            yield
        finally:
            self.in_hand -= 1


def known_method(method: str) -> str:
    """The method, or one name for all that nobody serves: whoever asks makes no labels up."""
    return method if method in METHODS else "other"


class Answer:
    """What is sent, noting its status, and given up where whoever asked does not take it."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status = 499  # until it is begun: they went away
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
        async with asyncio.timeout(SEND_SECONDS):
            await self.send(message)


def of_the_whole(scope: Scope) -> Scope:
    """A request for the head alone as that for the whole, of which the server sends the head (RFC 9110, 9.3.2)."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def in_origin_form(scope: Scope) -> Scope:
    """The request for a whole address, as to a proxy, as that for its path from its host (RFC 9112, 3.2.2).

    The host that the address names is the one asked for, whatever the header says.
    """
    found = ADDRESS.fullmatch(scope["raw_path"])
    if found is None:
        return scope
    raw = found[2] or b"/"
    headers = [(b"host", found[1]), *((name, value) for name, value in scope["headers"] if name != b"host")]
    return {**scope, "path": unquote(raw.decode("ascii", "replace")), "raw_path": raw, "headers": headers}


def check_host(request: Request, hosts: Collection[str]) -> None:
    """
    Raises
    ------
    WrongHost
        The request names another host, or none: a page of somebody else's may have been made to point here.
    """
    said = request.headers.get("host", "")
    if hostname(said) not in hosts:
        raise WrongHost(
            f"This server is not called {said[:60]!r}.",
            next_step="Start it with the name: shipcast serve --allow-host NAME",
        )


def hostname(said: str) -> str:
    """
    >>> hostname("Localhost:8080"), hostname("[::1]:80"), hostname("10.0.0.1")
    ('localhost', '::1', '10.0.0.1')
    """
    found = HOST.fullmatch(said)
    return (found[1] or found[2]).lower() if found else ""


async def whole_body(request: Request, receive: Receive) -> bytes:
    """The body, read before anything else is done, so that one that comes slowly keeps nobody but itself waiting.

    Raises
    ------
    TooLarge, TooSlow
    """
    said = request.headers.get("content-length", "0")
    if said.isascii() and said.isdigit() and int(said[:12]) > LARGEST_BODY:
        raise too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    break
                size += len(message.get("body", b""))
                if size > LARGEST_BODY:
                    raise too_large()
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError as error:
        raise TooSlow(f"The body did not come within {BODY_SECONDS:g} s.") from error
    return b"".join(parts)


def too_many() -> TooBusy:
    return TooBusy(
        f"{MOST_REQUESTS} requests are being answered.",
        next_step=f"Ask again in {RETRY_SECONDS} s.",
        retry_after=RETRY_SECONDS,
    )


def too_large() -> TooLarge:
    return TooLarge(f"A body may have {LARGEST_BODY // 2**20} MiB at most.")


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body at once, then what else comes."""
    given: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return given.pop() if given else await receive()

    return next_message


def tell_bug(request: Request, error: Exception) -> None:
    """Where it broke, for the log; not what was in hand there, which may be a secret."""
    frames: list[Any] = traceback.format_tb(error.__traceback__)
    LOG.error("a bug: %s at %s\n%s", type(error).__name__, problems.instance(request), "".join(frames[-6:]))

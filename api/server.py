"""The server: uvicorn, on loopback unless there is a token, with short patience for those who only half ask."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from shipcast.answers.tokens import read_keys
from shipcast.api import problems
from shipcast.api.app import application
from shipcast.settings import Settings
from shipcast.settings.addresses import is_loopback
from shipcast.settings.errors import ConfigurationError

HEADER_SECONDS, KEEP_ALIVE_SECONDS, GOODBYE_SECONDS = 10.0, 5, 10
LONGEST_HEAD = 16 * 1024  # bytes of a request before its body
MOST_CONNECTIONS = 500
EVERYWHERE = ("0.0.0.0", "::")


class Impatient(H11Protocol):
    """Closes a connection on which no request has come whole, head and all, after some seconds.

    Where there are many connections, one on which nothing is asked, or else not all of it has come, gives way to each
    that comes: whoever keeps silent, on however many, keeps nobody out.
    """

    waiting: asyncio.TimerHandle | None = None
    began: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.make_room()
        super().connection_made(transport)
        self.began = self.loop.time()
        self.waiting = self.loop.call_later(HEADER_SECONDS, self.give_up)

    def make_room(self) -> None:
        """Close the oldest connection that nothing was asked on, or else not all, if there are as many as may be."""
        if len(self.connections) < MOST_CONNECTIONS:
            return
        ours = [one for one in self.connections if isinstance(one, Impatient)]
        idle = [one for one in ours if one.is_silent] or [one for one in ours if one.is_half_asked]
        if idle:
            min(idle, key=lambda one: one.began).give_up()

    @property
    def is_silent(self) -> bool:
        """Whether no request on it waits for its answer."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    @property
    def is_half_asked(self) -> bool:
        """Whether the body of a request on it has not come whole."""
        return not self.transport.is_closing() and self.cycle is not None and self.cycle.more_body

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self.stop_waiting()
        elif self.waiting is None and self.is_silent:
            self.waiting = self.loop.call_later(HEADER_SECONDS, self.give_up)  # the next request on it has begun

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_waiting()
        super().connection_lost(exc)

    def stop_waiting(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def send_400_response(self, msg: str) -> None:
        """Say as a problem that what was sent is no request."""
        said = problems.bad_request("What was sent is no HTTP request, or its head is too long.")
        head = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", str(len(said)).encode())]
        head.append((b"connection", b"close"))
        begun = h11.Response(status_code=400, headers=head, reason=b"Bad Request")
        parts = [self.conn.send(event) or b"" for event in (begun, h11.Data(data=said), h11.EndOfMessage())]
        self.transport.write(b"".join(parts))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: whoever asks for another protocol is answered in this one, and the log is for what is wrong here."""

    def give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def check_exposure(settings: Settings, host: str, hosts: Sequence[str]) -> None:
    """Nothing, if it may listen there.

    Raises
    ------
    ConfigurationError
        Others than those on this machine could ask, and no token says who may; or none could, by no name.
    """
    if is_loopback(host.lower()):
        return
    if not any(not one.is_feed and one.is_valid(datetime.now(UTC)) for one in read_keys(settings.home)):
        raise ConfigurationError(
            f"Whoever reaches {host} could read everything: there is no token that counts.",
            next_step="Make one: shipcast token add NAME --scope read; or listen on this machine alone.",
        )
    if host in EVERYWHERE and not hosts:
        raise ConfigurationError(
            f"By which name will it be asked at {host}? Requests for other hosts are refused.",
            next_step="Say it: shipcast serve --host 0.0.0.0 --allow-host NAME",
        )


def server(
    settings: Settings,
    as_of: datetime | None,
    host: str,
    port: int,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    *,
    asks_ahead: bool = False,
) -> uvicorn.Server:
    """The server of a home, not begun yet."""
    known = hosts if host in EVERYWHERE else (*hosts, host)
    is_local = is_loopback(host.lower())
    app = application(settings, as_of, hosts=known, origins=origins, is_local=is_local, asks_ahead=asks_ahead)
    options: dict[str, Any] = {
        "http": Impatient,
        "ws": "none",
        "loop": "asyncio",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,  # an address may be a secret
        "server_header": False,
        "date_header": True,
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GOODBYE_SECONDS,
        "h11_max_incomplete_event_size": LONGEST_HEAD,
    }
    return uvicorn.Server(uvicorn.Config(app, host=host, port=port, **options))


def run(
    settings: Settings, as_of: datetime | None, host: str, port: int, hosts: Sequence[str], origins: Sequence[str]
) -> None:
    """Serve the API of a home until interrupted."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    made = server(settings, as_of, host, port, hosts, origins, asks_ahead=True)
    gc.freeze()  # what was imported stays in use, and need not be looked through again
    made.run()

"""A proxy on the loopback that opens tunnels, as a company's does; whatever name is asked for leads to one place."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Proxy:
    """A proxy.

    Parameters
    ----------
    port
        The port of the loopback to which all tunnels lead.
    user
        `user:password` that it asks for; None: it asks for none.
    heard
        All that it was told: each request's line and headers.
    """

    port: int
    user: str | None = None
    heard: list[str] = field(default_factory=list)
    url: str = ""

    def is_known(self, shown: str | None) -> bool:
        return self.user is None or shown == f"Basic {base64.b64encode(self.user.encode()).decode()}"


class Handler(BaseHTTPRequestHandler):
    proxy: Proxy

    def do_CONNECT(self) -> None:
        self.proxy.heard.append(f"{self.requestline}\n{self.headers}")
        if not self.proxy.is_known(self.headers.get("Proxy-Authorization")):
            self.send_error(407)
            return
        with socket.create_connection(("127.0.0.1", self.proxy.port)) as there:
            self.send_response_only(200)
            self.end_headers()
            back = threading.Thread(target=carried, args=(there, self.connection), daemon=True)
            back.start()
            carried(self.connection, there)
            back.join()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def carried(begin: socket.socket, end: socket.socket) -> None:
    """All bytes of one side to the other, until it ends."""
    try:
        while piece := begin.recv(65536):
            end.sendall(piece)
        end.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def tunnelling(proxy: Proxy) -> Iterator[Proxy]:
    handler = type("ProxyHandler", (Handler,), {"proxy": proxy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()

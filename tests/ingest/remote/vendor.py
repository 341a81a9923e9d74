"""A vendor's server on the loopback, with the faults that real ones have; and a home that reads from it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shipcast.ingest.files import ingest_files
from shipcast.ingest.remote.reading import ingest_remote
from shipcast.ingest.remote.site import Patience
from shipcast.ingest.report import LoadReport
from shipcast.settings import Settings
from shipcast.settings.sources import Remote
from shipcast.warehouse.connection import WORK_FILE, open_beside

HASTY = Patience(attempts=6, first=0.001, most=0.002, longest=5, silence=2, deadline=0.5)
TOKEN = "canary-7f3a9c"


@dataclass
class Asked:
    """A request as the vendor sees it: the parameters' first values, and the body's JSON."""

    method: str
    path: str
    parameters: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class Told:
    """The vendor's answer."""

    data: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


Answering = Callable[[Asked], Told]


@dataclass
class Vendor:
    """A server that answers by a function, after the faults that a test puts before it.

    Parameters
    ----------
    answer
        What a request is answered.
    faults
        Names of what goes wrong with the next requests, one each: `429`, `502`, `truncated`, `reset`, `drip`, `head`,
        `html`, `expired`, or None for a request without a fault.
    skew
        Seconds by which the vendor's clock is ahead of ours.
    """

    answer: Answering
    faults: list[str | None] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    skew: float = 0
    url: str = ""

    def reply(self, request: Asked) -> Told:
        self.asked.append(request)
        fault = self.faults.pop(0) if self.faults else None
        match fault:
            case "429":
                return Told({"message": "slow down"}, 429, {"Retry-After": "0"})
            case "502":
                return Told(status=502, raw=b"<html>Bad Gateway</html>", headers={"Content-Type": "text/html"})
            case "html":
                return Told(raw=b"<html>Please sign in</html>", headers={"Content-Type": "text/html"})
            case "expired":
                return Told({"message": "Bad credentials"}, 401)
        told = self.answer(request)
        return Told(told.data, told.status, {**told.headers, "x-fault": fault}, told.raw) if fault else told


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits 40 ms for its head to be acknowledged
    vendor: Vendor

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = self.vendor.reply(Asked(self.command, parts.path, parameters, body, headers))
        self.send(told, told.headers.pop("x-fault", None))

    def send(self, told: Told, fault: str | None) -> None:
        content = told.raw if told.raw is not None else json.dumps(told.data).encode()
        if fault == "reset":
            self.close_connection = True
            return
        if fault == "head":  # which drips and never ends
            self.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000)
            return
        self.send_response_only(told.status)
        self.send_header("Date", formatdate(self.vendor_time(), usegmt=True))
        for name, value in {"Content-Type": "application/json", **told.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "truncated":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif fault == "drip":
            self.drip(content)
        else:
            self.wfile.write(content)

    def drip(self, content: bytes) -> None:
        """A byte at a time, slower than anybody waits for."""
        self.close_connection = True
        for byte in content:
            try:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            except OSError:
                return
            if self.server.gone.wait(0.05):  # type: ignore[attr-defined]
                return

    def vendor_time(self) -> float:
        import time

        return time.time() + self.vendor.skew

    def log_message(self, *_: Any) -> None:
        """Nothing: what is asked, the vendor remembers."""


@contextmanager
def serving(vendor: Vendor, context: ssl.SSLContext | None = None) -> Iterator[Vendor]:
    """The vendor, at an address of the loopback; with a context, over TLS."""
    handler = type("VendorHandler", (Handler,), {"vendor": vendor})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.gone = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    vendor.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield vendor
    finally:
        server.gone.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()


class Reader:
    """A home that reads a source, and the raw tables that it has."""

    def __init__(self, home: Path) -> None:
        home.mkdir(exist_ok=True)
        self.settings = Settings(home=home)

    def read(self, source: Remote, patience: Patience = HASTY) -> LoadReport:
        return ingest_remote(self.settings, source, patience=patience)

    def files(self, *paths: Path) -> LoadReport:
        return ingest_files(self.settings, paths)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with open_beside(self.settings.home / WORK_FILE) as connection:
            return connection.execute(query).fetchall()

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """All that the table holds but which load wrote it."""
        return self.rows(f"select * exclude (_load_id, _changed_id) from raw.{name} order by all")

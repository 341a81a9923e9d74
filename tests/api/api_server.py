"""The API of a home on a free port of loopback, and one who asks it."""

import json
import socket
import threading
import time
from contextlib import contextmanager

import urllib3

from shipcast.api.server import server

PATIENCE = 60


class Reply:
    """An answer: its status, its headers and, where it is JSON, what it holds."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.data.decode()

    @property
    def json(self):
        return json.loads(self.text)


class Asker:
    def __init__(self, port, token=None):
        self.port, self.token = port, token
        self.pool = urllib3.PoolManager(retries=False, timeout=PATIENCE)

    def __call__(self, path, method="GET", body=None, headers=None, **fields):
        given = {"authorization": f"Bearer {self.token}"} if self.token else {}
        url = f"http://127.0.0.1:{self.port}{path}"
        if body is not None and not isinstance(body, bytes | str):
            body, given["content-type"] = json.dumps(body), "application/json"
        given |= headers or {}
        if method == "GET":
            return Reply(self.pool.request(method, url, fields=fields, headers=given))
        return Reply(self.pool.request(method, url, body=body, headers=given))

    def ask(self, name, **fields):
        """What the API answers to a question of that name."""
        return self(f"/api/v1/{name}", **fields)

    def with_token(self, token):
        return Asker(self.port, token)

    def says(self, sent, length=65536):
        """What comes back of bytes that are sent as they are."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line:
            line.sendall(sent)
            return line.recv(length)


@contextmanager
def serving(settings, as_of=None, hosts=(), origins=()):
    """One who asks the API of a home, served in a thread while the block runs."""
    made = server(settings, as_of, "127.0.0.1", 0, hosts, origins)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE
    while not made.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield Asker(made.servers[0].sockets[0].getsockname()[1])
    finally:
        made.should_exit = True
        thread.join(PATIENCE)

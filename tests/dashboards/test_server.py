"""How the page is served: its own files from memory, small answers at once, a browser only where asked for."""

import asyncio
import subprocess
import sys

import pytest
from browsing import free_port, serving
from starlette.responses import PlainTextResponse

from shipcast.dashboards.own_files import ROOT, OwnFiles

SCRIPT = next((ROOT / "static" / "js").glob("index.*.js"))
ADDRESS = f"/static/js/{SCRIPT.name}"
CONNECTION = """
UPGRADE = '''GET /_stcore/stream HTTP/1.1
Host: {host}
Origin: http://{host}
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==

'''
import asyncio, socket, sys
from shipcast.dashboards.server import server

async def look(port):
    page = server(port)
    served = asyncio.create_task(page.serve())
    while not page.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /_stcore/health HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
    await reader.readline()
    [connection] = page.server_state.connections
    print(connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    writer.close()
    for host in ("127.0.0.1", "localhost", "evil.example"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        asked = UPGRADE.format(host=f"{host}:{port}").replace("\\n", "\\r\\n")
        writer.write(asked.encode())
        print(host, (await reader.readline()).split()[1].decode())
        writer.close()
    page.should_exit = True
    await served

asyncio.run(look(int(sys.argv[1])))
"""


class Answer:
    """What an app says to one request."""

    def __init__(self, app, path, method="GET", headers=()):
        self.body = b""
        scope = {"type": "http", "method": method, "path": path, "headers": headers}
        asyncio.run(app(scope, None, self.send))

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
        self.body += message.get("body", b"")


@pytest.fixture
def app():
    return OwnFiles(PlainTextResponse("asked of the app behind"))


def test_its_own_files_come_whole_and_may_be_kept_for_good(app):
    first, again = (Answer(app, ADDRESS) for _ in range(2))

    assert first.body == again.body == SCRIPT.read_bytes()
    assert first.headers[b"content-type"].startswith(b"text/javascript")
    assert first.headers[b"cache-control"] == b"public, immutable, max-age=31536000"


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/", "GET", ()),
        ("/index.html", "GET", ()),
        ("/static/js/none.js", "GET", ()),
        ("/static/js/../../index.html", "GET", ()),
        (ADDRESS.replace("/js/", "/js//"), "GET", ()),
        (ADDRESS, "HEAD", ()),
        (ADDRESS, "GET", [(b"range", b"bytes=0-9")]),
    ],
)
def test_all_else_is_asked_of_the_app_behind(app, path, method, headers):
    assert Answer(app, path, method, headers).body == b"asked of the app behind"


def test_what_is_small_is_sent_at_once_and_strangers_names_are_refused():
    found = subprocess.run(
        [sys.executable, "-c", CONNECTION, str(free_port())], capture_output=True, text=True, check=True
    )

    assert found.stdout.splitlines() == ["1", "127.0.0.1 101", "localhost 101", "evil.example 403"]


def test_a_browser_is_opened_once_the_page_is_there_and_only_where_it_is_asked_for(tmp_path, monkeypatch):
    opener, told = tmp_path / "opener", tmp_path / "told"
    opener.write_text(f'#!/bin/sh\necho "$1" >> {told}\n')
    opener.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(opener))

    with serving(tmp_path / "home"):
        pass
    assert not told.exists()
    with serving(tmp_path / "home", flags=("--browser",)) as (address, _):
        pass
    assert told.read_text() == f"{address}\n"

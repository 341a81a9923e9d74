"""A mail server on the loopback, which takes in what it is handed; and a channel that leads to it."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class MailServer:
    """What it took, and how it replies: a fault is the reply to what begins so, such as `{"RCPT TO:<A@": "550 no"}`.

    With a context it speaks TLS from the first byte on, or once it is asked to.
    """

    faults: dict[str, str] = field(default_factory=dict)
    offers: tuple[str, ...] = ("AUTH PLAIN",)
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    address: str = ""
    context: ssl.SSLContext | None = None
    is_tls_at_once: bool = False

    @property
    def passwords(self) -> list[str]:
        found = [line.split()[2] for line in self.commands if line.startswith("AUTH PLAIN ")]
        return [base64.b64decode(each).decode().split("\0")[2] for each in found]


class Conversation(socketserver.StreamRequestHandler):
    server: Listener

    def handle(self) -> None:
        mail = self.server.mail
        if mail.context is not None and mail.is_tls_at_once and not self.encrypt(mail.context):
            return
        self.say("220 here")
        while line := self.rfile.readline().decode("ascii").strip():
            mail.commands.append(line)
            verb = line.split()[0].upper()
            fault = next((reply for start, reply in mail.faults.items() if line.upper().startswith(start)), None)
            if fault is not None:
                self.say(fault)
            elif verb == "STARTTLS" and mail.context is not None:
                self.say("220 begin")
                if not self.encrypt(mail.context):
                    return
            elif verb == "EHLO":
                self.say("\r\n".join([f"250-{each}" for each in ("here", *mail.offers)] + ["250 OK"]))
            elif verb == "DATA":
                self.say("354 go on")
                mail.messages.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.say(mail.faults.get("END", "250 taken"))
            elif verb == "AUTH" and "CRAM" in line:
                self.say("334 abcde")
            else:
                self.say({"AUTH": "235 in", "QUIT": "221 bye"}.get(verb, "250 fine"))

    def encrypt(self, context: ssl.SSLContext) -> bool:
        """Go on over TLS; whether the client does."""
        try:
            self.connection = context.wrap_socket(self.connection, server_side=True)
        except OSError:
            return False
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        return True

    def say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    mail: MailServer


@contextmanager
def taking(mail: MailServer) -> Iterator[MailServer]:
    with Listener(("127.0.0.1", 0), Conversation) as server:
        server.mail = mail
        mail.address = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield mail
        server.shutdown()

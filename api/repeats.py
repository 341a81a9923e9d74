"""Requests that are sent twice under one `Idempotency-Key`: the second gets what the first got, and does nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from fastapi import Header, Request, Response

from shipcast.api.errors import KeyTaken
from shipcast.api.keeping import Latest

MOST = 1000
Repeated = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=100,
        description="The same request again under the same key does nothing more, and gets the same answer; kept until "
        "the server ends, of the last 1,000.",
    ),
]


@dataclass(frozen=True)
class Done:
    """What was asked, by its digest, and what was answered."""

    asked: str
    body: bytes
    status: int


class Repeats:
    """What was answered under which key, for each caller apart."""

    def __init__(self) -> None:
        self.done: Latest[Done] = Latest(MOST)

    def once(self, request: Request, body: str, key: str | None, act: Callable[[], Response]) -> Response:
        """What `act` answers, or what it answered before under that key; errors are not kept.

        Raises
        ------
        KeyTaken
            It was something else.
        """
        if key is None:
            return act()
        asked = sha256(repr((request.url.path, body)).encode()).hexdigest()

        def acted() -> Done:
            found = act()
            return Done(asked, bytes(found.body), found.status_code)

        done = self.done.once((request.state.caller.key.id, key), acted)
        if done.asked != asked:
            raise KeyTaken(
                f"Under the key {key[:60]!r} something else was asked.", next_step="Give it a key of its own."
            )
        return Response(done.body, done.status, media_type="application/json")

"""What is wrong with a request as such, whatever it asks.

ShipcastError (settings.errors)
└── RequestRefused
    ├── TokenLacking      401  no token, or none that counts
    ├── SignatureWrong    401  a webhook that no known secret signed
    ├── ScopeLacking      403  a token that may not do this
    ├── NoSuchPage        404  nothing is served there
    ├── TooSlow           408  its body did not come in time
    ├── CursorGone        410  the snapshot that its cursor goes on in is kept no more
    ├── TooLarge          413  its body
    ├── WrongHost         421  it is meant for somebody else
    ├── CursorRefused     422  its cursor belongs to another question
    ├── KeyTaken          422  another request was made under its idempotency key
    └── TooBusy           503  too many wait already
"""

from __future__ import annotations

from typing import ClassVar

from shipcast.settings.errors import ShipcastError


class RequestRefused(ShipcastError):
    """Its fact `retry_after`, where there is one: in how many seconds to ask again."""

    status: ClassVar[int] = 400
    title = "The request was refused"


class TokenLacking(RequestRefused):
    status = 401
    title = "This needs a token"


class SignatureWrong(RequestRefused):
    status = 401
    title = "The signature is wrong"


class ScopeLacking(RequestRefused):
    status = 403
    title = "This token may not do that"


class NoSuchPage(RequestRefused):
    status = 404
    title = "Nothing is here"


class TooSlow(RequestRefused):
    status = 408
    title = "The request took too long to arrive"


class KeyTaken(RequestRefused):
    status = 422
    title = "Another request was made under this key"


class CursorGone(RequestRefused):
    status = 410
    title = "That page is gone"


class TooLarge(RequestRefused):
    status = 413
    title = "The request is too large"


class WrongHost(RequestRefused):
    status = 421
    title = "The request is meant for another host"


class CursorRefused(RequestRefused):
    status = 422
    title = "That is no cursor of this question"


class TooBusy(RequestRefused):
    status = 503
    title = "Too many are waiting"

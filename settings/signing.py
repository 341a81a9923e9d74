"""Signatures of webhooks as the Standard Webhooks specification has them: of those that come, and of those that go."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from pydantic import SecretStr

ENCODED = "whsec_"


def standard_signature(identity: str, sent: str, body: bytes, secret: SecretStr) -> str:
    """HMAC-SHA256 of id, time and body, in Base64.

    Parameters
    ----------
    sent
        When it is sent, in seconds since 1970.
    secret
        One that begins with `whsec_` is Base64 behind it, as the specification has it; another counts as it is.
    """
    signed = f"{identity}.{sent}.".encode("utf-8", "replace") + body
    return f"v1,{base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()}"


def key_of(secret: SecretStr) -> bytes:
    text = secret.get_secret_value()
    if text.startswith(ENCODED):
        try:
            return base64.b64decode(text.removeprefix(ENCODED), validate=True)
        except binascii.Error:
            return text.encode()
    return text.encode()

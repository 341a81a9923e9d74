"""Whether a webhook is what a source sent: its signature, compared in constant time, and its age."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

TOLERANCE = timedelta(minutes=5)  # between the time that a message says it was sent at, and ours


def is_of_github(headers: Mapping[str, str], body: bytes, secret: SecretStr) -> bool:
    """By `X-Hub-Signature-256`: HMAC-SHA256 of the body, in hex."""
    return agrees(headers.get("x-hub-signature-256", ""), f"sha256={digest(body, secret).hex()}")


def is_of_gitlab(headers: Mapping[str, str], body: bytes, secret: SecretStr) -> bool:
    """By `X-Gitlab-Token`, which is the secret itself: GitLab does not sign unless it is told to."""
    return agrees(headers.get("x-gitlab-token", ""), secret.get_secret_value())


def is_of_pagerduty(headers: Mapping[str, str], body: bytes, secret: SecretStr) -> bool:
    """By any of the signatures in `X-PagerDuty-Signature` (version 3): there are two while a secret is changed."""
    own = f"v1={digest(body, secret).hex()}"
    given = headers.get("x-pagerduty-signature", "").split(",")
    return any(agrees(each.strip(), own) for each in given)


def is_standard(headers: Mapping[str, str], body: bytes, secret: SecretStr, now: datetime | None = None) -> bool:
    """By the Standard Webhooks specification: HMAC-SHA256 of id, time and body; sent within five minutes of now.

    A secret that begins with `whsec_` is Base64 behind it, as the specification has it; another counts as it is.
    """
    identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isascii() or not sent.isdigit() or len(sent) > 12:
        return False
    moment = now or datetime.now(UTC)
    if abs(moment.timestamp() - int(sent)) > TOLERANCE.total_seconds():
        return False
    signed = f"{identity}.{sent}.".encode("utf-8", "replace") + body
    own = f"v1,{base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()}"
    return any(agrees(each, own) for each in headers.get("webhook-signature", "").split(" "))


def key_of(secret: SecretStr) -> bytes:
    text = secret.get_secret_value()
    if text.startswith("whsec_"):
        try:
            return base64.b64decode(text.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return text.encode()
    return text.encode()


def digest(body: bytes, secret: SecretStr) -> bytes:
    return hmac.digest(secret.get_secret_value().encode(), body, hashlib.sha256)


def agrees(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), own.encode())

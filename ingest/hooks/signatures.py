"""Whether a webhook is what a source sent: its signature, compared in constant time, and its age."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from shipcast.settings.signing import standard_signature

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
    """By the Standard Webhooks specification, sent within five minutes of now."""
    identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isascii() or not sent.isdigit() or len(sent) > 12:
        return False
    moment = now or datetime.now(UTC)
    if abs(moment.timestamp() - int(sent)) > TOLERANCE.total_seconds():
        return False
    own = standard_signature(identity, sent, body, secret)
    return any(agrees(each, own) for each in headers.get("webhook-signature", "").split(" "))


def digest(body: bytes, secret: SecretStr) -> bytes:
    return hmac.digest(secret.get_secret_value().encode(), body, hashlib.sha256)


def agrees(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), own.encode())

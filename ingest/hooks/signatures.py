"""Whether a webhook is what a source sent: its signature, compared in constant time, and its age."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from shipcast.settings.signing import standard_signature

LONGEST_TIME = 11  # digits: one in milliseconds has more
TOLERANCE = timedelta(minutes=5)  # between the time that a message says it was sent at, and ours


class TimeOff(ValueError):
    """What is wrong with the time of a message whose signature is right, in words."""


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
    """By the Standard Webhooks specification, sent within five minutes of now.

    Raises
    ------
    TimeOff
        The secret signed it, but not for now; of what it did not sign nothing is told.
    """
    identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    own = standard_signature(identity, sent, body, secret)
    if not any(agrees(each, own) for each in headers.get("webhook-signature", "").split(" ")):
        return False
    check_time(sent, now or datetime.now(UTC))
    return True


def check_time(sent: str, now: datetime) -> None:
    """
    Raises
    ------
    TimeOff
        It is none, or too far from now.
    """
    if not sent.isascii() or not sent.isdigit() or len(sent) > LONGEST_TIME:
        raise TimeOff("its webhook-timestamp is no number of seconds since 1970")
    if abs(int(sent) - now.timestamp()) > TOLERANCE.total_seconds():
        off = int(sent) - round(now.timestamp())
        where = "ahead of" if off > 0 else "behind"
        most = f"{TOLERANCE.total_seconds():.0f} s may be"
        raise TimeOff(f"its webhook-timestamp is {abs(off)} s {where} the clock here, and {most}")


def digest(body: bytes, secret: SecretStr) -> bytes:
    return hmac.digest(secret.get_secret_value().encode(), body, hashlib.sha256)


def agrees(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), own.encode())

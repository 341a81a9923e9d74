"""Messages as signed JSON: the Standard Webhooks specification."""

from __future__ import annotations

import json
from datetime import datetime

from shipcast.channels.notice import Notice
from shipcast.channels.web import post
from shipcast.settings.channels import WebhookChannel
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.secrets import needed
from shipcast.settings.signing import key_of, standard_signature

SCHEMA = "shipcast/notice/1"
SHORTEST = 16  # bytes of a secret


def body_of(notice: Notice) -> bytes:
    """The same bytes with each attempt."""
    said = notice.model_dump(mode="json", include={"service", "sentence", "facts"})
    whole = {"schema": SCHEMA, "type": notice.kind, "timestamp": stamp(notice.at), "data": said}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False).encode()


def stamp(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def send(channel: WebhookChannel, notice: Notice, now: datetime, deadline: float) -> None:
    secret = needed(channel.secret, channel.label)
    if len(key_of(secret)) < SHORTEST:
        raise ConfigurationError(
            f"{channel.label}: its secret is too short to sign by.",
            next_step="Make one with: python -c \"import base64, os; print('whsec_' + "
            'base64.b64encode(os.urandom(32)).decode())"',
        )
    body, sent = body_of(notice), str(int(now.timestamp()))
    signature = standard_signature(notice.id, sent, body, secret)
    headers = {"webhook-id": notice.id, "webhook-timestamp": sent, "webhook-signature": signature}
    post(channel.label, channel.address, body, headers, deadline)


def shown(channel: WebhookChannel, notice: Notice) -> str:
    """What would be sent, but for what the moment and the secret add."""
    indented = json.dumps(json.loads(body_of(notice)), ensure_ascii=False, indent=2)
    return f"webhook-id: {notice.id}\nwebhook-timestamp: ...\nwebhook-signature: v1,...\n\n{indented}"

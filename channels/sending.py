"""One message by one channel, whatever its kind."""

from __future__ import annotations

from datetime import datetime

from shipcast.channels import mail, slack, webhook
from shipcast.channels.notice import Notice
from shipcast.settings.channels import Channel

DEADLINE = 30.0  # seconds for one message, name look-ups and all


def send(channel: Channel, notice: Notice, now: datetime, deadline: float = DEADLINE) -> str:
    """Send a message; what there is to say though it was taken, mostly nothing.

    Raises
    ------
    ShipcastError
        It was not taken, as far as is known.
    """
    match channel.kind:
        case "webhook":
            webhook.send(channel, notice, now, deadline)
        case "slack":
            slack.send(channel, notice, now, deadline)
        case "email":
            return mail.send(channel, notice, now, deadline)
    return ""


def shown(channel: Channel, notice: Notice) -> str:
    """The message as the channel would get it, in words."""
    match channel.kind:
        case "webhook":
            return webhook.shown(channel, notice)
        case "slack":
            return slack.shown(channel, notice)
        case "email":
            return mail.shown(channel, notice)

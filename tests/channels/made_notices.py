"""A notice whose names are hostile, and the channels that it goes out by."""

from datetime import UTC, datetime

from shipcast.channels.notice import Notice
from shipcast.settings.channels import EmailChannel, SlackChannel, WebhookChannel

AT = datetime(2026, 1, 6, 9, 15, tzinfo=UTC)
SECRET = "whsec_Y2FuYXJ5LTk5MTEtY2FuYXJ5LTk5MTE="  # of canary-9911-canary-9911
CANARY = "canary-9911"
HOSTILE = "pay\r\nBcc: all@example.com <!channel> & <https://evil.example|ok>\u202e"


def notice(name="msg_1", **more):
    given = {
        "id": name,
        "kind": "window_opening",
        "service": HOSTILE,
        "at": AT,
        "sentence": f"Booking 7 of {HOSTILE} opens in 45 minutes, at 10:00.",
        "facts": {"level": "fair", "who": HOSTILE, "chance": 0.031, "team": None},
    }
    return Notice(**{**given, **more})


def webhook(**more):
    return WebhookChannel(**{"url_env": "HOOK_URL", "secret_env": "HOOK_SECRET", **more})


def slack(**more):
    return SlackChannel(**{"url_env": "SLACK_URL", **more})


def email(address="127.0.0.1:25", **more):
    to = ("ops@example.com", "dev@example.com")
    return EmailChannel(**{"server": address, "tls": "none", "sender": "ship@example.com", "to": to, **more})

"""Messages to an incoming webhook of Slack, which knows no id: what is sent twice is shown twice there."""

from __future__ import annotations

import json
from datetime import datetime

from shipcast.channels.notice import Notice, subject, text
from shipcast.channels.web import post
from shipcast.settings.channels import SlackChannel

ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def body_of(notice: Notice) -> bytes:
    """Text in which nothing is read as markup, as a mention or as a link."""
    said = f"{subject(notice)}\n{text(notice)}".translate(ESCAPES)
    plain = {"mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
    return json.dumps({"text": said, **plain}, ensure_ascii=False).encode()


def send(channel: SlackChannel, notice: Notice, now: datetime, deadline: float) -> None:
    post(channel.label, channel.address, body_of(notice), {}, deadline)


def shown(channel: SlackChannel, notice: Notice) -> str:
    said: str = json.loads(body_of(notice))["text"]
    return said

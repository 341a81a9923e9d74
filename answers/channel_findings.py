"""How the channels fare by which people are told, and the outbox that they are told from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shipcast.answers.findings import Finding
from shipcast.answers.words import plural
from shipcast.channels.notice import Notice
from shipcast.channels.outbox import FILE, Delivery, Outbox, read_outbox
from shipcast.settings import Channel, Settings
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.secrets import needed


@dataclass(frozen=True)
class One:
    """A message, and what became of it on one channel."""

    notice: Notice
    delivery: Delivery


def deliveries(outbox: Outbox) -> list[One]:
    return [One(entry.notice, each) for entry in outbox.entries for each in entry.deliveries]


def outbox_of(settings: Settings) -> tuple[Outbox, list[str]]:
    """The outbox, and a warning where it has to begin anew."""
    try:
        return read_outbox(settings.home), []
    except ValueError as error:
        again = "it begins anew, and what is the case now is told again, with the same ids"
        return Outbox(), [f"{settings.home / FILE} is damaged ({error}): {again}."]


def channel_findings(settings: Settings) -> Iterator[Finding]:
    """Of each channel whether its secrets are there, and whether the last message got through."""
    outbox, damage = outbox_of(settings)
    if damage and settings.notify:
        yield Finding(subject="outbox", state="broken", finding=damage[0], remedy="shipcast notify")
    for channel in settings.notify:
        yield channel_finding(channel, [one.delivery for one in deliveries(outbox)])


def channel_finding(channel: Channel, known: Sequence[Delivery]) -> Finding:
    label = channel.label
    fields: dict[str, Any] = {"subject": "channel"}
    try:
        for reference in channel.references:
            needed(reference, label)
    except ConfigurationError as error:
        return Finding(**fields, state="missing", finding=error.detail, remedy=error.next_step)
    own = [one for one in known if one.channel == label]
    delivered_at = max((one.ended_at for one in own if one.state == "delivered" and one.ended_at), default=None)
    lost = [one for one in own if one.state == "gave_up" and one.ended_at]
    lost = [one for one in lost if delivered_at is None or (one.ended_at or one.queued_at) > delivered_at]
    failing = [one for one in own if one.state == "pending" and one.attempts]
    if not lost and not failing:
        return Finding(**fields, state="good", finding=f"{label}: has what it needs", remedy=None)
    parts = [f"{plural(len(lost), 'message')} given up"] if lost else []
    parts += [f"{plural(len(failing), 'message')} tried in vain so far"] if failing else []
    why = [*failing, *lost][-1].said
    return Finding(
        **fields,
        state="stale",
        finding=f"{label}: {', '.join(parts)}; the last time: {why}",
        remedy=f"shipcast notify --test {label}",
    )

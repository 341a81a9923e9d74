"""`notify`: what people are told, by which channels, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shipcast.answers.answer import Answer, Count, Instant, Part, rfc3339
from shipcast.answers.channel_findings import One, deliveries, outbox_of
from shipcast.answers.errors import UnknownName
from shipcast.answers.notices import Found, notices
from shipcast.answers.operations import envelope
from shipcast.answers.reading import open_reader
from shipcast.answers.words import local_time, plural
from shipcast.channels import sending
from shipcast.channels.delivery import Send, deliver, held_until, is_due
from shipcast.channels.notice import Kind, Notice, identity
from shipcast.channels.outbox import FILE, Delivery, Outbox, State, write_outbox
from shipcast.settings import Settings
from shipcast.settings.errors import ConfigurationError, ShipcastError, SourceUnreachable, StorageError
from shipcast.warehouse.damage import storage_error
from shipcast.warehouse.lock import outbox_lock

NOTHING_CONFIGURED = "Add a [[notify]] entry to shipcast.toml; docs/notifications.md shows one of each kind."


class NotifyItem(Part):
    """One message on one channel.

    Parameters
    ----------
    id
        The same with each attempt.
    service
        What it is about; null: it is about no single one.
    state
        pending: it waits, for its time, for quiet hours to end, or to be tried again; gave_up: nobody got it.
    next_at
        From when it is tried, or tried again; null: it is not any more.
    quiet_until
        When the quiet hours end that hold it back; null: none do.
    said
        Why the last attempt failed, or what there is to say though it did not; null: nothing.
    message
        As the channel gets it; null: it was not asked to be shown.
    """

    id: str
    kind: Kind
    service: str | None
    at: Instant
    sentence: str
    channel: str
    state: State
    attempts: Count
    next_at: Instant | None
    quiet_until: Instant | None
    said: str | None
    message: str | None = None


class NotifyAnswer(Answer):
    """What was sent, what waits, and what was given up just now.

    Parameters
    ----------
    dry_run
        Nothing was sent and nothing stored; what is pending and not held back by quiet hours would be sent now.
    held_back, held_until
        How many messages wait for quiet hours to end, and when the first of these end; 0 and null: none do.
    """

    schema_name: Literal["shipcast/notify/1"] = Field("shipcast/notify/1", alias="schema")
    items: tuple[NotifyItem, ...]
    dry_run: bool
    held_back: Count = 0
    held_until: Instant | None = None

    @property
    def exit_code(self) -> int:
        """That of a source that cannot be reached, where a channel fails."""
        fails = any(one.said and one.state != "delivered" for one in self.items)
        return SourceUnreachable.exit_code if fails and not self.dry_run else 0


def notify(settings: Settings, as_of: datetime, *, send: Send = sending.send) -> NotifyAnswer:
    """Find what people should be told, put it into the outbox, and send what is due.

    Raises
    ------
    ConfigurationError
        No channel is configured.
    Locked
        Another command is sending.
    StorageError
        The outbox cannot be written; then nothing more is sent.
    """
    check_configured(settings)
    path = settings.home / FILE
    try:
        with outbox_lock(settings.home):
            before, damage = outbox_of(settings)
            found = found_for(settings, as_of, before)
            queued = queue(settings, as_of, before, found)
            write_outbox(settings.home, queued)
            after = deliver(settings.home, queued, settings.notify, as_of, settings.tz, send)
    except OSError as error:
        raise storage_error(path, error) from error
    ended = {(one.notice.id, one.delivery.channel) for one in deliveries(before) if one.delivery.ended_at is not None}
    touched = [one for one in deliveries(after) if (one.notice.id, one.delivery.channel) not in ended]
    items = tuple(item(settings, as_of, one) for one in touched)
    return NotifyAnswer(
        **envelope(as_of),
        items=items,
        dry_run=False,
        **held(items),
        sentence=sentence(settings, items, as_of),
        warnings=(*damage, *found.warnings, *failures(items)),
    )


def dry_run(settings: Settings, as_of: datetime) -> NotifyAnswer:
    """What `notify` would send, as each channel would get it; nothing is sent and nothing stored.

    Raises
    ------
    ConfigurationError
        No channel is configured.
    """
    check_configured(settings)
    before, damage = outbox_of(settings)
    found = found_for(settings, as_of, before)
    channels = {one.label: one for one in settings.notify}
    waiting = [one for one in deliveries(queue(settings, as_of, before, found)) if one.delivery.state == "pending"]
    items = tuple(
        item(settings, as_of, one, sending.shown(channels[one.delivery.channel], one.notice))
        for one in waiting
        if one.delivery.channel in channels
    )
    due = sum(one.quiet_until is None and one.next_at is not None and one.next_at <= as_of for one in items)
    others = f", {plural(len(items) - due, 'message')} would wait" if len(items) > due else ""
    would = (
        f"{plural(due, 'message')} would be sent at {said(settings, as_of)}{others}{held_said(settings, items, as_of)}"
    )
    return NotifyAnswer(
        **envelope(as_of),
        items=items,
        dry_run=True,
        **held(items),
        sentence=f"{would}; nothing was sent or stored.",
        warnings=(*damage, *found.warnings),
    )


def try_channel(settings: Settings, as_of: datetime, name: str, *, send: Send = sending.send) -> NotifyAnswer:
    """Send one message that says it is a test; nothing is stored.

    Raises
    ------
    UnknownName
        No channel is called so.
    ConfigurationError, SourceUnreachable
        It did not get through.
    """
    check_configured(settings)
    channel = next((one for one in settings.notify if one.label == name), None)
    if channel is None:
        raise UnknownName("channel", name, [one.label for one in settings.notify])
    notice = Notice(
        id=identity("test", name, rfc3339(as_of)),
        kind="test",
        service=None,
        at=as_of,
        sentence=f"This is 1 test message to {name}, sent at {said(settings, as_of)}.",
        facts={},
    )
    remark = send(channel, notice, as_of)
    sent = Delivery(channel=name, queued_at=as_of, next_at=as_of).delivered(as_of, remark)
    return NotifyAnswer(
        **envelope(as_of),
        items=(item(settings, as_of, One(notice, sent)),),
        dry_run=False,
        sentence=f"{name} took 1 test message at {said(settings, as_of)}, {notice.id}.",
        warnings=(f"{name}: {remark}.",) if remark else (),
    )


def check_configured(settings: Settings) -> None:
    if not settings.notify:
        raise ConfigurationError(f"{settings.home}: no channel is configured.", next_step=NOTHING_CONFIGURED)


def found_for(settings: Settings, as_of: datetime, before: Outbox) -> Found:
    """What people should be told, as far as any channel wants to know of it."""
    wanted = {event for one in settings.notify for event in one.events}
    told = [entry.notice for entry in before.entries]
    with ExitStack() as stack:
        try:
            reader, warnings = stack.enter_context(open_reader(settings, as_of)), []
        except StorageError as error:
            reader, warnings = None, [f"Nothing was forecast: {error.detail}"]
        found = notices(settings, as_of, reader, told, before.levels, wanted)
    found.warnings += warnings
    return found


def queue(settings: Settings, as_of: datetime, before: Outbox, found: Found) -> Outbox:
    """The outbox with what was found, and without what is old."""
    current = {one.id for one in found.notices}
    if not found.warnings:  # else what is the case may not have been found
        before = before.without_withdrawn(current, as_of)
    outbox = before.queued(found.notices, settings.notify, as_of).pruned(current, as_of)
    return outbox.model_copy(update={"levels": found.levels})


def item(settings: Settings, as_of: datetime, one: One, message: str | None = None) -> NotifyItem:
    notice, delivery = one.notice, one.delivery
    channel = next((each for each in settings.notify if each.label == delivery.channel), None)
    is_waiting = channel is not None and is_due(delivery, as_of)
    return NotifyItem(
        id=notice.id,
        kind=notice.kind,
        service=notice.service,
        at=notice.at,
        sentence=notice.sentence,
        channel=delivery.channel,
        state=delivery.state,
        attempts=delivery.attempts,
        next_at=delivery.next_at,
        quiet_until=held_until(channel, notice, as_of, settings.tz) if channel and is_waiting else None,
        said=delivery.said or None,
        message=message,
    )


def said(settings: Settings, moment: datetime) -> str:
    return f"{local_time(moment, settings.tz, moment)} ({settings.tz})"


def sentence(settings: Settings, items: Sequence[NotifyItem], as_of: datetime) -> str:
    """How many messages were sent, and what became of the others."""
    states = [one.state for one in items]
    waiting, lost = states.count("pending"), states.count("gave_up")
    waits = f"{plural(waiting, 'message')} {'waits' if waiting == 1 else 'wait'}{held_said(settings, items, as_of)}"
    parts = [waits] if waiting else []
    parts += [f"{plural(lost, 'message')} {'was' if lost == 1 else 'were'} given up"] if lost else []
    sent = states.count("delivered")
    told = f"{plural(sent, 'message')} {'was' if sent == 1 else 'were'} sent at {said(settings, as_of)}"
    return f"{'; '.join([told, *parts])}."


def held(items: Sequence[NotifyItem]) -> dict[str, Any]:
    """How many messages quiet hours hold back, and when the first of these end."""
    ends = [one.quiet_until for one in items if one.quiet_until is not None]
    return {"held_back": len(ends), "held_until": min(ends, default=None)}


def held_said(settings: Settings, items: Sequence[NotifyItem], as_of: datetime) -> str:
    """Behind how many messages wait: how many of them quiet hours hold back, and until when."""
    ends = sorted(one.quiet_until for one in items if one.quiet_until is not None)
    if not ends:
        return ""
    until = f"{local_time(ends[0], settings.tz, as_of)} ({settings.tz})"
    first = "" if ends[0] == ends[-1] else ", the first of them"
    return f" ({len(ends)} held back by quiet hours{first} until {until})"


def failures(items: Sequence[NotifyItem]) -> tuple[str, ...]:
    """What failed, and what there is to say of what did not, once each."""
    given_up = [f"{one.id} to {one.channel} was given up: {one.said}" for one in items if one.state == "gave_up"]
    return tuple(dict.fromkeys([*given_up, *(one.said for one in items if one.said and one.state != "gave_up")]))


def notified(settings: Settings, as_of: datetime) -> tuple[str | None, tuple[str, ...]]:
    """What a run says of the messages at its end, and its warnings; no failure of a channel is one of the run.

    Nothing, where no channel is configured.
    """
    if not settings.notify:
        return None, ()
    try:
        answer = notify(settings, as_of)
    except ShipcastError as error:
        return None, (f"No message was sent: {error}",)
    return answer.sentence, answer.warnings

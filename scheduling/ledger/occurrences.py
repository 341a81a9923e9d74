"""Bookings as what a calendar lists beside its rules."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from datetime import datetime

from shipcast.scheduling.calendar.occurrences import Occurrence
from shipcast.scheduling.calendar.scope import Scope, Subject
from shipcast.scheduling.ledger.entries import Booking, Entry


def booked_within(
    bookings: Iterable[Entry[Booking]], since: datetime, until: datetime, subject: Subject | None = None
) -> list[Entry[Booking]]:
    """Those that meet [since, until) (naive, UTC), in order of their starts; those of a subject, where one is given."""
    found = [
        one
        for one in bookings
        if one.body.start < until and since < one.body.end and (subject is None or is_of(one.body, subject))
    ]
    return sorted(found, key=lambda one: one.body.start)


def is_of(booking: Booking, subject: Subject) -> bool:
    """Whether it is of the subject's service and environment, in one of its regions as far as they are known."""
    if (booking.service, booking.environment) != (subject.service, subject.environment):
        return False
    return not booking.regions or not subject.regions or not set(booking.regions).isdisjoint(subject.regions)


def occurrence(booked: Entry[Booking]) -> Occurrence:
    body = booked.body
    purpose = f": {body.purpose}" if body.purpose else ""
    against = f", against {', '.join(body.override.rules)} ({body.override.reason})" if body.override else ""
    return Occurrence(
        rule=booked.name,
        kind="booking",
        effect=None,
        start=body.start,
        end=body.end,
        tz="UTC",
        scope=scope(body),
        note=f"by {booked.who}{purpose}{against}",
        title=f"Ship {body.service} to {body.environment}",
    )


def scope(body: Booking) -> Scope:
    """What it is about, in the words of a rule's scope."""
    return Scope(
        service=(glob.escape(body.service),),
        environment=(glob.escape(body.environment),),
        region=tuple(glob.escape(name) for name in body.regions),
        team=() if body.team is None else (glob.escape(body.team),),
    )

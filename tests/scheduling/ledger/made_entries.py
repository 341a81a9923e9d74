"""Entries of a ledger, made without a file: what was recorded on a Monday, one an hour."""

from datetime import datetime, timedelta

from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.chain import Head, record_after
from shipcast.scheduling.ledger.entries import (
    NAMES,
    Approval,
    Booking,
    Override,
    Reservation,
    Slot,
    Undo,
    Unusable,
    Waiver,
    as_text,
    understood,
)
from shipcast.scheduling.ledger.state import state_of

MONDAY = datetime.fromisoformat("2026-01-05T00:00")
HOUR = timedelta(hours=1)


def at(clock, day=5):
    return datetime.fromisoformat(f"2026-01-{day:02}T{clock}")


def booking(service, start, end, **more):
    return Booking(service=service, start=at(start), end=at(end), **more)


def waived(*rules):
    return Waiver(rules=rules, reason="outage")


def reservation(start, end, team=None, environment="staging"):
    return Reservation(environment=environment, start=at(start), end=at(end), team=team, purpose="load test")


def freeze(start="2026-01-05", end="2026-01-05", **more):
    return Freeze(id="audit", start=start, end=end, **more)


def approval(service="pay", start="09:00", end="12:00", **more):
    return Approval(slot=Slot(service=service, start=at(start), end=at(end)), **more)


def override(*rules, service="pay", start="09:00", end="12:00"):
    return Override(service=service, start=at(start), end=at(end), rules=rules, reason="outage")


def mark(service="pay", start="09:00", end="12:00", **more):
    return Unusable(service=service, start=at(start), end=at(end), reason="stock count", **more)


def undo(number):
    return Undo(entry=number)


def chained(*bodies):
    """Their records: the first at midnight, each an hour later, by ana and bob in turn."""
    records, head = [], Head()
    for number, body in enumerate(bodies, start=1):
        recorded_at = as_text(MONDAY + (number - 1) * HOUR)
        who, said = ("ana", "bob")[number % 2 - 1], body.model_dump(mode="json")
        records.append(record_after(head, recorded_at, who, "root", NAMES[type(body)], said))
        head = Head(number, records[-1].hash)
    return records


def entries(*bodies):
    return [understood(record) for record in chained(*bodies)]


def state(*bodies, as_of=None):
    return state_of(entries(*bodies), as_of)

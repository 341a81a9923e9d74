"""What is put into the ledger, as the command line puts it there, and what lies in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from shipcast.answers import bookings
from shipcast.answers.answer import Answer
from shipcast.answers.audit import AuditListAnswer, audit_list
from shipcast.answers.entries import EntryKind
from shipcast.api.access import scoped
from shipcast.api.asking import Call, written
from shipcast.api.bodies import (
    ApprovalBody,
    BookingBody,
    FreezeBody,
    MarkBody,
    OverrideBody,
    ReservationBody,
    UndoBody,
    entry,
)
from shipcast.api.document import ROOT, answering
from shipcast.api.errors import ScopeLacking
from shipcast.api.parameters import AskedPage, From, OptionalService, To
from shipcast.api.repeats import Repeated
from shipcast.scheduling.calendar.rules import Freeze
from shipcast.scheduling.ledger.entries import Approval, Booking, Override, Reservation, Slot, Undo, Unusable
from shipcast.scheduling.ledger.ledger import read_ledger
from shipcast.settings.errors import UsageError

routes = APIRouter(prefix=ROOT, tags=["bookings"])
READ, PLAN, APPROVE = Depends(scoped("read")), Depends(scoped("plan")), Depends(scoped("approve"))
OWN = (Booking, Reservation, Unusable)  # what a token that may plan takes back


@routes.get("/entries", dependencies=[READ], **answering(AuditListAnswer, "read", is_paged=True))
def entries(
    call: AskedPage,
    kind: Annotated[EntryKind | None, Query(description="Only of that kind.")] = None,
    service: OptionalService = None,
    period_from: From = None,
    period_to: To = None,
    in_force: Annotated[bool, Query(description="Only what holds still.")] = False,
) -> Response:
    """What lies in the ledger: bookings, freezes, approvals, overrides, marks, in the order they were recorded."""
    period = call.instant(period_from, "from"), call.instant(period_to, "to")
    return call.told(audit_list, kind=kind, service=service, period=period, is_in_force=in_force)


@routes.post("/bookings", dependencies=[PLAN], **answering(bookings.ReserveAnswer, "plan", 409, status=201))
def book(request: Request, body: BookingBody, key: Repeated = None) -> Response:
    """Book a deployment, if nothing stands against it; 409 names what does, and when it could go."""
    override = None if body.override is None else body.override.reason
    if override is not None:
        check_may_approve(request)
    given = body.model_dump(exclude={"start", "end", "duration", "override"})
    lists = {name: tuple(given.pop(name)) for name in ("regions", "resources")}

    def act(call: Call, who: str) -> Answer:
        wanted = entry(Booking, **given, **lists, **body.times(call))
        return bookings.reserve(call.settings, present(), who, wanted, override=override)

    return recorded(request, body, key, act)


@routes.post("/reservations", dependencies=[PLAN], **answering(bookings.ReserveAnswer, "plan", 409, status=201))
def keep_environment(request: Request, body: ReservationBody, key: Repeated = None) -> Response:
    """Keep a whole environment for a team, if nobody else is there."""

    def act(call: Call, who: str) -> Answer:
        wanted = entry(
            Reservation, environment=body.environment, team=body.team, purpose=body.purpose, **body.times(call)
        )
        return bookings.reserve_environment(call.settings, present(), who, wanted)

    return recorded(request, body, key, act)


@routes.post("/freezes", dependencies=[APPROVE], **answering(bookings.FreezeAddAnswer, "approve", 409, status=201))
def freeze(request: Request, body: FreezeBody, key: Repeated = None) -> Response:
    """Let nothing go for a time, from now on; the bookings that lie in it are named, and stay."""

    def act(call: Call, who: str) -> Answer:
        said = body.model_dump(include={"id", "start", "end", "emergency", "effect", "reason"})
        scope = {name: tuple(globs) for name, globs in body.scope.model_dump().items() if globs}
        wanted = entry(Freeze, **said, scope=scope, tz=call.settings.tz)
        return bookings.add_freeze(call.settings, present(), who, wanted)

    return recorded(request, body, key, act)


@routes.post("/approvals", dependencies=[APPROVE], **answering(bookings.ApproveAnswer, "approve", 409, status=201))
def approve(request: Request, body: ApprovalBody, key: Repeated = None) -> Response:
    """Let a change go where a rule asks for an approval."""

    def act(call: Call, who: str) -> Answer:
        given: dict[str, Any] = {"rule": body.rule, "role": body.role}
        given["expires_at"] = call.instant(body.expires, "expires")
        return bookings.approve(call.settings, present(), who, entry(Approval, **given, **about(call, body)))

    return recorded(request, body, key, act)


def about(call: Call, body: ApprovalBody) -> dict[str, Any]:
    """What an approval is about: a booking, or a slot."""
    if body.booking is not None and body.service is body.start is body.end is None:
        return {"booking": body.booking}
    if body.booking is not None or body.service is None or body.start is None or body.end is None:
        raise UsageError("Give the number of a booking, or a service with start and end.")
    times = {"start": call.instant(body.start, "start"), "end": call.instant(body.end, "end")}
    return {"slot": entry(Slot, service=body.service, environment=body.environment, **times)}


@routes.post("/overrides", dependencies=[APPROVE], **answering(bookings.OverrideAnswer, "approve", status=201))
def override(request: Request, body: OverrideBody, key: Repeated = None) -> Response:
    """Let a change go against rules of the calendar, for a reason."""

    def act(call: Call, who: str) -> Answer:
        place = {"service": body.service, "environment": body.environment, **body.times(call)}
        wanted = entry(Override, **place, rules=tuple(body.rules), reason=body.reason)
        return bookings.override(call.settings, present(), who, wanted)

    return recorded(request, body, key, act)


@routes.post("/marks", dependencies=[PLAN], **answering(bookings.UnusableAnswer, "plan", status=201))
def mark(request: Request, body: MarkBody, key: Repeated = None) -> Response:
    """Mark a time at which a service cannot go, so that it is not offered again."""

    def act(call: Call, who: str) -> Answer:
        place = {"service": body.service, "environment": body.environment, **body.times(call)}
        return bookings.mark_unusable(call.settings, present(), who, entry(Unusable, **place, reason=body.reason))

    return recorded(request, body, key, act)


@routes.post("/undos", dependencies=[PLAN], **answering(bookings.UndoAnswer, "plan", 409, status=201))
def undo(request: Request, body: UndoBody, key: Repeated = None) -> Response:
    """Let an entry hold no more; what is no booking, reservation or mark takes the scope `approve`."""
    found = read_ledger(request.app.state.api.settings.home).entries
    if body.entry <= len(found) and not isinstance(found[body.entry - 1].body, OWN):
        check_may_approve(request)

    def act(call: Call, who: str) -> Answer:
        return bookings.undo(call.settings, present(), who, entry(Undo, entry=body.entry, reason=body.reason))

    return recorded(request, body, key, act)


def recorded(request: Request, body: BaseModel, key: str | None, act: Callable[[Call, str], Answer]) -> Response:
    """What was recorded, by the name of the token; once for a key, however often it is sent."""

    def answered() -> Response:
        call = Call(request)
        return written(act(call, call.caller.name), {"cache-control": "no-store"}, 201)

    found: Response = request.app.state.repeats.once(request, body.model_dump_json(), key, answered)
    return found


def check_may_approve(request: Request) -> None:
    key = request.state.caller.key
    if "approve" not in key.scopes:
        raise ScopeLacking(f"The token {key.name!r} may not go against rules: that takes the scope approve.")


def present() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

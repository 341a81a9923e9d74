"""When a change should go, and why."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from shipcast.answers.explain import ExplainAnswer, explain
from shipcast.answers.forecast import FARTHEST_HOURS, ForecastAnswer, forecast
from shipcast.answers.gate import GateAnswer, Terms, gate, gate_in
from shipcast.answers.now import NowAnswer, now
from shipcast.answers.windows import WindowsAnswer, windows
from shipcast.api.access import scoped
from shipcast.api.document import ROOT, answering
from shipcast.api.parameters import (
    Asked,
    AskedPage,
    Duration,
    Environment,
    Files,
    Level,
    Lines,
    OptionalDuration,
    OptionalService,
    OptionalTime,
    Service,
    Time,
    Type,
)
from shipcast.settings.errors import StorageError

routes = APIRouter(prefix=ROOT, tags=["advice"], dependencies=[Depends(scoped("read"))])


@routes.get("/windows", **answering(WindowsAnswer, "read"))
def best_windows(
    call: Asked,
    service: Service,
    duration: Duration,
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: Type = None,
    earliest: OptionalTime = None,
    latest: OptionalTime = None,
    top: Annotated[int, Query(ge=1, le=50, description="How many windows.")] = 3,
    what_if: Annotated[
        bool, Query(description="Also what a day later, half the size or two halves would cost.")
    ] = False,
) -> Response:
    """The lowest-risk windows for a change, as `shipcast windows` ranks them."""
    length = call.duration(duration)
    assert length is not None
    return call.ask(
        windows,
        is_advice=True,
        service=service,
        duration=length,
        environment=environment,
        lines=lines,
        files=files,
        change_type=change_type,
        earliest=call.instant(earliest, "earliest"),
        latest=call.instant(latest, "latest"),
        top=top,
        what_if=what_if,
    )


@routes.get("/now", **answering(NowAnswer, "read"))
def ship_now(
    call: Asked,
    service: Service,
    duration: OptionalDuration = None,
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: Type = None,
    latest: OptionalTime = None,
) -> Response:
    """Whether to ship now, or until when to wait, as `shipcast now` says it."""
    return call.ask(
        now,
        is_advice=True,
        service=service,
        duration=call.duration(duration),
        environment=environment,
        lines=lines,
        files=files,
        change_type=change_type,
        latest=call.instant(latest, "latest"),
    )


@routes.get("/explanations", **answering(ExplainAnswer, "read"))
def explanation(
    call: Asked,
    service: Service,
    at: Time,
    duration: OptionalDuration = None,
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: Type = None,
) -> Response:
    """Why a time is good or bad for a change, as `shipcast explain` says it."""
    return call.ask(
        explain,
        service=service,
        at=call.instant(at, "at"),
        duration=call.duration(duration),
        environment=environment,
        lines=lines,
        files=files,
        change_type=change_type,
    )


@routes.get("/forecasts", **answering(ForecastAnswer, "read", is_paged=True))
def load_forecast(
    call: AskedPage,
    service: OptionalService = None,
    hours: Annotated[int, Query(ge=1, le=FARTHEST_HOURS, description="How many hours ahead.")] = 168,
    environment: Environment = "production",
) -> Response:
    """The load of the coming hours, with intervals, as `shipcast forecast` says it."""
    return call.ask(forecast, service=service, hours=hours, environment=environment)


@routes.get("/gate", **answering(GateAnswer, "read"))
def gate_verdict(
    call: Asked,
    service: Service,
    at: OptionalTime = None,
    duration: OptionalDuration = None,
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: Type = None,
    max_level: Annotated[Level, Query(description="The worst level that may ship.")] = "fair",
    on_unknown: Annotated[
        Literal["hold", "go"] | None, Query(description="What counts where nothing can be said; default: `unknown`.")
    ] = None,
) -> Response:
    """Whether a change may ship, as `shipcast gate` says it; read `verdict`: the status is 200 whatever it is."""
    terms = Terms(call.instant(at, "at"), call.duration(duration), max_level, on_unknown)
    change = {"environment": environment, "lines": lines, "files": files, "change_type": change_type}
    try:
        return call.ask(gate_in, is_advice=True, service=service, terms=terms, **change)
    except StorageError:  # then only the calendar can say something
        return call.told(gate, service=service, terms=terms, **change)

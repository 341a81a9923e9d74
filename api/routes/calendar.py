"""Whether a change may go at a time, what is in force, what clashes, and plans for many changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from shipcast.answers.answer import rfc3339
from shipcast.answers.calendar import CalendarCheckAnswer, CalendarListAnswer, check, in_force
from shipcast.answers.lists import ConflictsAnswer, standing_conflicts
from shipcast.answers.plan import PlanAnswer
from shipcast.api.access import scoped
from shipcast.api.asking import Call, written
from shipcast.api.bodies import MOST_NAMES, CheckBody, QuestionBody
from shipcast.api.document import ROOT, answering
from shipcast.api.parameters import Asked, AskedPage, Environment, From, OptionalService, To
from shipcast.scheduling.calendar.questions import Question, WrongQuestion, question
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.requests import PlanRequest, read_requests
from shipcast.settings.errors import UsageError

routes = APIRouter(prefix=ROOT, tags=["calendar"])
READ, PLAN = Depends(scoped("read")), Depends(scoped("plan"))
FORTNIGHT = timedelta(days=14)
Regions = Annotated[
    list[Annotated[str, Query(max_length=200)]] | None,
    Query(alias="region", max_length=MOST_NAMES, description="Where the service runs; may be repeated."),
]
REQUESTS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["requests"],
                    "properties": {
                        "as_of": {
                            "type": ["string", "null"],
                            "description": "When it is asked; as_of of the query wins.",
                        },
                        "requests": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["id", "service", "duration_minutes"],
                                "properties": PlanRequest.model_json_schema()["properties"],
                            },
                        },
                    },
                },
                "example": {"requests": [{"id": "prices", "service": "checkout", "duration_minutes": 45}]},
            }
        },
    }
}


@routes.get("/calendar", dependencies=[READ], **answering(CalendarListAnswer, "read", is_paged=True))
def calendar(
    call: AskedPage,
    service: OptionalService = None,
    environment: Environment = "production",
    regions: Regions = None,
    period_from: From = None,
    period_to: To = None,
) -> Response:
    """What is in force and booked in a period, 14 days from `as_of` on by default, in order of its starts."""
    return call.told(in_force, **period(call, period_from, period_to), subject=subject(service, environment, regions))


@routes.get("/conflicts", dependencies=[READ], **answering(ConflictsAnswer, "read", is_paged=True))
def conflicts(
    call: AskedPage,
    service: OptionalService = None,
    environment: Environment = "production",
    regions: Regions = None,
    period_from: From = None,
    period_to: To = None,
) -> Response:
    """What stands against what is booked in a period, 14 days from `as_of` on by default."""
    about = subject(service, environment, regions)
    return call.told(standing_conflicts, **period(call, period_from, period_to), subject=about)


def period(call: Call, period_from: str | None, period_to: str | None) -> dict[str, Any]:
    since = call.instant(period_from, "from") or call.as_of or call.api.present()
    return {"since": since, "until": call.instant(period_to, "to") or since + FORTNIGHT}


def subject(service: str | None, environment: str, regions: list[str] | None) -> Subject | None:
    return None if not service else Subject(service, environment, tuple(regions or ()))


@routes.post("/calendar/check", dependencies=[READ], **answering(CalendarCheckAnswer, "read"))
def calendar_check(call: Asked, body: CheckBody) -> Response:
    """Whether changes may go, by which rule, until when and when next, in the order asked."""
    as_of = call.as_of or call.api.present()
    questions = [asked(call, one) for one in body.questions]
    return written(check(questions, call.settings, as_of), {"cache-control": "no-store"})


def asked(call: Call, body: QuestionBody) -> Question:
    given = body.model_dump(exclude_none=True)
    for name in ("start", "end"):
        moment = call.instant(given[name], name)
        assert moment is not None
        given[name] = rfc3339(moment)
    try:
        return question(given, call.settings.tz)
    except WrongQuestion as error:
        raise UsageError(f"{error}.") from error


@routes.post("/plans", dependencies=[PLAN], **answering(PlanAnswer, "plan", body=REQUESTS))
async def plan(
    request: Request,
    call: Asked,
    time_limit: Annotated[float | None, Query(ge=0.1, le=60, description="Seconds to plan for; default: 10.")] = None,
    iterations: Annotated[
        int | None, Query(ge=0, le=10**6, description="Steps of the search; the same number gives the same plan.")
    ] = None,
    seed: Annotated[int, Query(ge=0, le=2**31, description="Of the search's lots.")] = 0,
    without: Annotated[
        list[Annotated[str, Query(max_length=200)]] | None,
        Query(max_length=MOST_NAMES, description="What that rule costs: plan without it too; may be repeated."),
    ] = None,
    reserve: Annotated[
        int | None, Query(ge=0, le=1440, description="What a reserve of so many minutes a day costs.")
    ] = None,
) -> Response:
    """The best start for every request together, with a proven bound; the body is as of `shipcast plan`."""
    text = (await request.body()).decode("utf-8", errors="replace")
    file = await run_in_threadpool(read_requests, text, "the body", call.settings.tz)
    answer = await request.app.state.planner.plan(
        call.as_of or file.as_of or call.api.present(),
        file,
        {"time_limit": time_limit, "iterations": iterations, "seed": seed},
        without=tuple(without or ()),
        reserve_minutes=reserve,
    )
    return written(answer, {"cache-control": "no-store"})

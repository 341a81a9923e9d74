"""How software is delivered: services, metrics, and the rows behind them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from shipcast.answers import lists
from shipcast.answers.metrics import MetricsAnswer, metrics
from shipcast.answers.quality import QualityAnswer, quality
from shipcast.answers.sources import SourcesAnswer, sources_answer
from shipcast.api.access import scoped
from shipcast.api.document import ROOT, answering
from shipcast.api.parameters import (
    LONGEST_NAME,
    Asked,
    AskedPage,
    Environment,
    From,
    OptionalService,
    Team,
    To,
)

routes = APIRouter(prefix=ROOT, tags=["delivery"], dependencies=[Depends(scoped("read"))])
Kind = Literal["all", "counted", "landed", "failed", "rolled back", "rework", "unsettled", "left out"]


@routes.get("/services", **answering(lists.ServicesAnswer, "read", is_paged=True))
def services(call: AskedPage) -> Response:
    """The services: whose they are, where they run, what they depend on."""
    return call.ask(lists.services)


@routes.get("/environments", **answering(lists.EnvironmentsAnswer, "read", is_paged=True))
def environments(call: AskedPage) -> Response:
    """The environments: what they are for, and what an hour of each costs."""
    return call.ask(lists.environments)


@routes.get("/metrics", **answering(MetricsAnswer, "read", is_paged=True))
def delivery_metrics(
    call: AskedPage,
    metric: Annotated[str | None, Query(max_length=LONGEST_NAME, description="One metric; default: all.")] = None,
    environment: Annotated[
        str | None,
        Query(max_length=LONGEST_NAME, description="An environment; production (the default) means all of that kind."),
    ] = None,
    service: OptionalService = None,
    team: Team = None,
    by: Annotated[
        Literal["service", "environment", "team", "week"] | None, Query(description="An item for each of them.")
    ] = None,
    period_from: From = None,
    period_to: To = None,
) -> Response:
    """The delivery metrics, as `shipcast metrics` says them."""
    return call.ask(
        metrics,
        metric=metric,
        environment=environment,
        service=service,
        team=team,
        by=by,
        period_from=call.instant(period_from, "from"),
        period_to=call.instant(period_to, "to"),
    )


@routes.get("/deployments", **answering(lists.DeploymentsAnswer, "read", is_paged=True))
def deployments(
    call: AskedPage,
    kind: Annotated[Kind, Query(description="Which of them; `left out` of every rate, for example.")] = "all",
    service: OptionalService = None,
    team: Team = None,
    environment: Environment = "production",
    period_from: From = None,
    period_to: To = None,
) -> Response:
    """The deployments that the metrics of the same question rest on, the newest first."""
    return call.ask_page(
        lists.deployments,
        kind=kind,
        service=service,
        team=team,
        environment=environment,
        period_from=call.instant(period_from, "from"),
        period_to=call.instant(period_to, "to"),
    )


@routes.get("/deployments/{deployment_id:path}", **answering(lists.DeploymentAnswer, "read"))
def deployment(
    call: Asked,
    deployment_id: Annotated[
        str,
        Path(
            min_length=1,
            max_length=500,
            description="As the list says it, percent-encoded: one of Jenkins or Argo CD has / and # in it.",
            examples=["D-1042"],
        ),
    ],
) -> Response:
    """One deployment with all that is known of it: what it carried, what it caused, what it counts as."""
    return call.ask(lists.deployment, deployment_id=deployment_id)


@routes.get("/incidents", **answering(lists.IncidentsAnswer, "read", is_paged=True))
def incidents(
    call: AskedPage,
    service: OptionalService = None,
    team: Team = None,
    period_from: From = None,
    period_to: To = None,
) -> Response:
    """The incidents that started in a period, each with the deployment that it is laid to."""
    return call.ask_page(
        lists.incidents,
        service=service,
        team=team,
        period_from=call.instant(period_from, "from"),
        period_to=call.instant(period_to, "to"),
    )


@routes.get("/quality", **answering(QualityAnswer, "read"))
def model_quality(
    call: Asked,
    part: Annotated[
        list[Literal["failure", "drift", "hours", "load", "restore", "decisions"]] | None,
        Query(description="Only these parts; may be repeated. Default: all but `load`, which takes seconds."),
    ] = None,
) -> Response:
    """How the forecasts did: whether they can be believed, as `shipcast quality` says it."""
    parts = tuple(dict.fromkeys(part or ("failure", "drift", "hours", "restore", "decisions")))
    return call.ask(quality, parts=parts)


@routes.get("/sources", **answering(SourcesAnswer, "read", is_paged=True))
def sources(call: AskedPage) -> Response:
    """The configured sources: when each was last read, and which fail or are stale, as `shipcast sources` says it."""
    return call.told(sources_answer)


@routes.get("/loads", **answering(lists.LoadsAnswer, "read", is_paged=True))
def loads(call: AskedPage) -> Response:
    """Where the published data comes from, file by file: when it was last loaded, how old its newest records are."""
    return call.ask(lists.loads)

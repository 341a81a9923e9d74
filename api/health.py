"""Whether the server lives, whether it can answer, and what it measures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from shipcast.answers.ahead import Ahead
from shipcast.answers.answer import Instant
from shipcast.answers.data_health import TABLES, newest_of
from shipcast.answers.reading import Reader
from shipcast.api.access import scoped
from shipcast.api.asking import Api
from shipcast.api.document import ALWAYS, ANYWHERE, TOKEN, failing
from shipcast.api.gauges import MEDIA_TYPE, Gauges, family
from shipcast.ingest.health import health
from shipcast.models.registry import champion
from shipcast.settings.errors import ModelError, ShipcastError

routes = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Questions can be answered.

    `age_seconds`: since the snapshot was published; `data_as_of`: the newest instant in it.
    """

    status: Literal["ready"] = "ready"
    snapshot_id: str
    published_at: Instant
    age_seconds: float
    data_as_of: Instant | None


@routes.get("/healthz", responses={status: failing(status) for status in ANYWHERE}, openapi_extra={"security": []})
async def healthz() -> Alive:
    """That the process lives; it needs no token."""
    return Alive()


@routes.get(
    "/readyz",
    dependencies=[Depends(scoped("read"))],
    responses={status: failing(status) for status in ALWAYS if status != 404},
    openapi_extra={"security": [{TOKEN: ["read"]}]},
)
def readyz(request: Request) -> Ready:
    """That a snapshot can be read, and how old it is; 503: none can."""
    api: Api = request.app.state.api
    found = api.source(None)
    published = datetime.fromisoformat(found.snapshot.published_at)
    return Ready(
        snapshot_id=found.snapshot.snapshot_id,
        published_at=published,
        age_seconds=(datetime.now(UTC) - published).total_seconds(),
        data_as_of=found.ask(newest),
    )


def newest(reader: Reader) -> datetime | None:
    return reader.data_as_of


@routes.get(
    "/metrics",
    dependencies=[Depends(scoped("read"))],
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "In the format of Prometheus."},
        **{status: failing(status) for status in ALWAYS if status != 404},
    },
    openapi_extra={"security": [{TOKEN: ["read"]}]},
)
def server_metrics(request: Request) -> Response:
    """What the server measures of itself, and how old what it answers from is, for Prometheus."""
    api: Api = request.app.state.api
    gauges: Gauges = request.app.state.gauges
    ahead: Ahead | None = request.app.state.ahead
    busy = {} if ahead is None else {(): float(ahead.is_busy)}
    says = "Whether answers are being made ready before they are asked for."
    lines = [*gauges.lines(), *family("asking_ahead", "gauge", says, busy), *readings(api), *ages(api)]
    return Response("\n".join([*lines, ""]), media_type=MEDIA_TYPE)


def readings(api: Api) -> Iterator[str]:
    """How the configured sources fared when a run last read them, and when that was; nothing of those never read."""
    known, now = health(api.settings.home), datetime.now(UTC)
    read = [known[source.label] for source in api.settings.sources if source.label in known]
    failing = {(("source", one.source),): float(one.failure is not None) for one in read}
    yield from family("source_failing", "gauge", "Whether the last reading of each source failed.", failing)
    good = {(("source", one.source),): (now - one.good_at).total_seconds() for one in read if one.good_at}
    yield from family("source_read_age_seconds", "gauge", "Since each source was last read without a failure.", good)
    last = max((one.read_at for one in read), default=None)
    age = {} if last is None else {(): (now - last).total_seconds()}
    yield from family("last_run_age_seconds", "gauge", "Since a run last read the sources.", age)


def ages(api: Api) -> Iterator[str]:
    """How old snapshot, model and sources are, in seconds; of what cannot be read nothing is said but that."""
    kept = {(("found", "yes"),): float(api.kept.answers.hits), (("found", "no"),): float(api.kept.answers.misses)}
    yield from family("answers_total", "counter", "Answers that were kept, and that were not.", kept)
    try:
        found = api.source(None)
        published = datetime.fromisoformat(found.snapshot.published_at)
        records = found.ask(source_ages)
    except ShipcastError:
        yield from family("ready", "gauge", "Whether a snapshot can be read.", {(): 0.0})
        return
    now = datetime.now(UTC)
    yield from family("ready", "gauge", "Whether a snapshot can be read.", {(): 1.0})
    age = {(): (now - published).total_seconds()}
    yield from family("snapshot_age_seconds", "gauge", "Since the snapshot was published.", age)
    old = {(("table", table),): (now - at).total_seconds() for table, at in records}
    yield from family("source_age_seconds", "gauge", "Since the newest record of each table.", old)
    yield from family("model_age_seconds", "gauge", "Since the champion's cut-off.", model_age(api, found.as_of, now))


def source_ages(reader: Reader) -> list[tuple[str, datetime]]:
    found = [newest_of(reader, table) for table in TABLES]
    return [(one.table, one.at) for one in found if one.at is not None]


def model_age(api: Api, as_of: datetime, now: datetime) -> dict[tuple[tuple[str, str], ...], float]:
    try:
        entry = champion(api.settings.home, as_of.astimezone(UTC).replace(tzinfo=None))
    except ModelError:
        return {}
    if entry is None:
        return {}
    labels = (("kind", entry.kind), ("version", str(entry.version)))
    return {labels: (now - entry.cut_off.replace(tzinfo=UTC)).total_seconds()}

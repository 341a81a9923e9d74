"""Incidents of PagerDuty, through its REST API 2 (OpenAPI document `PagerDuty V2 API`, version 2.0.0).

- An incident begins when it was triggered (`created_at`) and ends when it was resolved (`resolved_at`; where an older
  server gives none, the last change of its status). Its severity is its priority, else its urgency.
- An incident that was merged into another is none of its own: it is left out, and removed where it was read before.
- Which deployment caused it, and in which environment, PagerDuty does not know.

Proxy: when people were called stands for when the service was hurt, and "resolved" for when it was restored.

The list holds at most six months and 10,000 incidents from one place on, so it is walked through windows of time, each
from the newest incident of the page before. Incidents of which no end is known are asked for at each reading, whenever
they began; one that was reopened is among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, NothingThere
from shipcast.ingest.headers import clipped
from shipcast.ingest.remote.clocks import Clocks
from shipcast.ingest.remote.listing import Batch, Listing, Mark, Recall, Record
from shipcast.ingest.remote.misfits import Kind, Sieve, moment
from shipcast.ingest.remote.site import Reply, Site
from shipcast.settings.sources import PagerdutySource

PAGE = 100
DEEPEST = 10_000  # incidents behind which no page is given
WINDOW = timedelta(days=90)
OVERLAP = timedelta(hours=1)  # an incident may be listed a while after it began
INCIDENT = Kind("incidents", ("id", "status", "created_at", "resolved_at"))
SECOND = timedelta(seconds=1)  # what the times are told in
ALL: Mapping[str, Any] = {"date_range": "all"}
OPEN: Mapping[str, Any] = {**ALL, "statuses[]": ["triggered", "acknowledged"]}


@dataclass
class Pagerduty:
    """One account."""

    source: PagerdutySource
    site: Site
    recall: Recall
    warnings: list[str] = field(default_factory=list)
    sieve: Sieve = field(default_factory=Sieve)

    def __post_init__(self) -> None:
        self.clocks = Clocks(self.site.name, self.warnings)
        self.now = self.clocks.now()
        self.site.carry(form="Token token={token}", Accept="application/vnd.pagerduty+json;version=2")
        self.site.advice = "A read-only API key (Integrations, API Access Keys) is enough."

    def listings(self) -> Sequence[Listing]:
        return [Listing("incidents", ("incidents",), self.incidents)]

    def all_names(self) -> dict[str, set[str]]:
        """See `Naming`; which environments there are, nobody knows there."""
        names, ids, offset, has_more = set[str](), set[str](), 0, True
        while has_more and offset + PAGE <= DEEPEST:
            data = self.site.get("services", {"limit": PAGE, "offset": offset}).data
            names.update(each["name"] for each in data["services"])
            ids.update(each["id"] for each in data["services"])
            offset, has_more = offset + len(data["services"]), bool(data["more"] and data["services"])
        return {"service": names, "service id": ids}

    def incidents(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `read`, up to when incidents have been read; `open`, the ids of those that have no end yet."""
        if mark is None:
            if (oldest := self.oldest()) is None:
                yield Batch({"incidents": []}, {})
                return
            mark = {"read": text_of(self.not_before(instant(oldest))), "open": []}
        else:
            mark = {**mark, "read": text_of(self.clocks.pulled_back(datetime.fromisoformat(mark["read"])))}
            for batch in self.unresolved(mark):
                mark = batch.mark
                yield batch
        yield from self.walked(mark)

    def oldest(self) -> Any | None:
        """The oldest incident that can be read; None: there is none."""
        offset, limit, has_more = 0, 1, True
        while has_more and offset + limit <= DEEPEST:
            found, given, has_more = self.page(offset, limit=limit, **ALL)
            if found:
                return found[0]
            offset, limit, has_more = offset + given, PAGE, has_more and given > 0
        return None

    def walked(self, mark: Mark) -> Iterator[Batch]:
        """All that began from a little before `read` on, oldest first."""
        begin, now = self.not_before(datetime.fromisoformat(mark["read"]) - OVERLAP), self.now
        seen: set[str] = set()
        while begin < now:
            until = min(begin + WINDOW, now)
            for found, read in self.window(begin, until):
                fresh = [each for each in found if each["id"] not in seen]
                seen.update(each["id"] for each in fresh)
                batch = self.batch(mark, fresh, read)
                mark = batch.mark
                yield batch
            begin = until - SECOND if until < now else now

    def window(self, begin: datetime, until: datetime) -> Iterator[tuple[list[Any], datetime]]:
        """The incidents of a window page by page, some of them twice; and up to when they are read with that page."""
        since, offset = begin, 0
        while True:
            found, given, has_more = self.page(offset, since=text_of(since), until=text_of(until))
            if not given or not has_more:
                yield found, until
                return
            newest = instant(found[-1]) if found else since
            yield found, newest
            # Whether the bounds count as within is not documented, so a page begins a second before.
            if newest - SECOND > since:
                since, offset = newest - SECOND, 0
            elif offset + given + PAGE <= DEEPEST:
                offset += given
            else:
                self.warnings.append(f"{self.site.name}: over {DEEPEST:,} incidents at {since}; the rest is not given.")
                since, offset = since + 2 * SECOND, 0

    def unresolved(self, mark: Mark) -> Iterator[Batch]:
        """All that are open now, and what has become of those that were open before and are not listed any more."""
        listed: set[str] = set()
        offset, has_more = 0, True
        while has_more and offset + PAGE <= DEEPEST:
            found, given, has_more = self.page(offset, **OPEN)
            read = datetime.fromisoformat(mark["read"])
            known = [each for each in found if self.not_before(instant(each)) == instant(each) <= read]
            listed.update(each["id"] for each in known)
            batch = self.batch(mark, known)
            mark = batch.mark
            yield batch
            offset, has_more = offset + given, has_more and bool(given)
        for name in [name for name in mark["open"] if name not in listed]:
            batch = self.again(mark, name)
            mark = batch.mark
            yield batch

    def again(self, mark: Mark, name: str) -> Batch:
        """What has become of one incident; one that is there no more is gone."""
        try:
            data = self.site.get(f"incidents/{quote(name, safe='')}").data
            return self.batch(mark, self.readable([data.get("incident") if isinstance(data, dict) else None]))
        except NothingThere:
            still_open = [other for other in mark["open"] if other != name]
            return Batch({"incidents": []}, {**mark, "open": still_open}, gone={"incidents": [self.key(name)]})
        except CredentialsRefused:
            self.warnings.append(f"{self.site.name}: {self.site.credential} may not see incident {clipped(name)} now.")
            return Batch({"incidents": []}, mark)

    def page(self, offset: int, *, limit: int = PAGE, **given: Any) -> tuple[list[Any], int, bool]:
        """The incidents of one page that can be read, oldest first; how many it has, and whether there are more.

        Raises
        ------
        AnswerUnusable
            It is no list of incidents.
        """
        urgencies = [self.source.urgency] if self.source.urgency else None
        wanted = {"service_ids[]": list(self.source.service_ids), "urgencies[]": urgencies}
        order = {"sort_by": "created_at:asc,incident_number:asc", "time_zone": "UTC", "limit": limit, "offset": offset}
        reply: Reply = self.site.get("incidents", {**given, **wanted, **order})
        self.now = self.clocks.now(reply)
        data = reply.data if isinstance(reply.data, dict) else {}
        found = data.get("incidents")
        if not isinstance(found, list):
            raise AnswerUnusable(f"{self.site.name}: its answer is no list of incidents.")
        return self.readable(found), len(found), bool(data.get("more"))

    def readable(self, found: Sequence[Any]) -> list[Any]:
        """The incidents that have an id and a time, and all else as it is described."""
        made = (name_of, lambda each: moment(each["created_at"]), is_merged, self.incident)
        return self.sieve.readable(INCIDENT, found, *made, incident_id=lambda each: self.key(name_of(each)))

    def batch(self, mark: Mark, found: Sequence[Any], read: datetime | None = None) -> Batch:
        """The incidents' rows, and the mark behind them."""
        ended = {each["id"] for each in found if each.get("status") == "resolved"}
        still_open = dict.fromkeys([*mark["open"], *(each["id"] for each in found)])
        merged = [self.key(each["id"]) for each in found if is_merged(each)]
        return Batch(
            {"incidents": [self.incident(each) for each in found if not is_merged(each)]},
            {
                "read": text_of(read) if read else mark["read"],
                "open": [name for name in still_open if name not in ended],
            },
            gone={"incidents": merged},
        )

    def incident(self, found: Any) -> Record:
        service = found.get("service") or {}
        is_over = found.get("status") == "resolved"
        return {
            "incident_id": self.key(found["id"]),
            "service": service.get("id") if service.get("id") in self.source.services else service.get("summary"),
            "environment": self.source.environment,
            "started_at": found["created_at"],
            "resolved_at": (found.get("resolved_at") or found.get("last_status_change_at")) if is_over else None,
            "severity": (found.get("priority") or {}).get("summary") or found.get("urgency"),
        }

    def key(self, name: str) -> str:
        return f"{self.source.prefix}-{name}"

    def not_before(self, moment: datetime) -> datetime:
        """The moment, or the first that is wanted."""
        return max(moment, self.source.begins_at or moment)


def name_of(found: Any) -> str:
    """What PagerDuty calls an incident.

    Raises
    ------
    TypeError
        It is no text, or an empty one.
    """
    if not isinstance(found["id"], str) or not found["id"].strip():
        raise TypeError("its id is no text")
    return str(found["id"])


def is_merged(found: Any) -> bool:
    return str((found.get("resolve_reason") or {}).get("type", "")).startswith("merge")


def instant(found: Any) -> datetime:
    """When an incident began."""
    return datetime.fromisoformat(found["created_at"]).astimezone(UTC)


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""What people should be told: windows that open, risks that rose, bookings that are blocked, sources, the week.

Each is found anew whenever it is looked for, with the same id; telling each but once is for the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cached_property
from typing import get_args
from zoneinfo import ZoneInfo

from shipcast.answers.answer import in_utc, naive, rfc3339, utc
from shipcast.answers.booked_risk import forecasts, when_booked
from shipcast.answers.calendar_week import week_of
from shipcast.answers.company import NOTHING_KNOWN, Rules, company_rules, known_in
from shipcast.answers.comparison import Change, change
from shipcast.answers.entries import ConflictItem, standing_items
from shipcast.answers.gate_checks import Level, StartForecast
from shipcast.answers.metrics import MetricItem, metrics
from shipcast.answers.periods import Span, instant_of, iso_week
from shipcast.answers.reading import Reader
from shipcast.answers.sources import SourceItem, sources_answer
from shipcast.answers.words import age, in_hundred, local_time, plural, sentence_case, share
from shipcast.channels.notice import Notice, identity
from shipcast.scheduling.ledger.entries import Booking, Entry
from shipcast.scheduling.ledger.occurrences import booked_within
from shipcast.settings import Settings
from shipcast.settings.channels import EVENTS, Event
from shipcast.settings.errors import ShipcastError

WEEK = timedelta(days=7)
DIGEST_AT = time(8)  # of Mondays, on the clock of reports
PATIENCE = timedelta(hours=1)  # with a source that was read well and fails: most are back by then
LEVELS: tuple[Level, ...] = get_args(Level)
BAD: Collection[str] = ("stale", "failing")

Booked = Entry[Booking]


@dataclass
class Found:
    """What there is to tell, what could not be looked at, and the levels that bookings had, to be kept."""

    notices: list[Notice] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    levels: dict[str, str] = field(default_factory=dict)


def notices(
    settings: Settings,
    as_of: datetime,
    reader: Reader | None,
    told: Sequence[Notice] = (),
    levels: Mapping[str, str] | None = None,
    wanted: Collection[Event] = EVENTS,
) -> Found:
    """All that people should be told at `as_of`.

    Parameters
    ----------
    reader
        The published data as known then; None: there is none, so that nothing is forecast and no week summed up.
    told
        What they were told before: that a source is read well again is told only to those who heard it was not.
    levels
        What is known of the levels that bookings had when they were booked, by the hashes of their entries.
    wanted
        What is looked for.
    """
    at = Moment(settings, in_utc(as_of), reader, dict(levels or {}))
    looks: Mapping[Event, Callable[[], Iterator[Notice]]] = {
        "window_opening": at.windows_opening,
        "risk_rising": at.risks_rising,
        "freeze_conflict": at.bookings_blocked,
        "source_stale": lambda: at.sources_stale(told),
        "weekly_digest": at.digest,
    }
    result = Found()
    for event, look in looks.items():
        if event in wanted:
            try:
                result.notices += look()
            except ShipcastError as error:
                result.warnings.append(f"{event}: {error.detail}")
    result.levels = at.levels
    return result


@dataclass
class Moment:
    """The instant at which it is looked, and what is known then."""

    settings: Settings
    as_of: datetime
    reader: Reader | None
    levels: dict[str, str]

    @cached_property
    def rules(self) -> Rules:
        return company_rules(self.settings, self.as_of, NOTHING_KNOWN if self.reader is None else known_in(self.reader))

    @cached_property
    def coming(self) -> list[Booked]:
        """What is booked and not over yet, in order of its starts."""
        since = naive(self.as_of)
        return sorted(
            (one for one in self.rules.state.bookings if one.body.end > since), key=lambda one: one.body.start
        )

    def within(self, length: timedelta) -> list[Booked]:
        """What starts so soon."""
        return [one for one in self.coming if timedelta() < utc(one.body.start) - self.as_of <= length]

    @cached_property
    def conflicts(self) -> tuple[ConflictItem, ...]:
        """What stands against what is booked."""
        calendar, state = self.rules.calendar, self.rules.state
        return standing_items(self.coming, calendar, state, self.settings.tz)

    @cached_property
    def forecasts(self) -> dict[int, StartForecast]:
        """Of all that starts within 7 days."""
        return {} if self.reader is None else forecasts(self.reader, self.within(WEEK))

    def said(self, moment: datetime) -> str:
        return f"{local_time(moment, self.settings.tz, self.as_of)} ({self.settings.tz})"

    def windows_opening(self) -> Iterator[Notice]:
        blocked = {number: rule for rule, number, _ in self.against_bookings()}
        for one in self.within(timedelta(minutes=self.settings.notice_minutes)):
            forecast, start = self.forecasts.get(one.number), utc(one.body.start)
            level = f"{forecast.level}: {chance(forecast)}" if forecast else "no level can be forecast"
            against = f" But {blocked[one.number]} blocks it." if one.number in blocked else ""
            yield self.notice(
                "window_opening",
                (one.hash,),
                one.body.service,
                f"The window of {one.name} opens in {age(start - self.as_of)}: {goes(one)} at {self.said(start)}, "
                f"{level}.{against}",
                {**facts(one), **forecast_facts(forecast)},
                start,
            )

    def risks_rising(self) -> Iterator[Notice]:
        if self.reader is None:
            return
        coming = {one.hash for one in self.coming}
        self.levels = {name: level for name, level in self.levels.items() if name in coming}
        for one in self.within(WEEK):
            forecast, before = self.forecasts.get(one.number), self.level_when_booked(one)
            if forecast is None or before is None or LEVELS.index(forecast.level) <= LEVELS.index(before):
                continue
            yield self.notice(
                "risk_rising",
                (one.hash, forecast.level),
                one.body.service,
                f"The risk of {one.name} has risen from {before} to {forecast.level} since it was booked: "
                f"{goes(one)} at {self.said(utc(one.body.start))}, {chance(forecast)}.",
                {**facts(one), "level_when_booked": before, **forecast_facts(forecast)},
                utc(one.body.start),
            )

    def level_when_booked(self, one: Booked) -> Level | None:
        """Worked out once for each booking; None: nothing could be said then."""
        if self.reader is not None and self.levels.get(one.hash) not in LEVELS:
            forecast = when_booked(self.reader, one)
            if forecast is None:
                return None
            self.levels[one.hash] = forecast.level
        return next((level for level in LEVELS if level == self.levels.get(one.hash)), None)

    def against_bookings(self) -> Iterator[tuple[str, int, ConflictItem]]:
        """What stands against each coming booking that is no other booking: by rule, and the number of the booking."""
        numbers = {one.number for one in self.coming}
        for item in self.conflicts:
            for party in item.parties:
                if item.rule is not None and party.kind == "booking" and party.number in numbers:
                    yield item.rule, party.number, item

    def bookings_blocked(self) -> Iterator[Notice]:
        booked = {one.number: one for one in self.coming}
        for rule, number, item in self.against_bookings():
            one = booked[number]
            yield self.notice(
                "freeze_conflict",
                (one.hash, rule),
                one.body.service,
                f"{sentence_case(item.says)} ({self.settings.tz}).",
                {**facts(one), "rule": rule, "against_from": rfc3339(item.start), "against_to": rfc3339(item.end)},
                utc(one.body.end),
            )

    def sources_stale(self, told: Sequence[Notice]) -> Iterator[Notice]:
        """Each source that is stale, or fails for long, once since it was read well; and that it is read well again."""
        heard = {one.id: one for one in told if one.kind == "source_stale"}
        again = {str(one.facts.get("after")) for one in heard.values()}
        for item in sources_answer(self.settings, self.as_of).items:
            if item.state == "stale" or (item.state == "failing" and self.is_over(PATIENCE, item)):
                yield self.source_stale(item)
            elif item.state == "good":
                missed = [one for one in heard.values() if one.facts.get("source") == item.source]
                bad = [one for one in missed if one.facts.get("state") in BAD and one.id not in again]
                yield from (self.source_again(item, one) for one in bad[-1:])

    def is_over(self, length: timedelta, item: SourceItem) -> bool:
        """Whether the source was last read well so long ago, or never."""
        return item.good_at is None or self.as_of - item.good_at >= length

    def source_stale(self, item: SourceItem) -> Notice:
        last = "it never was" if item.good_at is None else f"the last time was at {self.said(item.good_at)}"
        for_long = "" if item.good_at is None else f" for {age(self.as_of - item.good_at)}"
        tried = f", the last attempt at {self.said(item.read_at)}" if item.read_at and item.state == "failing" else ""
        why = f" {failure_said(item)}" if item.failure else ""
        return self.notice(
            "source_stale",
            (item.source, source_facts(item)["read_well"]),
            None,
            f"{item.source} has not been read well{for_long}: {last}{tried}.{why}",
            source_facts(item),
        )

    def source_again(self, item: SourceItem, before: Notice) -> Notice:
        good_at = item.good_at or self.as_of
        return self.notice(
            "source_stale",
            (item.source, "again", before.id),
            None,
            f"{item.source} is read well again since {self.said(good_at)}: {plural(item.rows or 0, 'row')}.",
            {**source_facts(item), "after": before.id},
        )

    def digest(self) -> Iterator[Notice]:
        """The week before this one, from Monday 08:00 on."""
        zone = ZoneInfo(self.settings.tz)
        today = self.as_of.astimezone(zone).date()
        this, last, before = (week_of(today - ago, self.settings.tz) for ago in (timedelta(), WEEK, 2 * WEEK))
        begins = datetime.combine(this.start.astimezone(zone).date(), DIGEST_AT)
        if self.reader is None or self.as_of < instant_of(begins, zone):
            return
        deployed = self.metric("deployments", last)
        rate = change(self.metric("change_failure_rate", last), self.metric("change_failure_rate", before))
        booked = len(booked_within(self.rules.state.bookings, naive(this.start), naive(this.end)))
        sources = sources_answer(self.settings, self.as_of).items
        wrong = [item.source for item in sources if item.state != "good"]
        yield self.notice(
            "weekly_digest",
            (iso_week(this.start, zone),),
            None,
            f"In week {iso_week(last.start, zone)} {deployments_said(deployed, rate)} "
            f"This week has {plural(booked, 'booking')}; {sources_said(len(sources), len(wrong))}"
            f"{''.join(f' {words}' for words in (*self.reader.simulated(), *self.reader.stale()))}",
            {
                "week": iso_week(last.start, zone),
                "deployments": deployed.value,
                "change_failure_rate": rate.now.value,
                "change_failure_rate_low": rate.now.low,
                "change_failure_rate_high": rate.now.high,
                "change_failure_rate_before": rate.before.value,
                "compared": rate.verdict,
                "not_settled_yet": rate.now.censored,
                "bookings": booked,
                "sources": ", ".join(wrong) or None,
            },
        )

    def metric(self, name: str, week: Span) -> MetricItem:
        assert self.reader is not None
        [item] = metrics(self.reader, metric=name, period_from=week.start, period_to=week.end).items
        return item

    def notice(
        self,
        kind: Event,
        about: Sequence[object],
        service: str | None,
        sentence: str,
        facts: Mapping[str, str | int | float | None],
        late_from: datetime | None = None,
    ) -> Notice:
        return Notice(
            id=identity(kind, *about),
            kind=kind,
            service=service,
            at=self.as_of,
            sentence=sentence,
            facts=dict(facts),
            late_from=late_from,
        )


def goes(one: Booked) -> str:
    return f"{one.body.service} to {one.body.environment}"


def chance(forecast: StartForecast) -> str:
    return f"{in_hundred(forecast.failure_probability, forecast.failure_low, forecast.failure_high)} would fail"


def facts(one: Booked) -> dict[str, str | int | float | None]:
    body = one.body
    return {
        "booking": one.number,
        "by": one.who,
        "environment": body.environment,
        "start": rfc3339(utc(body.start)),
        "end": rfc3339(utc(body.end)),
        "purpose": body.purpose or None,
    }


def forecast_facts(forecast: StartForecast | None) -> dict[str, str | int | float | None]:
    if forecast is None:
        return {"level": None}
    names = ("failure_probability", "failure_low", "failure_high", "relative_cost")
    return {"level": forecast.level, **{name: round(getattr(forecast, name), 4) for name in names}}


def failure_said(item: SourceItem) -> str | None:
    """Why the last reading failed, without the name of the source, which is said beside; None: it did not."""
    return sentence_case(item.failure.removeprefix(f"{item.source}: ")) if item.failure else None


def source_facts(item: SourceItem) -> dict[str, str | int | float | None]:
    return {
        "source": item.source,
        "state": item.state,
        "read_well": None if item.good_at is None else rfc3339(item.good_at),
        "failure": failure_said(item),
    }


def deployments_said(deployed: MetricItem, rate: Change) -> str:
    """How many deployments a week had and how many of them failed, against the week before."""
    shipped = f"{plural(int(deployed.value or 0), 'deployment')} shipped to production"
    now, before = rate.now, rate.before
    if now.value is None or now.low is None or now.high is None:
        return f"{shipped}; of the rate of failures nothing can be said."
    failed = f"{share(now.value)} failed (n = {now.n:,}, {share(now.low)} to {share(now.high)})"
    unsettled = f", {now.censored:,} may still turn out to have" if now.censored else ""
    against = (
        "the week before had none" if not before.n else f"the week before: {share(before.value)}, n = {before.n:,}"
    )
    return f"{shipped}, {failed}{unsettled}: {rate.verdict} ({against})."


def sources_said(number: int, wrong: int) -> str:
    if not number:
        return "no source is connected."
    if not wrong:
        return "no source needs attention."
    return f"{wrong} of {plural(number, 'source')} {'needs' if wrong == 1 else 'need'} attention."

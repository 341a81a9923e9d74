"""What is forecast of starts that are booked: now, and as it was when they were booked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np

from shipcast.answers.answer import utc
from shipcast.answers.explain import quarter_of
from shipcast.answers.gate_checks import StartForecast
from shipcast.answers.inquiry import Inquiry, inquiry
from shipcast.answers.pricing import FARTHEST, priced
from shipcast.answers.reading import Reader
from shipcast.answers.windows import window
from shipcast.scheduling.ledger.entries import Booking, Entry
from shipcast.settings.errors import ShipcastError

Booked = Entry[Booking]


def forecasts(reader: Reader, booked: Sequence[Booked]) -> dict[int, StartForecast]:
    """The forecast of each start as `windows` gives it, by the number of its booking; those of alike bookings at once.

    Of a booking of which nothing can be said there is none.
    """
    alike: dict[object, list[Booked]] = defaultdict(list)
    for one in booked:
        body = one.body
        alike[body.service, body.environment, body.end - body.start, body.change_type].append(one)
    found: dict[int, StartForecast] = {}
    for entries in alike.values():
        try:
            found.update(forecasts_alike(reader, entries))
        except ShipcastError:  # such as a model that is missing, or a service that is not known
            continue
    return found


def forecasts_alike(reader: Reader, booked: Sequence[Booked]) -> Iterator[tuple[int, StartForecast]]:
    """Of bookings that differ by their starts alone."""
    body = booked[0].body
    starts = np.array([quarter_of(reader, utc(one.body.start)) for one in booked], dtype="datetime64[us]")
    places = np.argsort(starts, kind="stable")
    asked = asked_about(reader, body, starts[places[0]].item(), starts[places[-1]].item())
    if asked.history.started() == 0 or asked.models.ground.pooled == 0:
        return
    prices, admitted = priced(reader.at, asked.models, asked.question, starts[places]), asked.admission(starts[places])
    for slot, place in enumerate(places.tolist()):
        found = window(prices, admitted, slot)
        fields = {name: getattr(found, name) for name in StartForecast.model_fields}
        yield booked[place].number, StartForecast(**fields)


def asked_about(reader: Reader, body: Booking, first: datetime, last: datetime) -> Inquiry:
    """The question about the change of a booking, from its first start to the end of its last."""
    length = body.end - body.start

    def period(length: timedelta) -> tuple[datetime, datetime]:
        return utc(first), utc(last + length)

    return inquiry(reader, body.service, length, period, environment=body.environment, change_type=body.change_type)


def when_booked(reader: Reader, booked: Booked) -> StartForecast | None:
    """The same as it was known when the booking was made, or where forecasts reached its end first; None: nothing was.

    Nothing known later goes in, nor a model that was trained later.
    """
    asked_at = max(booked.recorded_at, booked.body.end - FARTHEST)
    then = Reader(reader.connection, reader.settings, utc(asked_at))
    return forecasts(then, [booked]).get(booked.number)

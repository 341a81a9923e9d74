"""What was told since the last run, into the raw tables: of each thing one row, made from all that was told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

import duckdb

from shipcast.ingest.cursors import Cursor, cursor_of, keep
from shipcast.ingest.files import counted, load_parts
from shipcast.ingest.hooks.inbox import Event, Inbox
from shipcast.ingest.hooks.kinds import KINDS, Keys, Rows, Unusable
from shipcast.ingest.origins import EVENTS
from shipcast.ingest.people import pseudonyms
from shipcast.ingest.remote.reading import GONE, Names, fresh_production, part
from shipcast.ingest.report import LoadReport
from shipcast.ingest.sources import Part
from shipcast.settings import Settings
from shipcast.settings.sources import EventsSource, Remote
from shipcast.warehouse.built import forget_built
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.tables import BY_NAME, TABLES

FAULTS = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, Unusable)

ASKED = "select 1 from raw._cursors where starts_with(source, ?) and source != ? limit 1"


def ingest_events(settings: Settings, source: Remote | EventsSource) -> LoadReport:
    """Load what a source has told since the last time; hold `run_lock` around it.

    The rows and how far the inbox was read are stored in one transaction. Of a source that webhooks alone tell of, the
    environments come with them that its entry calls production.
    """
    inbox, name, report = Inbox(settings.home), f"{source.label}: {EVENTS}", LoadReport()
    alone = None if isinstance(source, EventsSource) or not source.is_told_alone else source
    identity, until = inbox.newest(source.label)
    if not until and alone is None:
        return report
    with open_work(settings.home, settings) as connection:
        cursor, names = cursor_of(connection, name), Names(source, pseudonyms(connection))
        said = fresh_production(connection, alone) if alone else []
    mark = json.loads(cursor.tip) if cursor else {}
    since = int(mark["number"]) if mark.get("inbox") == identity else 0
    if until <= since and not said:
        return report
    rows, gone = Rows({"environments": said} if said else {}), Keys()
    for found, removed in things(source, inbox.told_of(source.label, since, until), report):
        for table, added in found.items():
            rows.setdefault(table, []).extend(names.taken(added))
        for table, keys in removed.items():
            gone.setdefault(table, []).extend(keys)
    begin, parts = cursor.position if cursor else 0, list[Part]()
    for table in (table.name for table in TABLES if table.name in rows):
        parts.append(part(len(parts), source, name, f"{table} of events", BY_NAME[table], rows[table], begin))
        begin += len(rows[table])

    def settle(connection: duckdb.DuckDBPyConnection) -> None:
        for table, keys in gone.items():
            statement = GONE.format(table=table, key=BY_NAME[table].key[0])
            if connection.execute(statement, [[name], keys]).fetchall():
                forget_built(connection)
        keep(connection, Cursor(name, "", json.dumps({"inbox": identity, "number": until}), "", begin))
        names.people.keep(connection)

    load_parts(settings, parts, report, within=settle)
    return report


def was_asked(settings: Settings, source: Remote) -> bool:
    """Whether rows of it were read by asking; hold `run_lock` around it."""
    with open_work(settings.home, settings) as connection:
        asked = [f"{source.label}: ", f"{source.label}: {EVENTS}"]
        return bool(connection.execute(ASKED, asked).fetchall())


def things(source: Remote | EventsSource, events: Sequence[Event], report: LoadReport) -> Iterator[tuple[Rows, Keys]]:
    """The rows of each thing that was told of, and those that are none by it.

    One of which nothing can be made is named in the report.
    """
    lost, kind = 0, KINDS[source.kind]
    for _, each in groupby(events, key=lambda event: event.subject):
        try:
            told = [(event, json.loads(event.body)) for event in each]
            yield kind.rows(source, told), kind.gone(source, told)
        except FAULTS:
            lost += 1
    if lost:
        report.warnings.append(
            f"{source.label}: of {counted(lost, 'thing')} events told of, nothing can be made; they stay in the inbox."
        )

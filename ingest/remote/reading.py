"""A remote source into the raw tables: listing by listing, with each stretch of rows the mark that goes on from it.

A listing is stored in stretches of a few thousand rows, each in one transaction with its mark, so that whatever ends a
run leaves no mark ahead of its rows, and the next run goes on from the last stretch. Where the source's options have
changed, the listing is read anew, whole and in one transaction, and rows it no longer gives are removed; those older
than all that it gives now stay, since most servers forget.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from shipcast.ingest.cursors import Cursor, cursor_of, keep
from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, NothingThere
from shipcast.ingest.files import COUNTS, counted, load_parts, quarantine_told, silent
from shipcast.ingest.json_records import as_text
from shipcast.ingest.merging import same
from shipcast.ingest.origins import EVENTS
from shipcast.ingest.people import PEOPLE, Pseudonyms, pseudonyms
from shipcast.ingest.piece import BROKEN, Piece, piece_of, pieces_of
from shipcast.ingest.proposals import proposals
from shipcast.ingest.remote.connectors import connector
from shipcast.ingest.remote.listing import Batch, Connector, Listing, Mark, Naming, Record, Windowed
from shipcast.ingest.remote.misfits import RULE, SHAPELESS, Misfit
from shipcast.ingest.remote.site import PATIENCE, Patience, Site
from shipcast.ingest.report import FileLoad, LoadReport
from shipcast.ingest.sources import Feed, Part
from shipcast.settings import Settings
from shipcast.settings.errors import ShipcastError, SourceUnreachable
from shipcast.settings.sources import EventsSource, Remote, key_of, name_here
from shipcast.warehouse.built import forget_built
from shipcast.warehouse.connection import open_work
from shipcast.warehouse.tables import BY_NAME, Table

STRETCH = 5_000  # rows stored in one transaction
# What is not given anew, and is not older than all that is.
VANISHED = """
delete from raw.{table} r where _file in ?
and {time} >= (select min({time}) from scratch.{table} join scratch.parts using (_part) where file = ?)
and not exists (from scratch.{table} s where {same}) returning 1
"""
SHORT = Patience(attempts=3)  # of somebody who waits for a look
KNOWN_ENVIRONMENTS = "select environment from raw.environments"
GONE = "delete from raw.{table} where _file in ? and {key} in ? returning 1"
KNOWN_MISFITS = """
select table_name, file, row from raw._quarantine where rule = ? and starts_with(file, ?)
union select table_name, file, row from raw._corrected where starts_with(file, ?)
"""
DEPLOYED = "select distinct service from raw.deployments"
PLACES = "select commit_sha, position from raw.releases where service = ? and kind = 'commit' and commit_sha in ?"

Progress = Callable[[str], None]


@dataclass
class Names:
    """What the source's own names become here: environments, services and people.

    Attributes
    ----------
    environments, services
        Those it was seen to name, in its own words.
    """

    source: Remote | EventsSource
    people: Pseudonyms
    environments: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)

    def taken(self, rows: Sequence[Record]) -> list[Record]:
        """The rows under the names they have here; those of an environment or service that is left out are gone."""
        return [named for row in rows if (named := self.named(row)) is not None]

    def named(self, row: Record) -> Record | None:
        found = dict(row)
        for column, seen in (("environment", self.environments), ("service", self.services)):
            if given := found.get(column):
                seen.add(str(given))
        for column, names in (("environment", self.source.environments), ("service", self.source.services)):
            if given := found.get(column):
                found[column] = name_here(names, str(given))
                if found[column] == "":
                    return None
        if not self.source.names:
            for column in PEOPLE & found.keys():
                found[column] = self.people.of(str(found[column])) if found[column] else None
        return found


def ingest_remote(
    settings: Settings,
    source: Remote,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    patience: Patience = PATIENCE,
) -> LoadReport:
    """Load what is new at a remote source; hold `run_lock` around it.

    Parameters
    ----------
    dry_run
        Read and check everything, report it, and keep nothing.

    Raises
    ------
    ConfigurationError
        There is no token, it is refused, or there is nothing of that name.
    SourceUnreachable
        The server does not answer, or not as it promises; what was read before stays, with its mark.
    """
    reading = RemoteReading(settings, source, LoadReport(is_dry_run=dry_run), progress or silent, patience)
    reading.load()
    return reading.total


def fresh_production(connection: duckdb.DuckDBPyConnection, source: Remote) -> list[Record]:
    """The rows of the environments that a source's entry calls production and of which nothing is known yet."""
    known = {name for (name,) in connection.execute(KNOWN_ENVIRONMENTS).fetchall()}
    return [{"environment": name, "kind": "production"} for name in source.production if name not in known]


class Nothing:
    """What is known where nothing is stored."""

    is_sample = True

    def places(self, service: str, commits: Sequence[str]) -> dict[str, int]:
        return {}


@dataclass
class Waiting:
    """A batch of a listing that is to be stored."""

    listing: Listing
    batch: Batch
    is_anew: bool


@dataclass
class RemoteReading:
    """One reading of a source, listing by listing, from where the last one ended."""

    settings: Settings
    source: Remote
    total: LoadReport
    progress: Progress
    patience: Patience
    waiting: list[Waiting] = field(default_factory=list)
    removed: int = 0
    is_sample = False

    def __post_init__(self) -> None:
        self.connector = connector(self.source, self, self.progress, self.patience)
        with open_work(self.settings.home, self.settings) as connection:
            self.names = Names(self.source, pseudonyms(connection))
            found = [(self.name(each), cursor_of(connection, self.name(each))) for each in self.connector.listings()]
            asked = [RULE, f"{self.source.label}: ", f"{self.source.label}: "]
            self.set_aside = set(connection.execute(KNOWN_MISFITS, asked).fetchall())
        self.cursors = {name: cursor for name, cursor in found if cursor is not None}
        self.positions = {name: cursor.position for name, cursor in self.cursors.items()}

    def name(self, listing: Listing) -> str:
        """The name under which the database knows where the rows came from."""
        return f"{self.source.label}: {listing.name}"

    @cached_property
    def said(self) -> Listing:
        """The environments that the settings call production; what another source says of one stands."""

        def read(_: Mark | None) -> Iterator[Batch]:
            if not self.source.production:
                return
            with open_work(self.settings.home, self.settings) as connection:
                fresh = fresh_production(connection, self.source)
            if fresh:
                yield Batch({"environments": fresh}, {})

        return Listing("environments", ("environments",), read)

    @cached_property
    def options(self) -> str:
        return json.dumps(self.source.options, sort_keys=True)

    def places(self, service: str, commits: Sequence[str]) -> dict[str, int]:
        """The positions of those commits that are known to lie on the service's main line; see `Recall`."""
        if not commits:
            return {}
        self.store()
        with open_work(self.settings.home, self.settings) as connection:
            return dict(connection.execute(PLACES, [service, list(commits)]).fetchall())

    def load(self) -> None:
        """Read every listing; where one fails, what was read before it is stored first."""
        try:
            for listing in (self.said, *self.connector.listings()):
                self.progress(f"{self.name(listing)}: reading")
                self.read(listing)
            if isinstance(self.connector, Windowed):
                with described(self.connector.site):
                    self.total.sync_windows = self.connector.sync_windows()
        except ShipcastError as error:
            error.detail = self.connector.site.cleaned(error.detail)
            self.store()
            tell_stored(error, self.total)
            raise
        self.store()
        if self.removed:
            told = f"{self.source.label}: {counted(self.removed, 'row')} that it no longer gives removed."
            self.total.warnings.append(told)
        self.total.warnings += [*map(self.connector.site.cleaned, self.connector.warnings), *self.proposals()]

    def proposals(self) -> Iterator[str]:
        """What its services may be called here, where no deployment knows them by the name they have."""
        unnamed = {name for name in self.names.services if key_of(self.source.services, name) is None}
        if not unnamed:
            return
        with open_work(self.settings.home, self.settings) as connection:
            deployed = {service for (service,) in connection.execute(DEPLOYED).fetchall()}
        where = "its entry of shipcast.toml: services = {"
        yield from proposals(self.source.label, unnamed, deployed, where, "}")

    def read(self, listing: Listing) -> None:
        cursor = self.cursors.get(self.name(listing))
        is_same = cursor is not None and cursor.options == self.options
        mark = (json.loads(cursor.tip) or None) if cursor and is_same else None
        batches = well_formed(self.connector.site, listing.read(mark))
        if cursor and not is_same and listing is not self.said:
            self.take(listing, joined(list(batches)), is_anew=True)
            self.store()
            gone = f"; {counted(self.removed, 'row')} that they leave out removed" if self.removed else ""
            told = f"{self.name(listing)}: read from the beginning, since its options have changed{gone}."
            self.total.warnings.append(told)
            self.removed = 0
            return
        for batch in batches:
            mark = batch.mark
            self.take(listing, batch, is_anew=batch.is_anew)
        if self.connector.sieve.waiting:
            self.take(listing, Batch({}, mark or {}), is_anew=False)

    def take(self, listing: Listing, batch: Batch, *, is_anew: bool) -> None:
        """Let a batch wait for others, until together they are worth a transaction."""
        rows = {table: self.names.taken(batch.rows.get(table, ())) for table in listing.tables}
        if is_anew:
            self.store()
        found = Batch(rows, batch.mark, gone=batch.gone, misfits=self.misfits(listing))
        self.waiting.append(Waiting(listing, found, is_anew))
        if is_anew or sum(each.batch.size for each in self.waiting) >= STRETCH:
            self.store()

    def misfits(self, listing: Listing) -> list[Misfit]:
        """What the connector set aside, but what was set aside before: the same is listed again and again."""
        fresh = list[Misfit]()
        for found in self.connector.sieve.emptied():
            known = (found.table, self.name(listing), found.row)
            if known not in self.set_aside:
                self.set_aside.add(known)
                fresh.append(found)
        return fresh

    def store(self) -> None:
        """Store what waits in one transaction, each listing's rows with its last mark."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        report, parts = LoadReport(is_dry_run=self.total.is_dry_run), list[Part]()
        listings = {self.name(each.listing): each.listing for each in waiting}
        for name, listing in listings.items():
            whole = joined([each.batch for each in waiting if self.name(each.listing) == name])
            begin = self.positions.get(name, 0)
            for table in listing.tables:
                label = f"{table}{'' if listing.name == table else f' of {listing.name}'}"
                rows, misfits = whole.rows[table], [each for each in whole.misfits if each.table == table]
                parts.append(part(len(parts), self.source, name, label, BY_NAME[table], rows, begin, misfits))
                begin += len(rows) + len(misfits)
            self.positions[name] = begin
        load_parts(self.settings, parts, report, within=partial(self.settle, waiting))
        add(self.total, report)
        self.progress(f"{self.source.label}: {counted(sum(item.read for item in self.total.items), 'row')} read")

    def settle(self, waiting: Sequence[Waiting], connection: duckdb.DuckDBPyConnection) -> None:
        """Store where the reading stands and what stands for people, within the transaction of the rows."""
        for each in waiting:
            name = self.name(each.listing)
            for table in each.listing.tables if each.is_anew else ():
                self.remove_vanished(connection, BY_NAME[table], name)
            for table_name, keys in each.batch.gone.items():
                self.remove_gone(connection, BY_NAME[table_name], name, keys)
            tip = json.dumps(each.batch.mark, sort_keys=True)
            keep(connection, Cursor(name, self.options, tip, "", self.positions[name]))
        self.names.people.keep(connection)

    def remove_vanished(self, connection: duckdb.DuckDBPyConnection, table: Table, name: str) -> None:
        time = next((column.name for column in table.columns if column.kind == "instant"), None)
        if time is None:
            return
        statement = VANISHED.format(table=table.name, time=time, same=same(table.key, "r", "s"))
        self.remove(connection, statement, [self.origins(name), name])

    def remove_gone(self, connection: duckdb.DuckDBPyConnection, table: Table, name: str, keys: Sequence[str]) -> None:
        """Remove what the source says is no more; what another source gave under such a key stays."""
        if keys:
            self.remove(connection, GONE.format(table=table.name, key=table.key[0]), [self.origins(name), list(keys)])

    def origins(self, name: str) -> list[str]:
        """Where the rows of a listing may stand as coming from: itself, and what the source told by itself."""
        return [name, f"{self.source.label}: {EVENTS}"]

    def remove(self, connection: duckdb.DuckDBPyConnection, statement: str, given: Sequence[Any]) -> None:
        gone = len(connection.execute(statement, given).fetchall())
        self.removed += gone
        if gone:
            forget_built(connection)


def part(
    number: int,
    source: Remote | EventsSource,
    name: str,
    label: str,
    table: Table,
    rows: Sequence[Record],
    begin: int,
    misfits: Sequence[Misfit] = (),
) -> Part:
    """Rows that feed one table of a load.

    Parameters
    ----------
    name
        The name under which the database knows where they came from.
    label
        What they are called in messages, behind the source's own label.
    begin
        How many rows came from there before.
    misfits
        What came in the place of rows, which goes to the quarantine.
    """

    def pieces() -> Iterator[Piece]:
        columns = [column.name for column in table.columns]
        yield from pieces_of(
            ((begin + line, *(as_text(row.get(name)) for name in columns)) for line, row in enumerate(rows, 1)), columns
        )
        if misfits:
            last = begin + len(rows)
            broken = [(line, None, RULE, each.reason, each.row) for line, each in enumerate(misfits, last + 1)]
            yield replace(piece_of((), columns), broken=pl.DataFrame(broken, schema=BROKEN, orient="row"))

    feed = Feed(name, pieces, is_addition=True)
    return Part(table, Path(source.label), f"{source.label}: {label}", "feed", source.label, number, feed=feed)


def joined(batches: Sequence[Batch]) -> Batch:
    """Several batches as one, with the last one's mark; no batch at all leaves no rows and an empty mark."""
    tables = {table for batch in batches for table in batch.rows}
    rows = {table: [row for batch in batches for row in batch.rows.get(table, ())] for table in sorted(tables)}
    gone = {table: [key for batch in batches for key in batch.gone.get(table, ())] for table in sorted(tables)}
    misfits = [each for batch in batches for each in batch.misfits]
    return Batch(rows, batches[-1].mark if batches else {}, gone=gone, misfits=misfits)


def add(total: LoadReport, report: LoadReport) -> None:
    """Count one stretch's loads to those before; of what dangles the newest count stands, of what is bad the sum."""
    partial_told = {*quarantine_told(total.items), *quarantine_told(report.items)}
    for item in report.items:
        same_part = (each for each in total.items if (each.table, each.path) == (item.table, item.path))
        known = next(same_part, None)
        if known is None:
            total.items.append(replace(item))
        else:
            count(known, item)
    stale = tuple(f"{where}: " for where in report.dangling)
    kept = [warning for warning in total.warnings if not (stale and warning.startswith(stale))]
    told = [*kept, *(warning for warning in report.warnings if warning not in kept)]
    total.warnings[:] = [*(warning for warning in told if warning not in partial_told), *quarantine_told(total.items)]
    total.dangling.update(report.dangling)
    total.load_id = report.load_id


def count(known: FileLoad, item: FileLoad) -> None:
    for name in (*COUNTS, "settled"):
        setattr(known, name, getattr(known, name) + getattr(item, name))
    known.reason = known.reason or item.reason


def tell_stored(error: ShipcastError, report: LoadReport) -> None:
    """Let an error say how many rows were stored before it."""
    if (stored := sum(item.read for item in report.items)) and not report.is_dry_run:
        error.detail += f" The {counted(stored, 'row')} that came before are stored."
        error.facts["stored"] = stored


def well_formed(site: Site, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The batches, where the server's answers are what its description promises.

    Raises
    ------
    AnswerUnusable
        They lack something, or hold something else in its place.
    """
    while True:
        with described(site):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextmanager
def described(site: Site) -> Iterator[None]:
    """Within the block, an answer that lacks something, or holds something else in its place, is said in words."""
    try:
        yield
    except SHAPELESS as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise AnswerUnusable(
            f"{site.name}: an answer of {site.url} is not what its description promises "
            f"({type(error).__name__} at {Path(where.filename).name}:{where.lineno}).",
            next_step="Report it, with the version of that server, if it comes again.",
        ) from error


@dataclass(frozen=True)
class Look:
    """What a source gives at first sight.

    Parameters
    ----------
    rows
        The first of each table.
    names
        Those that it used.
    all_names
        Those that it has, as `Naming` tells them, where it can and the source names some.
    warnings
        What its connector has to say.
    misfits
        What of that it read for these could not be read.
    """

    rows: dict[str, list[Record]]
    names: Names
    all_names: Mapping[str, set[str]]
    warnings: Sequence[str] = ()
    misfits: Sequence[Misfit] = ()


def samples(source: Remote, most: int, progress: Progress | None = None, patience: Patience = SHORT) -> Look:
    """The first rows of each table that a source gives; nothing is stored.

    People are told apart by pseudonyms of this call alone, unless the source names them.
    """
    reader = connector(source, Nothing(), progress or silent, patience)
    names, found, misfits = Names(source, Pseudonyms("")), dict[str, list[Record]](), list[Misfit]()
    for listing in reader.listings():
        try:
            batch = next((batch for batch in well_formed(reader.site, listing.read(None)) if batch.size), None)
        except ShipcastError as error:
            error.detail = reader.site.cleaned(error.detail)
            raise
        misfits += reader.sieve.emptied()
        for table in listing.tables:
            rows = names.taken(batch.rows.get(table, ()) if batch else ())
            found.setdefault(table, []).extend(rows[: most - len(found.get(table, ()))])
    known = all_names(reader) if source.theirs or source.production else {}
    return Look(found, names, known, tuple(map(reader.site.cleaned, reader.warnings)), tuple(dict.fromkeys(misfits)))


def all_names(reader: Connector) -> Mapping[str, set[str]]:
    """See `Naming`; nothing where the token may not see them."""
    if not isinstance(reader, Naming):
        return {}
    try:
        with described(reader.site):
            return reader.all_names()
    except (CredentialsRefused, NothingThere, SourceUnreachable):
        return {}


def seen_windows(source: Remote, patience: Patience = SHORT) -> int | None:
    """How many sync windows the source's token sees; None: there can be none, or it may see none."""
    reader = connector(source, Nothing(), silent, patience)
    if not isinstance(reader, Windowed):
        return None
    try:
        with described(reader.site):
            return reader.seen_windows()
    except (CredentialsRefused, NothingThere, SourceUnreachable):
        return None

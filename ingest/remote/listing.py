"""What a connector gives: listings, each read in batches from where the last reading ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from shipcast.ingest.remote.misfits import Misfit, Sieve
from shipcast.ingest.remote.site import Site
from shipcast.ingest.remote.sync_windows import SyncWindow

Record = Mapping[str, Any]
Mark = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """A stretch of rows, by table, and where the reading stands once they are stored.

    Parameters
    ----------
    rows
        By the contract's columns. Environments, services and people as the source calls them; instants as ISO 8601
        with an offset.
    mark
        All that the next reading needs to go on from here; JSON.
    is_anew
        Whether it is all that the listing gives, and what it does not give is gone.
    gone
        By table, the keys of rows that are no more, whether they were read before or not; such a table's key is one
        column.
    misfits
        Items that could not be read, which a connector leaves in its sieve.
    """

    rows: Mapping[str, Sequence[Record]]
    mark: Mark
    is_anew: bool = False
    gone: Mapping[str, Sequence[str]] = field(default_factory=dict)
    misfits: Sequence[Misfit] = ()

    @property
    def size(self) -> int:
        return sum(len(rows) for rows in self.rows.values()) + len(self.misfits)


@dataclass(frozen=True)
class Listing:
    """One list of a source.

    Parameters
    ----------
    name
        What is listed, such as `deployments`.
    tables
        The tables that it feeds, first those that others refer to.
    read
        Gives its rows from a mark on, or from the beginning (None). Called again with any mark that it gave, it brings
        all that has changed since, and perhaps more: to bring a row twice changes nothing.
    """

    name: str
    tables: tuple[str, ...]
    read: Callable[[Mark | None], Iterator[Batch]]


class Recall(Protocol):
    """What was read before, for connectors that need it to tell what a new record means.

    Attributes
    ----------
    is_sample
        Whether only a look at the first rows is wanted, which nothing keeps.
    """

    is_sample: bool

    def places(self, service: str, commits: Sequence[str]) -> dict[str, int]:
        """The positions of those commits that are known to lie on the service's main line."""


class Connector(Protocol):
    """A source of one kind: what it lists, and what a reader of the report should know about it.

    Attributes
    ----------
    sieve
        What it came upon that could not be read. Each is stored with the next batch.
    """

    site: Site
    warnings: list[str]
    sieve: Sieve

    def listings(self) -> Sequence[Listing]: ...


@runtime_checkable
class Naming(Protocol):
    """A connector that can tell all names that its source has."""

    def all_names(self) -> Mapping[str, set[str]]:
        """Those of services, their ids, environments, parameters and labels, in the source's own words.

        By `service`, `service id`, `environment`, `parameter` and `label`; what is missing cannot be told.
        """


@runtime_checkable
class Windowed(Protocol):
    """A connector whose server says when it lets deployments go."""

    def sync_windows(self) -> Sequence[SyncWindow] | None:
        """All that are about what the source reads; None: it does not ask for them, or cannot tell now.

        Raises
        ------
        CredentialsRefused
            The token may not see them.
        """

    def seen_windows(self) -> int | None:
        """How many the token sees; None: it may see none."""

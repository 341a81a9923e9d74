"""`token`: who may ask over HTTP, and for what. Of a secret only the digest is kept; it is said once, when made."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from shipcast.answers.answer import Answer, Instant, Part
from shipcast.answers.errors import UnknownName
from shipcast.answers.operations import envelope
from shipcast.answers.words import listing, plural
from shipcast.settings.errors import StorageError, UsageError
from shipcast.settings.files import read_sealed, write_sealed
from shipcast.warehouse.damage import storage_error
from shipcast.warehouse.lock import tokens_lock

Scope = Literal["read", "plan", "approve", "ingest"]

TOKENS_FILE = "tokens.json"
OWNER_ONLY = 0o600
PREFIX = "shipcast"
SECRET_BYTES, ID_BYTES = 32, 4
LONGEST_DAYS = 3650
NAME: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(min_length=1, max_length=100)])


class Key(Part):
    """A secret that opens something, by its digest.

    Parameters
    ----------
    scopes
        What a token may; empty: it is the address of a feed.
    service
        Of a feed: the only service that it is about; null: all.
    expires_at, revoked_at
        From when it counts no more; null: never, it does.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...] = ()
    service: str | None = None
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None = None

    @property
    def is_feed(self) -> bool:
        return not self.scopes

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyItem(Part):
    """A token or the address of a feed, without what is secret of it."""

    id: str
    name: str
    kind: Literal["token", "feed"]
    scopes: tuple[Scope, ...]
    service: str | None
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    is_valid: bool


class TokenAnswer(Answer):
    """A token that was made.

    Parameters
    ----------
    token
        It, as a request says it: this once.
    """

    schema_name: Literal["shipcast/token-add/1"] = Field("shipcast/token-add/1", alias="schema")
    items: tuple[KeyItem, ...]
    token: str


class FeedAnswer(Answer):
    """A feed that was opened.

    Parameters
    ----------
    path
        Its address on the server, which is its secret: this once.
    """

    schema_name: Literal["shipcast/token-feed/1"] = Field("shipcast/token-feed/1", alias="schema")
    items: tuple[KeyItem, ...]
    path: str


class TokenListAnswer(Answer):
    """The tokens and feeds of a home, in the order in which they were made."""

    schema_name: Literal["shipcast/token-list/1"] = Field("shipcast/token-list/1", alias="schema")
    items: tuple[KeyItem, ...]


class TokenRevokeAnswer(Answer):
    """What counts no more."""

    schema_name: Literal["shipcast/token-revoke/1"] = Field("shipcast/token-revoke/1", alias="schema")
    items: tuple[KeyItem, ...]


KEYS: TypeAdapter[tuple[Key, ...]] = TypeAdapter(tuple[Key, ...], config={"defer_build": True})


def read_keys(home: Path) -> tuple[Key, ...]:
    """All that were made in a home, those that count no more too.

    Raises
    ------
    StorageError
        The file cannot be read, or is not as it was written: then nothing is said to be open.
    """
    path = home / TOKENS_FILE
    try:
        return KEYS.validate_python(read_sealed(path)["keys"])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise storage_error(path, error) from error
    except (ValueError, KeyError, ValidationError) as error:
        raise StorageError(
            f"{path} is damaged: nobody is let in by it.",
            next_step="Remove the file, and make new tokens: shipcast token add NAME",
        ) from error


def write_keys(home: Path, keys: Sequence[Key]) -> None:
    path = home / TOKENS_FILE
    try:
        write_sealed(path, {"keys": [one.model_dump(mode="json") for one in keys]}, OWNER_ONLY)
    except OSError as error:
        raise storage_error(path, error) from error


FIRST_TOKEN = (
    "It is the first: from now on each request to the API needs a token that may read, those of Prometheus (/metrics) "
    "and of probes (/readyz) too. /healthz, webhooks and feeds do not."
)


def add_token(home: Path, as_of: datetime, name: str, scopes: Sequence[str], days: int) -> TokenAnswer:
    """A new token of those scopes, which counts for so many days.

    Raises
    ------
    UsageError
        The name is taken, or cannot be one.
    UnknownName
        There is no such scope.
    """
    is_first = all(one.is_feed for one in read_keys(home))
    key, secret = made(home, name, tuple(dict.fromkeys(map(known_scope, scopes))), None, days)
    assert key.expires_at is not None
    return TokenAnswer(
        **envelope(as_of),
        warnings=(FIRST_TOKEN,) if is_first else (),
        sentence=f"{key.name} may {listing(key.scopes)} until {key.expires_at:%-d %b %Y %H:%M} UTC. "
        "The token is shown this once:",
        items=(item(key),),
        token=f"{PREFIX}_{key.id}_{secret}",
    )


def add_feed(home: Path, as_of: datetime, name: str, service: str | None) -> FeedAnswer:
    """A new address under which a calendar program reads what is booked and in force.

    Raises
    ------
    UsageError
        The name is taken, or cannot be one.
    """
    key, secret = made(home, name, (), service, None)
    about = f" of {service}" if service else ""
    return FeedAnswer(
        **envelope(as_of),
        sentence=f"{key.name} may read the calendar{about}, until it is revoked. The address is shown this once:",
        items=(item(key),),
        path=f"/feeds/{key.id}_{secret}.ics",
    )


def known_scope(name: str) -> Scope:
    for scope in get_args(Scope):
        if name == scope:
            return scope  # type: ignore[no-any-return]
    raise UnknownName("scope", name, get_args(Scope))


def made(home: Path, name: str, scopes: tuple[Scope, ...], service: str | None, days: int | None) -> tuple[Key, str]:
    """The key that is kept, and its secret, which is not."""
    check_name(name)
    secret, now = secrets.token_urlsafe(SECRET_BYTES), present()
    key = Key(
        id=secrets.token_hex(ID_BYTES),
        name=name,
        digest=digest(secret),
        scopes=scopes,
        service=service,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    with tokens_lock(home):
        keys = read_keys(home)
        if any(one.name == name and one.revoked_at is None for one in keys):
            raise UsageError(
                f"There is a token or feed called {name!r} already.",
                next_step=f"Choose another name, or first: shipcast token revoke {name}",
            )
        write_keys(home, (*keys, key))
    return key, secret


def check_name(name: str) -> None:
    try:
        NAME.validate_python(name.strip())
    except ValidationError as error:
        raise UsageError("A name must have 1 to 100 characters.") from error
    if not name.isprintable():
        raise UsageError(f"A name must have no control characters. Got {name[:60]!r} instead.")


def revoke(home: Path, as_of: datetime, name: str) -> TokenRevokeAnswer:
    """Let the token or feed of that name or id count no more, from the next request on.

    Raises
    ------
    UnknownName
        None that counts is called so.
    """
    with tokens_lock(home):
        keys, now = read_keys(home), present()
        chosen = [one for one in keys if name in (one.name, one.id) and one.revoked_at is None]
        if not chosen:
            raise UnknownName("token or feed", name, {one.name for one in keys if one.revoked_at is None})
        revoked = tuple(one.model_copy(update={"revoked_at": now}) for one in chosen)
        by_id = {one.id: one for one in revoked}
        write_keys(home, [by_id.get(one.id, one) for one in keys])
    return TokenRevokeAnswer(
        **envelope(as_of),
        sentence=f"{revoked[0].name} counts no more, from the next request on.",
        items=tuple(map(item, revoked)),
    )


def token_list(home: Path, as_of: datetime) -> TokenListAnswer:
    """Who may ask, and who might."""
    items = tuple(map(item, read_keys(home)))
    valid = sum(one.is_valid for one in items)
    return TokenListAnswer(**envelope(as_of), sentence=f"{plural(len(items), 'key')}, {valid} valid.", items=items)


def item(key: Key) -> KeyItem:
    return KeyItem(
        **key.model_dump(exclude={"digest"}),
        kind="feed" if key.is_feed else "token",
        is_valid=key.is_valid(present()),
    )


def found(keys: Sequence[Key], key_id: str, secret: str) -> Key | None:
    """The key of that id, if that is its secret; compared in a time that says nothing of either."""
    given = digest(secret)
    chosen = next((one for one in keys if compare_digest(one.id.encode(), key_id.encode())), None)
    fits = compare_digest(given, digest("") if chosen is None else chosen.digest)
    return chosen if fits else None


def digest(secret: str) -> str:
    """Of 256 random bits, so that nobody can go through them and no salt is needed."""
    return sha256(secret.encode()).hexdigest()


def present() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

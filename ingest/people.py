"""People in what is read from outside: told apart, not named, unless asked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

import duckdb

LENGTH = 10  # hex digits: among 100,000 people two share a pseudonym in one home of 200


def pseudonyms(connection: duckdb.DuckDBPyConnection) -> Callable[[str], str]:
    """What stands for a person (a name or an address) in this home: the same each time, another one elsewhere.

    The salt is drawn once for each home and never published, so that whoever sees a pseudonym cannot try names on it.
    """
    rows = connection.execute("select salt from raw._salt").fetchall()
    if not rows:
        rows = [(secrets.token_hex(16),)]
        connection.execute("insert into raw._salt values (?)", [rows[0][0]])
    salt = rows[0][0]

    def pseudonym(person: str) -> str:
        digest = hashlib.blake2b(person.strip().lower().encode(), key=salt.encode(), digest_size=16).hexdigest()
        return f"u{digest[:LENGTH]}"

    return pseudonym

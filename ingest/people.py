"""People in what is read from outside: told apart, not named, unless asked."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

import duckdb

PEOPLE = frozenset({"requested_by", "approved_by", "deployed_by", "author", "approver", "used_by"})  # columns
LENGTH = 10  # hex digits: of 200 homes with 100,000 people each, one has two who share a pseudonym
# Programs that commit, by the names and addresses they go by.
BOTS = "dependabot|renovate|greenkeeper|snyk|pre-commit-ci|github-actions?|mergify|imgbot|scala-steward"
BOT = re.compile(
    rf"\[bot\]|\b(?:continuous integration|{BOTS})\b|(?:^|[\s._+-])(?:bot|robot)(?:$|[\s@._+-])", re.IGNORECASE
)


def is_bot(name: str, mail: str) -> bool:
    """Whether a name or an address is that of a program.

    >>> is_bot("dependabot[bot]", "support@github.com"), is_bot("Deploy Bot", "ci@example.org"), is_bot("Abbot", "a@b")
    (True, True, False)
    """
    return bool(BOT.search(name) or BOT.search(mail))


@dataclass(frozen=True)
class Pseudonyms:
    """What stands for people in one home: the same for a person each time, another one in another home."""

    salt: str

    def of(self, person: str) -> str:
        """The pseudonym of a name or an address; case and surrounding spaces do not matter."""
        text = person.strip().lower().encode("utf-8", "replace")
        return f"u{hashlib.blake2b(text, key=self.salt.encode(), digest_size=16).hexdigest()[:LENGTH]}"

    def keep(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Store the salt, within the caller's transaction."""
        connection.execute("delete from raw._salt")
        connection.execute("insert into raw._salt values (?)", [self.salt])


def pseudonyms(connection: duckdb.DuckDBPyConnection) -> Pseudonyms:
    """Those of the home, or fresh ones that nobody has kept yet.

    The salt is drawn once for each home and never published, so that nobody who sees a pseudonym can try names on it.
    """
    rows = connection.execute("select salt from raw._salt").fetchall()
    return Pseudonyms(rows[0][0] if rows else secrets.token_hex(16))

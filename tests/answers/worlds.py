"""Small worlds written as tables in text: a header, then a row a line, `-` for unknown."""

import re
from datetime import UTC, datetime

COLUMNS = {"at": "started_at", "done": "finished_at", "id": None, "env": "environment", "sha": "commit_sha"}
IDS = {"deployments": "deployment_id", "incidents": "incident_id", "changes": "change_id"}
OWN = ("deployment_id", "incident_id", "change_id", "rollback_of", "commit_sha", "service")  # told apart between worlds
SHORT = re.compile(r"^(\d\d-\d\dT\d\d:\d\d)(:\d\d)?(\S*)$")


def instant(text):
    """03-09T10:00 is in 2025 and, without an offset, in UTC."""
    month, seconds, offset = SHORT.match(text).groups()
    return datetime.fromisoformat(f"2025-{month}{seconds or ':00'}{offset or 'Z'}").astimezone(UTC)


class World:
    """A few rows of each table. Its service is called like it, and everything happens in production, unless said."""

    def __init__(self, name, **texts):
        self.name = name
        self.tables = {table: self.rows(table, text) for table, text in texts.items()}
        services = {row["service"] for table in IDS for row in self.tables.get(table, [])} or {name}
        self.tables.setdefault("services", [{"service": service, "team": name} for service in sorted(services)])

    def rows(self, table, text):
        header, *lines = text.strip().splitlines()
        names = [COLUMNS.get(name, name) or IDS[table] for name in header.split()]
        return [self.row(table, dict(zip(names, line.split(), strict=True))) for line in lines]

    def row(self, table, given):
        defaults = {"service": self.name} if table in IDS else {}
        defaults |= {"environment": "production"} if table == "deployments" else {}
        row = {**defaults, **{name: self.value(name, text) for name, text in given.items()}}
        return row | ({"team": self.name} if table == "services" else {})

    def value(self, name, text):
        if text == "-":
            return None
        if SHORT.match(text):
            return instant(text)
        if name.endswith("_per_hour"):
            return float(text)
        return f"{self.name}-{text}" if name in OWN else text


def together(worlds):
    """All worlds' rows, by table."""
    names = dict.fromkeys(table for world in worlds for table in world.tables)
    return {table: [row for world in worlds for row in world.tables.get(table, [])] for table in names}

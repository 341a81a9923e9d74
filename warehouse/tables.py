"""The contract's tables: one definition each, from which validation, raw tables, quarantine reasons and docs come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "instant", "integer", "number", "boolean", "list"]
Merge = Literal["last", "earliest", "latest", "worst"]

SQL_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "instant": "TIMESTAMP",  # UTC
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "list": "VARCHAR[]",
}


@dataclass(frozen=True)
class Column:
    """One column of an input table.

    Parameters
    ----------
    name, kind
        The contract's name; what its values are. Instants are stored in UTC, lists are `;`-separated in files.
    meaning
        What the value says, and what an empty one means.
    required
        An empty value sends the row to quarantine, a missing column refuses the file.
    key
        Part of the natural key. A key column that is not required may be empty; empty equals empty.
    choices
        The only values allowed, worst first where `merge` is "worst". Case does not matter.
    examples
        Customary values of a column that takes any.
    synonyms
        Other headers that mean this column.
    minimum
        Smallest value allowed, for numbers.
    merge
        Which value stays when several rows of one load share their key: the last given, or, of instants,
        the earliest or latest, or the worst of the choices.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    key: bool = False
    choices: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    minimum: int | None = None
    merge: Merge = "last"


@dataclass(frozen=True)
class Table:
    """One input table: a file or folder of that name feeds it."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    order: tuple[tuple[str, str], ...] = ()  # (earlier, later): later before earlier breaks a rule
    references: tuple[tuple[str, str], ...] = ()  # (column, table): counted where dangling, never refused
    episodes: tuple[str, str] | None = None  # (start, end) where rows of one key are episodes of one thing

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.key)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    @property
    def keeps_given(self) -> bool:
        """Whether rows of one key in one load are a history, of which each column keeps what was last given.

        Of other tables the last row stays whole, with what it leaves empty.
        """
        return self.episodes is not None or any(column.merge != "last" for column in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


SERVICE = ("app", "application", "service_name", "component", "repo", "repository")
ENVIRONMENT = ("env", "environment_name", "stage", "target")
SHA = ("sha", "commit", "git_sha", "commit_id", "commit_hash", "revision")


def size(name: str, meaning: str, *synonyms: str) -> Column:
    """A count that cannot be negative; empty means unknown, not zero."""
    return Column(name, "integer", f"{meaning}; empty: unknown", synonyms=synonyms, minimum=0)


def place(meaning: str) -> Column:
    """A place on the main line of a service's repository, the first commit of which is 1."""
    return Column("position", "integer", f"{meaning}; empty: unknown", minimum=1)


TABLES: tuple[Table, ...] = (
    Table(
        "services",
        "One row per service that is deployed.",
        (
            Column("service", "text", "The service's name", required=True, key=True, synonyms=("id", "name", *SERVICE)),
            Column("team", "text", "The team that owns it", synonyms=("owner", "team_name", "squad")),
            Column(
                "business_zone",
                "text",
                "IANA zone its people work in",
                synonyms=("tz", "timezone", "time_zone", "zone"),
            ),
            Column("regions", "list", "Regions it serves", synonyms=("region",)),
            Column("tier", "text", "The company's own tier"),
            Column("criticality", "text", "The company's own criticality"),
            Column("architecture", "text", "How it runs", examples=("stateless", "stateful", "batch")),
            Column("depends_on", "list", "Services it needs", synonyms=("dependencies",)),
        ),
    ),
    Table(
        "environments",
        "One row per environment that services are deployed to.",
        (
            Column(
                "environment",
                "text",
                "The environment's name",
                required=True,
                key=True,
                synonyms=("id", "name", *ENVIRONMENT),
            ),
            Column(
                "kind",
                "text",
                "What it is for; empty: told by its name",
                examples=("development", "test", "staging", "production", "ephemeral"),
                synonyms=("type", "environment_type"),
            ),
            Column("cost_per_hour", "number", "What an hour of it costs", synonyms=("hourly_cost",), minimum=0),
            Column("capacity", "integer", "How many may use it at once", minimum=0),
            Column("region", "text", "Where it runs"),
        ),
    ),
    Table(
        "deployments",
        "One row per deployment of a service to an environment.",
        (
            Column(
                "deployment_id",
                "text",
                "The deployment's id",
                required=True,
                key=True,
                synonyms=("id", "deploy_id", "release_id"),
            ),
            Column("service", "text", "What was deployed", required=True, synonyms=SERVICE),
            Column("environment", "text", "Where to", required=True, synonyms=ENVIRONMENT),
            Column(
                "started_at",
                "instant",
                "When it started",
                required=True,
                synonyms=("created_at", "start", "start_time", "started", "deployed_at", "timestamp"),
                merge="earliest",
            ),
            Column(
                "finished_at",
                "instant",
                "When it ended; empty: not known, its start stands in",
                synonyms=("completed_at", "end", "end_time", "ended_at", "finished"),
                merge="latest",
            ),
            Column(
                "status",
                "text",
                "How it ended",
                required=True,
                choices=("failed", "rolled_back", "succeeded", "cancelled", "running"),
                synonyms=("state", "result", "outcome", "conclusion"),
                merge="worst",
            ),
            Column("commit_sha", "text", "The commit it shipped", synonyms=SHA),
            Column("version", "text", "The version it shipped", synonyms=("tag", "release", "image_tag")),
            Column(
                "change_type",
                "text",
                "Kind of change",
                examples=("standard", "normal", "emergency"),
                synonyms=("type",),
            ),
            Column(
                "rollback_of",
                "text",
                "The deployment this one rolls back",
                synonyms=("rolls_back", "rollback_deployment_id"),
            ),
            Column("strategy", "text", "Rollout pattern", examples=("rolling", "canary", "blue_green", "recreate")),
            Column("requested_by", "text", "Who asked for it", synonyms=("requester",)),
            Column("approved_by", "text", "Who approved it"),
            Column("deployed_by", "text", "Who or what carried it out", synonyms=("deployer", "actor", "creator")),
            size("lines_changed", "Lines added and deleted since the last one"),
            size("files_changed", "Files touched since the last one", "changed_files"),
            size("commits", "Commits since the last one", "commit_count"),
            size("authors", "People who wrote them", "author_count"),
            size("bot_commits", "Commits written by bots"),
            Column(
                "is_proxy",
                "boolean",
                "True: stands in for a deployment that nobody recorded, such as a release; empty: recorded",
                synonyms=("proxy",),
            ),
        ),
        order=(("started_at", "finished_at"),),
        references=(("rollback_of", "deployments"),),
    ),
    Table(
        "incidents",
        "One row per incident, or per episode of one that was reopened.",
        (
            Column(
                "incident_id", "text", "The incident's id", required=True, key=True, synonyms=("id", "number", "key")
            ),
            Column("service", "text", "What was hurt", required=True, synonyms=SERVICE),
            Column("environment", "text", "Where; empty: its deployment's, else production", synonyms=ENVIRONMENT),
            Column(
                "started_at",
                "instant",
                "When it began",
                required=True,
                synonyms=("created_at", "opened_at", "start", "start_time"),
            ),
            Column(
                "resolved_at",
                "instant",
                "When service was restored; empty: still open",
                synonyms=("closed_at", "ended_at", "end_time"),
            ),
            Column("severity", "text", "The company's own severity", synonyms=("priority", "urgency")),
            Column(
                "deployment_id",
                "text",
                "The deployment that caused it; empty: not known",
                synonyms=("caused_by", "deploy_id"),
            ),
        ),
        order=(("started_at", "resolved_at"),),
        references=(("deployment_id", "deployments"),),
        episodes=("started_at", "resolved_at"),
    ),
    Table(
        "changes",
        "One row per change and deployment that carried it.",
        (
            Column(
                "change_id",
                "text",
                "The change's id",
                required=True,
                key=True,
                synonyms=("id", "pull_request", "pr", "number"),
            ),
            Column("service", "text", "The service it changes", required=True, synonyms=SERVICE),
            Column("commit_sha", "text", "Its commit", required=True, synonyms=(*SHA, "merge_commit_sha")),
            Column(
                "deployment_id",
                "text",
                "A deployment that carried it; empty: none known",
                key=True,
                synonyms=("deploy_id",),
            ),
            Column(
                "authored_at",
                "instant",
                "When it was written",
                required=True,
                synonyms=("created_at", "committed_at", "author_date"),
            ),
            Column("merged_at", "instant", "When it was merged; empty: not known"),
            Column("author", "text", "Who wrote it", synonyms=("user", "authored_by")),
            size("lines_added", "Lines added", "additions"),
            size("lines_deleted", "Lines deleted", "deletions"),
            size("files_changed", "Files touched", "changed_files"),
            Column("is_bot", "boolean", "Written by a bot", synonyms=("bot",)),
            Column("is_revert", "boolean", "Takes an earlier change back", synonyms=("revert",)),
            place("Place on the main line of the commit that brought it"),
            Column("reverts", "list", "The changes it takes back; empty: none, or not known which"),
        ),
        references=(("deployment_id", "deployments"),),
    ),
    Table(
        "releases",
        "One row per release of a service, or commit of its main line that a deployment may name.",
        (
            Column("service", "text", "The service", required=True, key=True, synonyms=SERVICE),
            Column(
                "version",
                "text",
                "What deployments call it",
                required=True,
                key=True,
                synonyms=("id", "name", "tag", "release"),
            ),
            Column("commit_sha", "text", "Its commit", synonyms=SHA),
            Column(
                "released_at",
                "instant",
                "When it was released; empty: not known",
                synonyms=("published_at", "created_at", "tagged_at", "date", "timestamp"),
            ),
            place("Place on the main line of the newest commit in it: it holds each change up to there"),
            Column(
                "kind",
                "text",
                "What it is; a commit is no release, but a deployment may name it",
                examples=("tag", "merge", "commit"),
                synonyms=("type",),
            ),
        ),
    ),
    Table(
        "load",
        "One row per service and interval: the demand that met it.",
        (
            Column("service", "text", "The service", required=True, key=True, synonyms=SERVICE),
            Column(
                "observed_at",
                "instant",
                "Start of the interval",
                required=True,
                key=True,
                synonyms=("timestamp", "time", "ts", "started_at"),
            ),
            Column(
                "value",
                "number",
                "Requests in the interval; its length is inferred from the series up to there",
                required=True,
                synonyms=("requests", "count", "load", "volume"),
                minimum=0,
            ),
            Column("environment", "text", "Where; empty: production", key=True, synonyms=ENVIRONMENT),
        ),
    ),
    Table(
        "environment_usage",
        "One row per session in which somebody used an environment.",
        (
            Column("environment", "text", "The environment", required=True, key=True, synonyms=ENVIRONMENT),
            Column(
                "started_at",
                "instant",
                "When the use began",
                required=True,
                key=True,
                synonyms=("created_at", "start", "start_time"),
            ),
            Column(
                "ended_at", "instant", "When it ended; empty: still in use", synonyms=("finished_at", "end", "end_time")
            ),
            Column("used_by", "text", "Who used it", key=True, synonyms=("user", "team")),
            Column("purpose", "text", "What for"),
            Column("branch", "text", "The branch under work"),
        ),
        order=(("started_at", "ended_at"),),
    ),
    Table(
        "approvals",
        "One row per decision asked of somebody.",
        (
            Column("approval_id", "text", "The approval's id", required=True, key=True, synonyms=("id",)),
            Column("deployment_id", "text", "The deployment it is about", synonyms=("deploy_id",)),
            Column("change_id", "text", "The change it is about"),
            Column("approver", "text", "Who was asked", synonyms=("approved_by", "reviewer")),
            Column(
                "decision",
                "text",
                "What was decided",
                examples=("approved", "rejected", "pending"),
                synonyms=("state", "status"),
            ),
            Column("requested_at", "instant", "When it was asked for", synonyms=("created_at",)),
            Column("decided_at", "instant", "When it was decided; empty: pending", synonyms=("approved_at",)),
            Column("role", "text", "In which role"),
        ),
        references=(("deployment_id", "deployments"),),
    ),
    Table(
        "holds",
        "One row per switch of a hold: on (nothing ships from here on) or off.",
        (
            Column("service", "text", "The service held", required=True, key=True, synonyms=SERVICE),
            Column("environment", "text", "Where; empty: everywhere", key=True, synonyms=ENVIRONMENT),
            Column(
                "at",
                "instant",
                "From when on",
                required=True,
                key=True,
                synonyms=("timestamp", "started_at", "created_at"),
            ),
            Column(
                "active",
                "boolean",
                "True: held from here on; false: released",
                required=True,
                synonyms=("is_active", "held"),
            ),
            Column("kind", "text", "What is held", key=True, synonyms=("type", "reason")),
        ),
    ),
)

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}

"""Deployments, changes and incidents as a company's tools would export them at the end of the history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from shipcast.simulator.clock import Floats, Integers, hour_of_week
from shipcast.simulator.company import Service
from shipcast.simulator.history import instants, restore_minutes

MINUTE = 60
BOT = "renovate[bot]"
SEVERITIES = ("sev1", "sev2", "sev3")


def numbered(prefix: str, column: str = "number", width: int = 5) -> pl.Expr:
    return pl.format(f"{prefix}{{}}", pl.col(column).cast(pl.String).str.zfill(width))


def at(column: str) -> pl.Expr:
    return pl.from_epoch(pl.col(column), "s").dt.replace_time_zone("UTC")


def log_normal(median: float | Floats, sigma: float, count: int, rng: np.random.Generator) -> Floats:
    return median * np.exp(sigma * rng.normal(size=count))


def hashes(count: int, rng: np.random.Generator) -> list[str]:
    """Commit hashes: 40 hexadecimal digits each."""
    digits = rng.bytes(20 * count).hex()
    return [digits[at : at + 40] for at in range(0, len(digits), 40)]


def described(releases: pl.DataFrame, services: Sequence[Service], rng: np.random.Generator) -> pl.DataFrame:
    """Releases with what deployments and changes share: version, commit, people, and when each stage began."""
    count = len(releases)
    by_name = {service.name: service for service in services}
    owners = [by_name[name] for name in releases["service"]]
    people = rng.integers(0, 6, (count, 3))
    named = {
        name: [owner.members[k] for owner, k in zip(owners, people[:, column], strict=True)]
        for column, name in enumerate(("author", "approver", "deployer"))
    }
    return staged(releases, rng).with_columns(
        pl.Series("commit_sha", hashes(count, rng), dtype=pl.String),
        pl.format("1.{}.0", pl.int_range(1, pl.len() + 1).over("service")).alias("version"),
        pl.Series("strategy", [owner.profile.strategy for owner in owners], dtype=pl.String),
        *(pl.Series(role, members, dtype=pl.String) for role, members in named.items()),
        pl.Series("is_automatic", rng.random(count) < 0.7),
        pl.Series("rollback_seconds", rng.integers(180, 600, count)),
    )


def staged(releases: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Releases with their way to production, reckoned backwards: staging, test, merge. Emergencies skip the test."""
    count = len(releases)
    is_emergency = (releases["change_type"] == "emergency").to_numpy()
    waits = {
        "soak": np.where(is_emergency, 0, log_normal(8 * 3600, 0.8, count, rng)) + rng.uniform(300, 1800, count),
        "testing": np.maximum(log_normal(10 * 3600, 0.8, count, rng), 3600),
        "retry": rng.uniform(900, 3 * 3600, count),
        "merging": np.where(is_emergency, rng.uniform(120, 1200, count), rng.uniform(300, 8 * 3600, count)),
    }
    lower = pl.col("lower_seconds")
    return (
        releases.with_columns(*(pl.Series(name, values.astype(np.int64)) for name, values in waits.items()))
        .with_columns(
            has_test=pl.col("change_type") != "emergency",
            lower_seconds=(pl.col("finished") - pl.col("started")) * 2 // 3,
        )
        .with_columns(staging_started=pl.col("started") - pl.col("soak") - lower)
        .with_columns(staging_failed_at=pl.col("staging_started") - pl.col("retry") - lower)
        .with_columns(staging_first=pl.when("staging_failed").then("staging_failed_at").otherwise("staging_started"))
        .with_columns(test_started=pl.col("staging_first") - pl.col("testing") - lower)
        .with_columns(test_failed_at=pl.col("test_started") - pl.col("retry") - lower)
        .with_columns(
            merged=pl.when("test_failed")
            .then("test_failed_at")
            .when("has_test")
            .then("test_started")
            .otherwise("staging_first")
            - pl.col("merging")
        )
    )


def changes(described: pl.DataFrame, services: Sequence[Service], rng: np.random.Generator) -> pl.DataFrame:
    """One row per change with the release it was written for. Lines add up to the release's."""
    bot_share = {service.name: service.profile.bot_share for service in services}
    relative = (described["lines"] / described["typical_lines"]).to_numpy()
    mean = np.where(described["change_type"] == "emergency", 0, 1.2 * np.minimum(relative, 4))
    counts = np.minimum(1 + rng.poisson(mean), described["lines"].to_numpy())
    release = np.repeat(np.arange(len(described)), counts)
    total = len(release)
    is_last = np.append(release[1:] != release[:-1], True) if total else np.zeros(0, bool)
    is_bot = rng.random(total) < np.array([bot_share[name] for name in described["service"]])[release]
    members = {service.name: service.members for service in services}
    people = zip(described["service"].gather(release), rng.integers(0, 6, total), strict=True)
    names = [members[name][person] for name, person in people]
    lines = split(described["lines"].to_numpy(), counts, rng)
    deleted = rng.binomial(lines, rng.beta(2, 4, total))
    chosen = described[["release", "service", "change_type", "merged", "commit_sha"]][release]
    writing = np.where(chosen["change_type"] == "emergency", 2400, 20 * 3600)
    merged = chosen["merged"].to_numpy() - np.where(is_last, 0, rng.integers(0, 5 * 3600, total))
    return chosen.with_columns(
        pl.Series("number", np.arange(1, total + 1)),
        pl.Series("merged", merged),
        pl.Series("authored", merged - log_normal(writing, 1.1, total, rng).astype(np.int64)),
        pl.Series("is_bot", is_bot),
        pl.Series("is_revert", ~is_bot & (rng.random(total) < 0.02)),
        pl.Series("author", np.where(is_bot, BOT, names) if total else [], dtype=pl.String),
        pl.Series("lines_added", lines - deleted),
        pl.Series("lines_deleted", deleted),
        pl.Series("files_changed", np.minimum(1 + rng.poisson(lines / 40), lines)),
        # The release's own commit is its last change.
        pl.when(pl.Series(is_last))
        .then("commit_sha")
        .otherwise(pl.Series(hashes(total, rng), dtype=pl.String))
        .alias("commit_sha"),
    ).select(pl.exclude("change_type"), numbered("CH-").alias("change_id"))


def split(wholes: Integers, counts: Integers, rng: np.random.Generator) -> Integers:
    """Each whole number cut into so many parts of at least 1 that add up to it."""
    group = np.repeat(np.arange(len(wholes)), counts)
    ends = np.cumsum(counts)
    weights = np.cumsum(rng.exponential(size=len(group)))
    before = np.append(0, weights[ends - 1])[:-1]
    share = (weights - before[group]) / (weights[ends - 1] - before)[group]
    place = np.arange(len(group)) - (ends - counts)[group] + 1
    upto = np.rint(share * (wholes - counts)[group]).astype(np.int64) + place
    return np.asarray(np.where(place == 1, upto, upto - np.roll(upto, 1)))


def sizes(changes: pl.DataFrame) -> pl.DataFrame:
    """One row per release: what its changes add up to."""
    return changes.group_by("release", maintain_order=True).agg(
        pl.sum("files_changed"),
        pl.len().alias("commits"),
        pl.n_unique("author").alias("authors"),
        pl.sum("is_bot").alias("bot_commits"),
    )


def attempts(described: pl.DataFrame, ends: int) -> pl.DataFrame:
    """One row per deployment that had begun by the end, in any environment.

    `attempt` is production, rollback or lower.
    """
    began = pl.col("rollback_started") < ends
    wide = described.with_columns(
        rollback_started=pl.when(pl.col("result") == "rolled_back").then(
            pl.col("restored") - pl.min_horizontal("rollback_seconds", pl.col("outage") // 2)
        ),
    ).with_columns(
        result=pl.when((pl.col("result") == "rolled_back") & began)
        .then(pl.lit("rolled_back"))
        .when(pl.col("result").is_in(["failed", "cancelled"]))
        .then("result")
        .otherwise(pl.lit("succeeded")),
    )
    parts = [
        stage(wide, "production", "production", "started", pl.col("finished"), pl.col("result")),
        rollbacks(wide.filter(began), described),
        lower_stage(wide, "staging", "staging_started", "succeeded"),
        lower_stage(wide.filter("staging_failed"), "staging", "staging_failed_at", "failed"),
        lower_stage(wide.filter("has_test"), "test", "test_started", "succeeded"),
        lower_stage(wide.filter("test_failed"), "test", "test_failed_at", "failed"),
    ]
    return (
        pl.concat(parts, how="diagonal")
        .filter(pl.col("started") < ends)
        .sort("started", "service", "environment", "release", "status")
        .with_columns(
            status=pl.when(pl.col("finished") > ends).then(pl.lit("running")).otherwise("status"),
            finished=pl.when(pl.col("finished") <= ends).then("finished"),
            number=pl.int_range(1, pl.len() + 1),
        )
        .with_columns(deployment_id=numbered("D-"))
    )


def stage(
    wide: pl.DataFrame, environment: str, attempt: str, started: str, finished: pl.Expr, status: pl.Expr
) -> pl.DataFrame:
    return wide.with_columns(
        environment=pl.lit(environment), attempt=pl.lit(attempt), started=started, finished=finished, status=status
    )


def lower_stage(wide: pl.DataFrame, environment: str, started: str, status: str) -> pl.DataFrame:
    return stage(wide, environment, "lower", started, pl.col(started) + pl.col("lower_seconds"), pl.lit(status))


def rollbacks(wide: pl.DataFrame, described: pl.DataFrame) -> pl.DataFrame:
    """The deployments that brought the last good version back; they end when service is restored."""
    good = described.select("release", "commit_sha", "version").rename({"release": "good"})
    again = wide.drop("commit_sha", "version").join(good, on="good", how="left", maintain_order="left")
    return stage(
        again.with_columns(change_type=pl.lit("emergency"), is_failed=False, failure_probability=0.0),
        "production",
        "rollback",
        "rollback_started",
        pl.col("restored"),
        pl.lit("succeeded"),
    )


def production_ids(attempts: pl.DataFrame) -> pl.DataFrame:
    """Release and the id of its production deployment, for releases that had reached production."""
    return attempts.filter(pl.col("attempt") == "production").select("release", "deployment_id")


def deployment_table(attempts: pl.DataFrame, sizes: pl.DataFrame) -> pl.DataFrame:
    """The table `deployments`. What a rollback changes is not counted: its sizes are null."""
    is_rollback = pl.col("attempt") == "rollback"
    is_production = pl.col("environment") == "production"
    names = production_ids(attempts).rename({"deployment_id": "forward_id"})
    return (
        attempts.join(sizes, on="release", how="left", maintain_order="left")
        .join(names, on="release", how="left", maintain_order="left")
        .select(
            "deployment_id",
            "service",
            "environment",
            at("started").alias("started_at"),
            at("finished").alias("finished_at"),
            "status",
            "commit_sha",
            "version",
            "change_type",
            pl.when(is_rollback).then("forward_id").alias("rollback_of"),
            "strategy",
            pl.col("author").alias("requested_by"),
            pl.when(is_production & (pl.col("change_type") != "standard")).then("approver").alias("approved_by"),
            pl.when("is_automatic").then(pl.lit("pipeline")).otherwise("deployer").alias("deployed_by"),
            pl.when(~is_rollback).then("lines").alias("lines_changed"),
            *(pl.when(~is_rollback).then(name).alias(name) for name in sizes.columns if name != "release"),
        )
    )


def true_deployments(attempts: pl.DataFrame) -> pl.DataFrame:
    """One row per production deployment: the chance of failure it had, and whether it failed.

    A rollback has no chance of failure. `is_failed` is null for what was cancelled or still running.
    """
    return attempts.filter(pl.col("environment") == "production").select(
        "deployment_id",
        "service",
        at("started").alias("started_at"),
        pl.col("lines").alias("lines_changed"),
        "failure_probability",
        pl.when(~pl.col("status").is_in(["cancelled", "running"])).then("is_failed").alias("is_failed"),
        (pl.col("attempt") == "rollback").alias("is_rollback"),
    )


def change_table(changes: pl.DataFrame, described: pl.DataFrame, attempts: pl.DataFrame, ends: int) -> pl.DataFrame:
    """The table `changes`: a row per change and production deployment that carried it, or one without any.

    What a failed deployment carried goes out again with the next one.
    """
    links = (
        described.select(carrier="release", release="carries")
        .explode("release")
        .join(production_ids(attempts).rename({"release": "carrier"}), on="carrier", maintain_order="left")
        .select("release", "deployment_id")
    )
    return (
        changes.filter(pl.col("authored") < ends)
        .join(links, on="release", how="left", maintain_order="left_right")
        .select(
            "change_id",
            "service",
            "commit_sha",
            "deployment_id",
            at("authored").alias("authored_at"),
            pl.when(pl.col("merged") < ends).then(at("merged")).alias("merged_at"),
            "author",
            "lines_added",
            "lines_deleted",
            "files_changed",
            "is_bot",
            "is_revert",
        )
    )


def incident_table(
    attempts: pl.DataFrame, services: Sequence[Service], begins: int, ends: int, seed: int
) -> pl.DataFrame:
    """The table `incidents`: those deployments caused, and some that nothing is known to have caused.

    The last of either sort is still open, as is whatever was not restored by the end.
    """
    rng = np.random.default_rng([seed, 5])
    others = [
        background(service, begins, ends, np.random.default_rng([seed, 6, index]))
        for index, service in enumerate(services)
    ]
    return (
        pl.concat([caused(attempts, rng), *others])
        .filter(pl.col("started") < ends)
        .sort("started", "service", "deployment_id", nulls_last=True)
        .with_columns(is_last=pl.int_range(1, pl.len() + 1).over("is_caused") == pl.len().over("is_caused"))
        .with_row_index("number", offset=1)
        .select(
            numbered("INC-", width=4).alias("incident_id"),
            "service",
            pl.when(pl.col("deployment_id").is_null()).then(pl.lit("production")).alias("environment"),
            at("started").alias("started_at"),
            pl.when((pl.col("resolved") <= ends) & ~pl.col("is_last")).then(at("resolved")).alias("resolved_at"),
            "severity",
            "deployment_id",
        )
    )


def caused(attempts: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Incidents of failed releases. Seven in eight name their deployment, and all that nothing else tells of do."""
    failed = attempts.filter(
        (pl.col("attempt") == "production") & "is_failed" & "has_incident" & pl.col("finished").is_not_null()
    )
    delay = np.minimum(rng.integers(0, 600, len(failed)), 0.3 * failed["outage"].to_numpy()).astype(np.int64)
    is_named = (rng.random(len(failed)) < 0.87) | (failed["status"] == "succeeded").to_numpy()
    return failed.select(
        "service",
        started=pl.col("finished") + delay,
        resolved="restored",
        severity=pl.Series(severities(failed["severity_draw"].to_numpy()), dtype=pl.String),
        deployment_id=pl.when(pl.Series(is_named)).then("deployment_id"),
        is_caused=pl.lit(True),
    )


def background(service: Service, begins: int, ends: int, rng: np.random.Generator) -> pl.DataFrame:
    """Incidents without a deployment, about three a year, restored as slowly as any other."""
    days_ago = service.profile.first_days_ago
    begins = begins if days_ago is None else max(begins, ends - days_ago * 86_400)
    count = rng.poisson(3 * (ends - begins) / (365 * 86_400))
    started = np.sort(rng.integers(begins, ends, count))
    latent = rng.normal(size=count)
    restore = restore_minutes(service, hour_of_week(instants(started), service.zone), latent, rng)
    return pl.DataFrame(
        {
            "service": pl.Series([service.name] * count, dtype=pl.String),
            "started": started,
            "resolved": started + (restore * MINUTE).astype(np.int64),
            "severity": pl.Series(severities(latent), dtype=pl.String),
            "deployment_id": pl.Series([None] * count, dtype=pl.String),
            "is_caused": pl.Series([False] * count, dtype=pl.Boolean),
        }
    )


def severities(latent: Floats) -> list[str]:
    """A severity for a standard normal draw; the same draw lengthens the outage."""
    return [SEVERITIES[level] for level in np.digitize(latent, [1.2, 0.0], right=False)]

"""The delivery metrics once more, from the input tables alone: slow, plain, row by row, with no code of Shipcast's.

Written from the contract: section 1 for what was known when (`known`), section 4 for every definition (`Oracle`).
Tables are lists of dicts with the contract's columns; instants are aware, unknown is None.
"""

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction
from functools import cache
from math import comb, exp, sqrt
from statistics import NormalDist, median

HOUR = timedelta(hours=1)
PRODUCTION = ("production", "prod", "live")
COMPLETED = ("succeeded", "failed", "rolled_back", "cancelled")
COLUMNS = {
    "services": "service team",
    "environments": "environment kind cost_per_hour",
    "deployments": "deployment_id service environment started_at finished_at status commit_sha change_type rollback_of",
    "incidents": "incident_id service environment started_at resolved_at deployment_id",
    "changes": "change_id service commit_sha deployment_id authored_at merged_at",
    "environment_usage": "environment started_at ended_at used_by",
}


def filled(tables):
    """The tables with every column the metrics need; what was not given is unknown."""
    return {
        name: [{**dict.fromkeys(columns.split()), **row} for row in tables.get(name, [])]
        for name, columns in COLUMNS.items()
    }


def completed_at(deployment):
    return (deployment["finished_at"] or deployment["started_at"]) if deployment["status"] in COMPLETED else None


def production_test(tables):
    """Whether an environment is production: by its kind where the table says one, else by its name."""
    kinds = {row["environment"]: row["kind"] for row in tables["environments"] if row["kind"]}
    return lambda name: kinds[name] == "production" if name in kinds else name.lower() in PRODUCTION


def counts_against(incident, named, is_production):
    """Whether the incident is its deployment's: in the same environment, or both in production."""
    environment = incident["environment"] or named["environment"]
    both = is_production(named["environment"]) and is_production(environment)
    return both or named["environment"] == environment


def known(tables, at):
    """The tables as they would have been exported at that instant."""
    tables = filled(tables)
    return {
        **tables,
        "deployments": known_deployments(tables, at),
        "incidents": [known_incident(row, at) for row in tables["incidents"] if row["started_at"] <= at],
        "changes": [row for row in tables["changes"] if (row["merged_at"] or row["authored_at"]) <= at],
        "environment_usage": [
            {**row, "ended_at": row["ended_at"] if row["ended_at"] and row["ended_at"] <= at else None}
            for row in tables["environment_usage"]
            if row["started_at"] <= at
        ],
    }


def known_deployments(tables, at):
    is_production = production_test(tables)
    by_id = {row["deployment_id"]: row for row in tables["deployments"]}
    resolved = {}
    for incident in tables["incidents"]:
        named = by_id.get(incident["deployment_id"])
        if named and incident["resolved_at"] and counts_against(incident, named, is_production):
            resolved.setdefault(incident["deployment_id"], []).append(incident["resolved_at"])
    namers = defaultdict(list)
    for row in tables["deployments"]:
        if row["rollback_of"] != row["deployment_id"]:
            namers[row["rollback_of"]].append(row["started_at"])
    rows = []
    for row in tables["deployments"]:
        if row["started_at"] > at:
            continue
        end, status, one = completed_at(row), row["status"], row["deployment_id"]
        if end is None or end > at:
            rows.append({**row, "status": "running", "finished_at": None})
            continue
        revealed = min(namers[one], default=None) or min(resolved.get(one, []), default=end)
        if status == "rolled_back" and max(revealed, end) > at:
            status = "succeeded"
        rows.append({**row, "status": status})
    return rows


def known_incident(row, at):
    """What it names is known by its resolution; one that is open in the data names it from its start."""
    is_open_then = row["resolved_at"] is not None and row["resolved_at"] > at
    return {**row, "resolved_at": None, "deployment_id": None} if is_open_then else row


class Oracle:
    """What the contract says of the tables, as known at an instant."""

    def __init__(self, tables, at, settle_days=14, occupancy_minutes=60):
        self.at = at
        self.landings = {}
        self.settle = timedelta(days=settle_days)
        self.occupancy = timedelta(minutes=occupancy_minutes)
        tables = known(tables, at)
        self.is_production = production_test(tables)
        self.teams = {row["service"]: row["team"] for row in tables["services"]}
        self.costs = {row["environment"]: row["cost_per_hour"] for row in tables["environments"]}
        self.deployments = tables["deployments"]
        self.by_id = {row["deployment_id"]: row for row in self.deployments}
        self.usage = tables["environment_usage"]
        self.incidents = [self.placed(row) for row in tables["incidents"]]
        self.changes = self.merged(tables["changes"])
        self.rolled_back = {row["deployment_id"] for row in self.deployments if row["status"] == "rolled_back"}
        self.rolled_back |= {
            row["rollback_of"]
            for row in self.deployments
            if self.is_landed(row) and row["rollback_of"] != row["deployment_id"]
        }
        self.caused = defaultdict(list)
        for row in self.incidents:
            if row["cause"]:
                self.caused[row["cause"]].append(row)
        self.by_service = defaultdict(list)
        for row in self.deployments:
            self.by_service[row["service"]].append(row)
        self.by_commit = defaultdict(list)
        for row in self.deployments:
            if row["commit_sha"]:
                self.by_commit[row["service"], row["commit_sha"]].append(row)

    def placed(self, incident):
        """The incident with its environment, and the deployment it counts against."""
        named = self.by_id.get(incident["deployment_id"])
        environment = incident["environment"] or (named["environment"] if named else "production")
        counts = named is not None and counts_against(incident, named, self.is_production)
        return {**incident, "environment": environment, "cause": named["deployment_id"] if counts else None}

    def merged(self, rows):
        """One change per id, with all its links."""
        changes = {}
        for row in rows:
            change = changes.setdefault(row["change_id"], {**row, "links": set()})
            change["authored_at"] = min(change["authored_at"], row["authored_at"])
            change["links"].add(row["deployment_id"])
        return list(changes.values())

    def is_landed(self, row):
        return row["status"] in ("succeeded", "rolled_back")

    def is_counted(self, row):
        return row["status"] in ("succeeded", "rolled_back", "failed")

    def is_failed(self, row):
        one = row["deployment_id"]
        return self.is_counted(row) and (row["status"] == "failed" or one in self.rolled_back or one in self.caused)

    def in_scope(self, environment, asked):
        return self.is_production(environment) if asked == "production" else environment == asked

    def landed_at(self, change, asked):
        """When the change first landed in the environment asked about; None: open. Each is looked up once."""
        key = change["change_id"], asked
        if key not in self.landings:
            self.landings[key] = self.landing(change, asked)
        return self.landings[key]

    def landing(self, change, asked):
        linked = [self.by_id[one] for one in change["links"] if one in self.by_id]
        linked += self.by_commit[change["service"], change["commit_sha"]]
        linked = [row for row in linked if self.in_scope(row["environment"], asked)]
        landed = [completed_at(row) for row in linked if self.is_landed(row)]
        if landed:
            return min(landed)
        following = [
            completed_at(row)
            for failed in linked
            if failed["status"] in ("failed", "cancelled")
            for row in self.by_service[failed["service"]]
            if self.is_landed(row)
            and row["rollback_of"] in (None, row["deployment_id"])
            and row["started_at"] >= failed["started_at"]
            and self.in_scope(row["environment"], asked)
        ]
        return min(following, default=None)

    def metrics(self, start, end, environment="production", services=None):
        """Every metric over [start, end), each with the fields that apply to it."""

        def mine(row):
            return services is None or row["service"] in services

        placed = [row for row in self.deployments if mine(row) and self.in_scope(row["environment"], environment)]
        placed = [row for row in placed if start <= (completed_at(row) or row["started_at"]) < end]
        counted = [row for row in placed if self.is_counted(row)]
        excluded = len(placed) - len(counted)
        changes = [row for row in self.changes if mine(row)]
        incidents = [row for row in self.incidents if mine(row) and self.in_scope(row["environment"], environment)]
        return {
            "deployments": {"value": len(counted), "n": len(counted), "excluded": excluded},
            "deployment_frequency": self.frequency(counted, min(end, self.at) - start),
            "lead_time": self.lead_time(changes, start, end, environment),
            "change_failure_rate": self.rate(counted, self.is_failed, excluded, self.is_failed),
            **self.recoveries([row for row in counted if self.is_failed(row)]),
            "incidents_unattributed": self.unattributed([row for row in incidents if start <= row["started_at"] < end]),
            "rework_rate": self.rate(counted, self.is_rework, excluded, lambda row: True),
            "rollback_rate": self.rate(counted, self.is_rolled_back, excluded, self.is_rolled_back),
            "success_rate": self.rate(counted, lambda row: not self.is_failed(row), excluded, self.is_failed),
        }

    def is_rolled_back(self, row):
        return row["deployment_id"] in self.rolled_back

    def is_rework(self, row):
        return row["change_type"] == "emergency" or row["rollback_of"] not in (None, row["deployment_id"])

    def frequency(self, counted, length):
        landed = sum(map(self.is_landed, counted))
        days = length / timedelta(days=1)
        low, high = poisson_limits(landed)
        return {
            "value": landed / days,
            "n": landed,
            "numerator": landed,
            "low": low / days,
            "high": high / days,
            "excluded": len(counted) - landed,
        }

    def rate(self, counted, holds, excluded, is_final):
        numerator, n = sum(map(holds, counted)), len(counted)
        low, high = wilson_limits(numerator, n) if n else (None, None)
        unsettled = [row for row in counted if not is_final(row) and completed_at(row) + self.settle > self.at]
        return {
            "value": numerator / n if n else None,
            "n": n,
            "numerator": numerator,
            "low": low,
            "high": high,
            "excluded": excluded,
            "censored": len(unsettled),
        }

    def lead_time(self, changes, start, end, environment):
        hours, still_open = [], 0
        for change in changes:
            landed = self.landed_at(change, environment)
            if landed is None:
                still_open += start <= change["authored_at"] < end
            elif start <= landed < end:
                hours.append((landed - change["authored_at"]) / HOUR)
        kept = [value for value in hours if value >= 0]
        return {**middle(kept), "excluded": len(hours) - len(kept), "censored": still_open}

    def recoveries(self, failed):
        """Both clocks: from the finish or the incident, whichever came first, and from the incident."""
        clocks = {"failed_deployment_recovery": [], "recovery_from_incident": []}
        for row in failed:
            incidents = self.caused[row["deployment_id"]]
            if not incidents:
                continue
            first = min(incident["started_at"] for incident in incidents)
            ends = [incident["resolved_at"] for incident in incidents]
            until = self.at if None in ends else max(ends)
            for name, begin in zip(clocks, (min(first, completed_at(row)), first), strict=True):
                clocks[name].append(((until - begin) / HOUR, None not in ends))
        without = sum(not self.caused[row["deployment_id"]] for row in failed)
        return {
            name: {
                **middle([hours for hours, is_over in durations if is_over]),
                "excluded": without,
                "censored": sum(not is_over for _, is_over in durations),
                "km_median": kaplan_meier_median(durations),
            }
            for name, durations in clocks.items()
        }

    def unattributed(self, incidents):
        count = sum(not row["cause"] for row in incidents)
        return {"value": count, "n": len(incidents), "numerator": count}

    def idle(self, start, end, environment):
        """Share, hours and cost of the time in which one environment was in no use."""
        end = min(end, self.at)
        uses = [
            (row["started_at"], row["ended_at"] or self.at) for row in self.usage if row["environment"] == environment
        ]
        uses += [
            (row["started_at"], done + self.occupancy if (done := completed_at(row)) else self.at)
            for row in self.deployments
            if row["environment"] == environment
        ]
        busy, free_from = timedelta(), start
        for begin, until in sorted(uses):
            begin, until = max(begin, free_from), min(until, end)
            if until > begin:
                busy, free_from = busy + (until - begin), until
        hours = (end - start - busy) / HOUR
        cost = self.costs.get(environment)
        return {"share": hours * HOUR / (end - start), "hours": hours, "cost": None if cost is None else hours * cost}


def middle(values):
    """Median, and the values that bound it with 95 % confidence."""
    values, n = sorted(values), len(values)
    low = high = None
    if n >= 6:
        rank = exact_rank(n) if n <= 400 else int((n + 1) / 2 - 0.98 * sqrt(n) + 0.2320 / sqrt(n))
        low, high = values[rank - 1], values[n - rank]
    return {"value": median(values) if values else None, "n": n, "low": low, "high": high}


@cache
def exact_rank(n):
    """The largest k for which fewer than k heads in n throws have a chance of at most 2.5 %."""
    rank, ways = 0, 1
    while ways * 40 <= 2**n:
        rank += 1
        ways += comb(n, rank)
    return rank


def wilson_limits(events, trials):
    """The shares p for which the observed one lies 1.96 of p's standard errors away."""
    z2 = NormalDist().inv_cdf(0.975) ** 2
    share = events / trials
    middle_share = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = sqrt(z2 * share * (1 - share) / trials + z2**2 / (4 * trials**2)) / (1 + z2 / trials)
    return max(0.0, middle_share - half), min(1.0, middle_share + half)


@cache
def poisson_limits(events):
    """The means under which so many or more, so many or fewer, have a chance of 2.5 %; by bisection."""

    def at_most(k, mean):
        term = total = exp(-mean)
        for i in range(1, k + 1):
            term *= mean / i
            total += term
        return total

    def solve(chance):
        low, high = 0.0, events + 10 * sqrt(events + 1) + 10
        for _ in range(100):
            mean = (low + high) / 2
            low, high = (low, mean) if chance(mean) else (mean, high)
        return low

    if events > 600:  # exp underflows: Wilson and Hilferty's approximation, good to five digits here
        z = NormalDist().inv_cdf(0.975)
        return tuple(
            n * (1 - 1 / (9 * n) + sign * z / (3 * sqrt(n))) ** 3 for n, sign in ((events, -1), (events + 1, 1))
        )
    lower = solve(lambda mean: 1 - at_most(events - 1, mean) >= 0.025) if events else 0.0
    return lower, solve(lambda mean: at_most(events, mean) <= 0.025)


def kaplan_meier_median(durations):
    """The first time by which half are estimated to have recovered; None: not reached."""
    surviving = Fraction(1)
    for time in sorted({hours for hours, is_over in durations if is_over}):
        at_risk = sum(hours >= time for hours, _ in durations)
        surviving *= 1 - Fraction(sum(hours == time and is_over for hours, is_over in durations), at_risk)
        if surviving <= Fraction(1, 2):
            return time
    return None

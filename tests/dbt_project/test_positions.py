"""What deployments carried by their place on the main line, against a plain count over a drawn company."""

import random
from datetime import UTC, datetime, timedelta

import pytest

START = datetime(2024, 1, 1, tzinfo=UTC)
STATUSES = ["succeeded"] * 6 + ["failed", "cancelled", "rolled_back", "running"]
LINE = range(10, 400, 10)  # positions of releases; changes lie anywhere between


def drawn(seed):
    """Two services, each with releases, changes and deployments that mostly go up, and sometimes back or nowhere."""
    draw = random.Random(seed)
    releases, changes, deployments = [], [], []
    for service in ("pay", "cart"):
        releases += [{"service": service, "version": f"v{place}", "position": place} for place in LINE]
        for number in range(150):
            changes.append(
                {"change_id": f"{service}{number}", "service": service, "commit_sha": f"{service}{number}",
                 "authored_at": START, "position": draw.randrange(1, 420), "author": f"u{draw.randrange(5)}",
                 "lines_added": draw.randrange(9), "lines_deleted": 1, "files_changed": 1, "is_bot": number % 3 == 0}
            )  # fmt: skip
        for number in range(60):
            at = START + timedelta(hours=number, minutes=draw.randrange(60))
            place = max(0, min(len(LINE) - 1, number * len(LINE) // 60 + draw.randrange(-3, 4)))
            status = draw.choice(STATUSES)
            deployments.append(
                {"deployment_id": f"{service}{number:03}", "service": service, "started_at": at, "status": status,
                 "environment": draw.choice(["prod", "qa"]), "finished_at": at + timedelta(minutes=draw.randrange(90)),
                 "version": "main" if number % 17 == 9 else f"v{LINE[place]}"}
            )  # fmt: skip
    return {"releases": releases, "changes": changes, "deployments": deployments}


TABLES = drawn(seed=11)


@pytest.fixture(scope="module")
def company(build_of):
    return build_of(TABLES)


def position(deployment):
    return None if deployment["version"] == "main" else int(deployment["version"][1:])


def streams():
    """The deployments of each service and environment in order."""
    found = {}
    for row in sorted(TABLES["deployments"], key=lambda row: (row["started_at"], row["deployment_id"])):
        found.setdefault((row["service"], row["environment"]), []).append(row)
    return found


def is_landed(deployment):
    return deployment["status"] in ("succeeded", "rolled_back")


def test_a_change_lands_with_the_first_deployment_to_land_at_its_place_or_above(company):
    expected = set()
    for (service, environment), stream in streams().items():
        first = next(position(row) for row in stream if position(row))
        for change in TABLES["changes"]:
            carriers = [row for row in stream if position(row) and position(row) >= change["position"]]
            if change["service"] == service and change["position"] > first and carriers:
                landed = [(row["finished_at"], row["deployment_id"]) for row in carriers if is_landed(row)]
                expected.add((change["change_id"], environment, min(landed, default=(None, None))[1]))

    rows = company.rows(
        "select change_id, environment, landed_deployment_id from marts.fct_changes where environment is not null"
    )
    assert set(rows) == expected
    assert len(rows) == len(expected) > 200


def test_a_deployment_counts_what_lies_above_the_last_that_landed_before_it(company):
    expected = {}
    for (service, _), stream in streams().items():
        for number, row in enumerate(stream):
            before = [other for other in stream[:number] if is_landed(other)]
            expected[row["deployment_id"]] = (None, None, None, None)
            if before and position(before[-1]) and position(row):
                brought = [
                    change
                    for change in TABLES["changes"]
                    if change["service"] == service and position(before[-1]) < change["position"] <= position(row)
                ]
                expected[row["deployment_id"]] = (
                    len(brought),
                    sum(change["lines_added"] + 1 for change in brought),
                    len({change["author"] for change in brought}),
                    sum(change["is_bot"] for change in brought),
                )

    rows = company.rows("select deployment_id, commits, lines_changed, authors, bot_commits from marts.fct_deployments")
    assert {name: tuple(counts) for name, *counts in rows} == expected
    assert len(set(expected.values())) > 20

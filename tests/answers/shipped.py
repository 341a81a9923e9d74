"""Deployments by hand, one of each fate, that several tests of lists and stories share."""

from datetime import UTC, datetime

NOW = datetime(2025, 3, 1, tzinfo=UTC)
HOSTILE = "<b>d&9"


def deployment(name, service, started, ended, status="succeeded", environment="production", **more):
    return {"deployment_id": name, "service": service, "environment": environment, "started_at": started,
            "finished_at": ended, "status": status, **more}  # fmt: skip


TABLES = {
    "services": [
        {"service": "pay", "team": "money", "business_zone": "Europe/Berlin"},
        {"service": "web", "team": "front", "business_zone": "America/New_York"},
    ],
    "deployments": [
        deployment("held", "pay", "2025-01-06T08:00:00Z", "2025-01-06T08:10:00Z", lines_changed=10,
                   change_type="standard", commit_sha="a1"),
        deployment("broke", "pay", "2025-01-07T08:00:00Z", "2025-01-07T08:10:00Z", "failed", lines_changed=300,
                   change_type="Normal"),
        deployment("taken_back", "pay", "2025-01-08T08:00:00Z", "2025-01-08T08:10:00Z", lines_changed=60,
                   change_type="normal"),
        deployment("takes_back", "pay", "2025-01-08T09:00:00Z", "2025-01-08T09:05:00Z", rollback_of="taken_back"),
        deployment("hurt", "web", "2025-01-09T15:00:00Z", "2025-01-09T15:10:00Z", lines_changed=60),
        deployment("called_off", "web", "2025-01-10T15:00:00Z", "2025-01-10T15:10:00Z", "cancelled"),
        deployment("tried", "web", "2025-01-10T14:00:00Z", "2025-01-10T14:10:00Z", "failed", "staging"),
        deployment(HOSTILE, "web", "2025-02-27T15:00:00Z", "2025-02-27T15:10:00Z", change_type="emergency"),
        deployment("runs", "web", "2025-02-28T23:50:00Z", None, "running"),
    ],
    "incidents": [
        {"incident_id": "i1", "service": "web", "started_at": "2025-01-09T15:30:00Z",
         "resolved_at": "2025-01-09T17:10:00Z", "deployment_id": "hurt"},
    ],
    "changes": [
        {"change_id": "c1", "service": "pay", "commit_sha": "a1", "deployment_id": "held",
         "authored_at": "2025-01-05T08:10:00Z", "merged_at": "2025-01-05T20:00:00Z"},
        {"change_id": "c2", "service": "pay", "commit_sha": "a2", "deployment_id": "broke",
         "authored_at": "2025-01-07T06:10:00Z", "merged_at": "2025-01-07T07:00:00Z"},
        {"change_id": "c3", "service": "pay", "commit_sha": "a3", "deployment_id": "held",
         "authored_at": "2025-01-04T08:10:00Z", "merged_at": "2025-01-04T20:00:00Z"},
    ],
}  # fmt: skip

"""Three environments over nine days that several tests share, with two rows that no load takes."""

from datetime import UTC, datetime

AS_OF = datetime(2025, 5, 10, tzinfo=UTC)
SINCE = datetime(2025, 5, 1, tzinfo=UTC)
UNUSED = "preview *x*"
DEPLOYED = {"service": "<script>pay</script>", "environment": "production", "status": "succeeded"}
PLACES = {
    "environments": [
        {"environment": "qa", "kind": "staging", "cost_per_hour": 2},
        {"environment": "production", "kind": "production", "cost_per_hour": 10},
        {"environment": UNUSED, "kind": "ephemeral", "cost_per_hour": None},
    ],
    "environment_usage": [
        {"environment": "qa", "started_at": "2025-05-01T08:00Z", "ended_at": "2025-05-03T08:00Z", "used_by": "ana"},
        {"environment": "qa", "started_at": "2025-05-02T08:00Z", "ended_at": "2025-05-04T08:00Z", "used_by": "bo"},
        {"environment": "qa", "started_at": "2025-05-06T00:00Z", "ended_at": None, "used_by": "ana"},
    ],
    "deployments": [
        {"deployment_id": "d1", "started_at": "2025-05-05T10:00Z", "finished_at": "2025-05-05T10:30Z", **DEPLOYED},
        {"deployment_id": "d2", "started_at": "2025-05-09T12:00Z", "finished_at": "2025-05-09T12:30Z", **DEPLOYED},
        {"deployment_id": "=d3", "started_at": "2025-05-09T12:00Z", "finished_at": "2025-05-08T12:00Z", **DEPLOYED},
        {"deployment_id": "d4", "started_at": "2025-05-09T13:00Z", "finished_at": None, **DEPLOYED, "status": "<b>"},
    ],
    "incidents": [
        {"incident_id": "i1", "service": "<script>pay</script>", "started_at": "2025-05-05T11:00Z",
         "resolved_at": "2025-05-05T12:00Z"},
    ],
}  # fmt: skip

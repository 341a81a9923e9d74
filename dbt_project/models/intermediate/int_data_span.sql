{{ config(materialized='table') }}

with spans as (
    select min(started_at) as first_at, max(coalesce(completed_at, started_at)) as newest_at
    from {{ ref('stg_deployments') }}
    union all
    select min(started_at), max(greatest(started_at, resolved_at)) from {{ ref('stg_incidents') }}
    union all
    select min(authored_at), max(greatest(authored_at, merged_at)) from {{ ref('stg_changes') }}
    union all
    select min(observed_at), max(ended_at) from {{ ref('int_load_intervals') }}
    union all
    select min(started_at), max(greatest(started_at, ended_at)) from {{ ref('stg_environment_usage') }}
    union all
    select min(least(requested_at, decided_at)), max(greatest(requested_at, decided_at)) from {{ ref('stg_approvals') }}
    union all
    select min(switched_at), max(switched_at) from {{ ref('stg_holds') }}
),

final as (
    select min(first_at) as first_at, max(newest_at) as newest_at
    from spans
)

select * from final

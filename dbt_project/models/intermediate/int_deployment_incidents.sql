{{ config(materialized='table') }}

with incidents as (
    select * from {{ ref('int_incident_attributions') }}
    where cause_deployment_id is not null
),

ranked as (
    select
        *,
        row_number() over (partition by cause_deployment_id order by started_at, incident_id) as place
    from incidents
),

final as (
    select
        cause_deployment_id as deployment_id,
        min(started_at) as first_started_at,
        max(case when place = 1 then resolved_at end) as first_incident_resolved_at,
        min(resolved_at) as earliest_resolved_at,
        max(resolved_at) as latest_resolved_at,
        min(case when resolved_at is null then started_at end) as open_incident_at
    from ranked
    group by cause_deployment_id
)

select * from final

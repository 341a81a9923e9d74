{{ config(materialized='table', pre_hook="{{ keep_before() }}") }}

with incidents as (
    select * from {{ ref('int_incident_attributions') }}
    where cause_deployment_id is not null
),

final as (
    select
        cause_deployment_id as deployment_id,
        min(started_at) as first_started_at,
        min(link_known_at) as first_known_at,
        min(resolved_at) as earliest_resolved_at,
        max(resolved_at) as latest_resolved_at,
        count(*) > count(resolved_at) as is_open
    from incidents
    group by cause_deployment_id
)

select * from final

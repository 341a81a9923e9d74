{{ config(materialized='table') }}

with incidents as (
    select * from {{ ref('int_incidents') }}
),

-- Only services with an incident to attribute are worth sorting.
landed as (
    select * from {{ ref('int_deployments') }}
    where is_landed and service in (select service from incidents)
),

-- An incident that gives no environment may be laid to any production deployment of its service.
events as (
    select
        service,
        case when is_environment_given then environment end as place,
        started_at as event_at,
        1 as event_order,
        incident_id,
        cast(null as varchar) as deployment_id
    from incidents
    union all
    select service, environment, completed_at, 0, null, deployment_id from landed
    union all
    select service, null, completed_at, 0, null, deployment_id from landed where is_production
),

latest as (
    select
        *,
        last_value(deployment_id ignore nulls) over before as latest_deployment_id,
        max(case when event_order = 0 then event_at end) over before as latest_completed_at
    from events
    window before as (
        partition by service, place order by event_at, event_order, deployment_id
        rows between unbounded preceding and current row
    )
),

final as (
    select
        latest.incident_id,
        latest.latest_deployment_id as window_deployment_id
    from latest
    cross join {{ ref('int_settings') }} as settings
    where
        latest.incident_id is not null
        and {{ seconds_between('latest.latest_completed_at', 'latest.event_at') }} <= settings.attribution_hours * 3600
)

select * from final

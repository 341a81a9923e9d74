{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_incidents', ['incident_id']) }}"
) }}

with incidents as (
    select * from {{ ref('int_incidents') }} {{ where_touched('int_touched_incidents', ['incident_id']) }}
),

-- Only services with an incident to attribute are worth sorting.
landed as (
    select * from {{ ref('int_deployments') }}
    where is_landed and service in (select service from incidents)
),

-- An incident that gives no environment may be laid to any production deployment of its service.
{% if is_partial() %}
ranked as (
    select
        incidents.incident_id,
        incidents.started_at as event_at,
        landed.deployment_id as latest_deployment_id,
        landed.completed_at as latest_completed_at,
        row_number() over (
            partition by incidents.incident_id order by landed.completed_at desc, landed.deployment_id desc
        ) as place
    from incidents
    inner join landed
        on incidents.service = landed.service
        and incidents.started_at >= landed.completed_at
        and case
            when incidents.is_environment_given then incidents.environment = landed.environment
            else landed.is_production
        end
    cross join {{ ref('int_settings') }} as settings
    where {{ seconds_between('landed.completed_at', 'incidents.started_at') }} <= settings.attribution_hours * 3600
),

latest as (
    select * from ranked where place = 1
),
{% else %}
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
{% endif %}

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

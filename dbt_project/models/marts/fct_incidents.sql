{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_incidents', ['incident_id']) }}"
) }}

with incidents as (
    select * from {{ ref('int_incident_attributions') }} {{ where_touched('int_touched_incidents', ['incident_id']) }}
),

services as (
    select service, team from {{ ref('int_services') }}
),

final as (
    select
        incidents.incident_id,
        incidents.service,
        services.team,
        incidents.environment,
        incidents.is_environment_given,
        incidents.is_production,
        incidents.started_at,
        incidents.resolved_at,
        incidents.severity,
        incidents.deployment_id,
        incidents.is_deployment_known,
        incidents.cause_deployment_id,
        incidents.window_deployment_id,
        incidents.link_known_at
    from incidents
    inner join services on incidents.service = services.service
)

select * from final

{{ config(materialized='table') }}

with incidents as (
    select * from {{ ref('stg_incidents') }}
),

landed as (
    select * from {{ ref('int_deployments') }}
    where is_landed and deployment_id in (select deployment_id from {{ ref('int_changed_deployments') }})
),

final as (
    select incidents.incident_id
    from incidents
    cross join {{ ref('int_settings') }} as settings
    where incidents.changed_id > settings.built_load_id
    union
    select incidents.incident_id
    from incidents
    inner join landed
        on incidents.service = landed.service and incidents.started_at >= landed.completed_at
    cross join {{ ref('int_settings') }} as settings
    where {{ seconds_between('landed.completed_at', 'incidents.started_at') }} <= settings.attribution_hours * 3600
    union
    select incident_id from incidents
    where deployment_id in (select deployment_id from {{ ref('int_changed_deployments') }})
    {% if is_partial() %}
    union
    select incident_id from incidents
    where service in (select service from {{ differing('int_services', ['service', 'team']) }} as services)
    union
    select incident_id from incidents
    where environment in (
        select environment from {{ differing('int_environments', ['environment', 'is_production']) }} as environments
    )
    union
    select incident_id from {{ named_before('int_window_attributions') }}
    where window_deployment_id in (select deployment_id from {{ ref('int_changed_deployments') }})
    {% endif %}
)

select * from final

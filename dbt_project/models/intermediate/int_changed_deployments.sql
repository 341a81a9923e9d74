{{ config(materialized='table') }}

with deployments as (
    select * from {{ ref('stg_deployments') }}
),

final as (
    select deployments.deployment_id
    from deployments
    cross join {{ ref('int_settings') }} as settings
    where deployments.changed_id > settings.built_load_id
    {% if is_partial() %}
    union
    select deployment_id from deployments
    where service in (select service from {{ differing('int_services', ['service', 'team']) }} as services)
    union
    select deployment_id from deployments
    where environment in (
        select environment from {{ differing('int_environments', ['environment', 'is_production']) }} as environments
    )
    {% endif %}
)

select * from final

{{ config(materialized='table') }}

with final as (
    select deployment_id from {{ ref('int_changed_deployments') }}
    {% if is_partial() %}
    union
    select deployment_id from {{ differing('int_deployment_rollbacks', ['*']) }} as rollbacks
    union
    select deployment_id from {{ differing('int_deployment_incidents', ['*']) }} as incidents
    union
    select deployment_id from {{ differing('int_deployment_contents', ['*']) }} as contents
    {% endif %}
)

select * from final

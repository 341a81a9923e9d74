{{ config(materialized='table') }}

with usage as (
    select * from {{ ref('int_environment_usage') }}
),

final as (
    select 'deployment:' || deployment_id as usage_id from {{ ref('int_changed_deployments') }}
    {% if is_partial() %}
    union all
    select usage_id from usage where source = 'session'
    {% endif %}
)

select * from final

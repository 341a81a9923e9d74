{{ config(materialized='table') }}

with final as (
    select deployment_id from {{ ref('int_changed_deployments') }}
    {% if is_partial() %}
    union
    select deployment_id from {{ differing('int_deployment_rollbacks', ['deployment_id', 'rolled_back_at']) }} as rollbacks
    union
    select deployment_id from {{ differing('int_deployment_incidents', ['deployment_id', 'first_known_at']) }} as incidents
    union
    select deployment_id from {{ differing('int_deployment_contents', [
        'deployment_id', 'lines_changed', 'files_changed', 'commits', 'authors', 'bot_commits'
    ]) }} as contents
    {% endif %}
)

select * from final

{{ config(materialized='table') }}

with final as (
    select service, commit_sha from {{ ref('int_deployments') }}
    where commit_sha is not null and deployment_id in (select deployment_id from {{ ref('int_touched_landings') }})
    {% if is_partial() %}
    union
    select service, commit_sha from {{ named_before('fct_deployments') }}
    where commit_sha is not null and deployment_id in (select deployment_id from {{ ref('int_touched_landings') }})
    {% endif %}
)

select * from final

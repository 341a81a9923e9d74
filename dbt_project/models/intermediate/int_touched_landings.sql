{{ config(materialized='table') }}

with deployments as (
    select * from {{ ref('int_scoped_deployments') }}
),

changed as (
    select * from {{ ref('int_changed_deployments') }}
),

{% if is_partial() %}
landed as (
    select * from deployments
    where landed_at is not null and deployment_id in (select deployment_id from changed)
),

-- A failure that waits for its next landing, or has found a later one, may take a landing that has changed.
waiting as (
    select deployments.*, landings.next_landed_at
    from deployments
    left join {{ named_before('int_next_landings') }} as landings
        on deployments.deployment_id = landings.deployment_id and deployments.scope = landings.scope
    where
        deployments.is_unlanded
        and coalesce(landings.next_landed_at >= (select min(landed_at) from landed), true)
),
{% endif %}

final as (
    select deployment_id from changed
    {% if is_partial() %}
    union
    select deployment_id from {{ named_before('int_next_landings') }}
    where next_landed_deployment_id in (select deployment_id from changed)
    union
    select waiting.deployment_id
    from waiting
    inner join landed
        on waiting.service = landed.service
        and waiting.scope = landed.scope
        and waiting.place = landed.place
        and waiting.started_at <= landed.started_at
        and (waiting.next_landed_at is null or landed.landed_at <= waiting.next_landed_at)
    {% endif %}
)

select * from final

{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_landings', ['deployment_id']) }}"
) }}

with deployments as (
    select * from {{ ref('int_scoped_deployments') }}
),

{% if is_partial() %}
waiting as (
    select * from deployments
    where is_unlanded {{ where_touched('int_touched_landings', ['deployment_id'], 'and') }}
),

carriers as (
    select * from deployments
    where landed_at is not null and started_at >= (select min(started_at) from waiting)
),

following as (
    select
        waiting.deployment_id,
        waiting.service,
        waiting.scope,
        waiting.place,
        waiting.started_at,
        waiting.completed_at,
        waiting.is_unlanded,
        min(carriers.landed_at) as next_landed_at
    from waiting
    inner join carriers
        on waiting.service = carriers.service
        and waiting.scope = carriers.scope
        and waiting.place = carriers.place
        and waiting.started_at <= carriers.started_at
    group by all
),
{% else %}
carriers as (
    select * from deployments
    where service in (select service from deployments where is_unlanded)
),

following as (
    select
        *,
        min(landed_at) over (
            partition by service, scope, place order by started_at desc
            range between unbounded preceding and current row
        ) as next_landed_at
    from carriers
),
{% endif %}

unlanded as (
    select * from following
    where is_unlanded and next_landed_at is not null
),

-- The window finds the instant; which deployment landed then is looked up (of several, the first by id).
final as (
    select
        unlanded.deployment_id,
        unlanded.scope,
        unlanded.next_landed_at,
        min(carriers.deployment_id) as next_landed_deployment_id,
        greatest(unlanded.completed_at, unlanded.next_landed_at) as next_known_at
    from unlanded
    inner join carriers
        on unlanded.service = carriers.service
        and unlanded.scope = carriers.scope
        and unlanded.place = carriers.place
        and unlanded.next_landed_at = carriers.landed_at
        and unlanded.started_at <= carriers.started_at
    group by unlanded.deployment_id, unlanded.scope, unlanded.next_landed_at, unlanded.completed_at
)

select * from final

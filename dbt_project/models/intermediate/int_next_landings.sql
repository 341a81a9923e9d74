{{ config(materialized='table') }}

with deployments as (
    select * from {{ ref('int_deployments') }}
    where service in (select service from {{ ref('stg_deployments') }} where status in ('failed', 'cancelled'))
),

scoped as (
    select *, 'environment' as scope, environment as place from deployments
    union all
    select *, 'production' as scope, 'production' as place from deployments where is_production
),

carriers as (
    select
        deployment_id,
        service,
        scope,
        place,
        started_at,
        completed_at,
        status in ('failed', 'cancelled') as is_unlanded,
        case when is_landed and rollback_of is null then completed_at end as landed_at
    from scoped
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

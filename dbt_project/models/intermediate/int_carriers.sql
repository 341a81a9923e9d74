with deployments as (
    select * from {{ ref('int_deployments') }}
),

next_landings as (
    select * from {{ ref('int_next_landings') }}
),

-- Most have landed and need no look at what came next.
final as (
    select
        deployment_id,
        service,
        commit_sha,
        environment,
        is_production,
        completed_at as landed_at,
        deployment_id as landed_deployment_id,
        cast(null as timestamp) as next_landed_at,
        cast(null as timestamp) as next_known_at,
        cast(null as varchar) as next_landed_deployment_id,
        cast(null as timestamp) as environment_next_landed_at,
        cast(null as timestamp) as environment_next_known_at,
        cast(null as varchar) as environment_next_landed_deployment_id
    from deployments
    where is_landed
    union all
    select
        deployments.deployment_id,
        deployments.service,
        deployments.commit_sha,
        deployments.environment,
        deployments.is_production,
        null,
        null,
        widest.next_landed_at,
        widest.next_known_at,
        widest.next_landed_deployment_id,
        own.next_landed_at,
        own.next_known_at,
        own.next_landed_deployment_id
    from deployments
    left join next_landings as own
        on deployments.deployment_id = own.deployment_id and own.scope = 'environment'
    left join next_landings as widest
        on deployments.deployment_id = widest.deployment_id
        and widest.scope = case when deployments.is_production then 'production' else 'environment' end
    where not deployments.is_landed
)

select * from final

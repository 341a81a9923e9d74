with deployments as (
    select * from {{ ref('int_deployments') }}
),

next_landings as (
    select * from {{ ref('int_next_landings') }}
),

final as (
    select
        deployments.deployment_id,
        deployments.service,
        deployments.commit_sha,
        deployments.environment,
        deployments.is_production,
        case when deployments.is_landed then deployments.completed_at end as landed_at,
        case when deployments.is_landed then deployments.deployment_id end as landed_deployment_id,
        widest.next_landed_at,
        widest.next_known_at,
        widest.next_landed_deployment_id,
        own.next_landed_at as environment_next_landed_at,
        own.next_known_at as environment_next_known_at,
        own.next_landed_deployment_id as environment_next_landed_deployment_id
    from deployments
    left join next_landings as own
        on deployments.deployment_id = own.deployment_id and own.scope = 'environment'
    left join next_landings as widest
        on deployments.deployment_id = widest.deployment_id
        and widest.scope = case when deployments.is_production then 'production' else 'environment' end
)

select * from final

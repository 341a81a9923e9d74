with rollbacks as (
    select * from {{ ref('int_deployment_rollbacks') }}
),

deployments as (
    select * from {{ ref('int_deployments') }}
),

final as (
    select
        rollbacks.deployment_id,
        deployments.service,
        deployments.team,
        deployments.environment,
        deployments.is_production,
        rollbacks.rolled_back_at,
        rollbacks.rolled_back_by,
        deployments.completed_at,
        case
            when rollbacks.is_moment_known
                then {{ seconds_between('deployments.completed_at', 'rollbacks.rolled_back_at') }} / 60
        end as minutes_to_rollback
    from rollbacks
    inner join deployments on rollbacks.deployment_id = deployments.deployment_id
)

select * from final

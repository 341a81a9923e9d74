with deployments as (
    select * from {{ ref('int_deployments') }}
    where is_counted
),

incidents as (
    select * from {{ ref('int_deployment_incidents') }}
),

final as (
    select
        deployments.deployment_id,
        deployments.service,
        deployments.environment,
        deployments.completed_at,
        least(deployments.completed_at, incidents.first_started_at) as began_at,
        case when not incidents.is_open then incidents.latest_resolved_at end as recovered_at
    from deployments
    inner join incidents on deployments.deployment_id = incidents.deployment_id
)

select * from final

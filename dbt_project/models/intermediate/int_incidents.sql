with incidents as (
    select * from {{ ref('stg_incidents') }}
),

deployments as (
    select deployment_id, environment, is_production from {{ ref('int_deployments') }}
),

environments as (
    select environment, is_production from {{ ref('int_environments') }}
),

placed as (
    select
        incidents.*,
        deployments.deployment_id is not null as is_deployment_known,
        incidents.environment is not null as is_environment_given,
        deployments.environment as deployment_environment,
        coalesce(deployments.is_production, false) as is_deployment_production,
        coalesce(incidents.environment, deployments.environment, 'production') as incident_environment,
        coalesce(environments.is_production, deployments.is_production, true) as is_production
    from incidents
    left join deployments on incidents.deployment_id = deployments.deployment_id
    left join environments on incidents.environment = environments.environment
),

final as (
    select
        incident_id,
        service,
        incident_environment as environment,
        is_environment_given,
        is_production,
        started_at,
        resolved_at,
        severity,
        deployment_id,
        is_deployment_known,
        case
            when is_production and is_deployment_production then deployment_id
            when incident_environment = deployment_environment then deployment_id
        end as named_deployment_id
    from placed
)

select * from final

with deployments as (
    select * from {{ ref('stg_deployments') }}
),

environments as (
    select environment, is_production from {{ ref('int_environments') }}
),

services as (
    select service, team from {{ ref('int_services') }}
),

final as (
    select
        deployments.*,
        services.team,
        environments.is_production,
        deployments.status in ('succeeded', 'rolled_back') as is_landed,
        deployments.status in ('succeeded', 'rolled_back', 'failed') as is_counted
    from deployments
    inner join environments on deployments.environment = environments.environment
    inner join services on deployments.service = services.service
)

select * from final

with sessions as (
    select * from {{ ref('stg_environment_usage') }}
),

deployments as (
    select * from {{ ref('int_deployments') }}
),

environments as (
    select environment, is_production from {{ ref('int_environments') }}
),

final as (
    select
        'deployment:' || deployments.deployment_id as usage_id,
        deployments.environment,
        deployments.is_production,
        'deployment' as source,
        deployments.service,
        deployments.deployed_by as used_by,
        deployments.started_at,
        {{ add_seconds('deployments.completed_at', 'settings.occupancy_minutes * 60') }} as ended_at,
        deployments.completed_at as known_end_at
    from deployments
    cross join {{ ref('int_settings') }} as settings
    union all
    -- The length of the name keeps two sessions apart whatever characters their names hold.
    select
        'session:' || length(sessions.environment) || ':' || sessions.environment
            || ':' || cast(sessions.started_at as varchar) || coalesce(':' || sessions.used_by, ''),
        sessions.environment,
        environments.is_production,
        'session',
        null,
        sessions.used_by,
        sessions.started_at,
        sessions.ended_at,
        sessions.ended_at
    from sessions
    inner join environments on sessions.environment = environments.environment
)

select * from final

{{ config(materialized='table', pre_hook="{{ keep_before() }}") }}

with deployments as (
    select * from {{ ref('int_deployments') }}
),

incidents as (
    select * from {{ ref('int_deployment_incidents') }}
),

landed as (
    select rollback_of, completed_at, deployment_id from deployments
    where is_landed and rollback_of is not null
),

started as (
    select rollback_of, started_at, deployment_id from deployments
    where rollback_of is not null
),

first_landed as (
    select rollback_of, {{ first_record(['completed_at', 'deployment_id']) }} as rollback
    from landed
    group by rollback_of
),

first_started as (
    select rollback_of, {{ first_record(['started_at', 'deployment_id']) }} as rollback
    from started
    group by rollback_of
),

moments as (
    select
        deployments.deployment_id,
        deployments.completed_at,
        deployments.status = 'rolled_back' as is_said_by_status,
        coalesce(first_started.rollback.started_at, incidents.earliest_resolved_at) as status_known_at,
        first_landed.rollback.completed_at as landed_at,
        coalesce(first_landed.rollback.deployment_id, first_started.rollback.deployment_id) as rolled_back_by
    from deployments
    left join first_started on deployments.deployment_id = first_started.rollback_of
    left join first_landed on deployments.deployment_id = first_landed.rollback_of
    left join incidents on deployments.deployment_id = incidents.deployment_id
    where deployments.completed_at is not null
),

final as (
    select
        deployment_id,
        case
            when is_said_by_status then greatest(completed_at, least(status_known_at, landed_at))
            else greatest(completed_at, landed_at)
        end as rolled_back_at,
        rolled_back_by,
        status_known_at is not null as is_moment_known
    from moments
    where is_said_by_status or landed_at is not null
)

select * from final

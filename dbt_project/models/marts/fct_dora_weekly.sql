{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_weeks', ['service', 'environment', 'week_at']) }}"
) }}

with deployments as (
    select * from {{ ref('int_weekly_deployments') }}
),

lead_times as (
    select * from {{ ref('int_weekly_lead_times') }}
),

recoveries as (
    select * from {{ ref('int_weekly_recoveries') }}
),

environments as (
    select environment, is_production from {{ ref('int_environments') }}
),

weeks as (
    select service, environment, week_at from deployments
    union
    select service, environment, week_at from lead_times
),

counted as (
    select
        weeks.service,
        weeks.environment,
        environments.is_production,
        weeks.week_at,
        coalesce(deployments.deployments, 0) as deployments,
        coalesce(deployments.landed, 0) as landed,
        coalesce(deployments.failed, 0) as failed,
        coalesce(deployments.rolled_back, 0) as rolled_back,
        coalesce(deployments.rework, 0) as rework,
        lead_times.lead_time_hours,
        coalesce(lead_times.lead_times, 0) as lead_times,
        recoveries.recovery_hours,
        coalesce(recoveries.recoveries, 0) as recoveries
    from weeks
    inner join environments on weeks.environment = environments.environment
    left join deployments
        on weeks.service = deployments.service
        and weeks.environment = deployments.environment
        and weeks.week_at = deployments.week_at
    left join lead_times
        on weeks.service = lead_times.service
        and weeks.environment = lead_times.environment
        and weeks.week_at = lead_times.week_at
    left join recoveries
        on weeks.service = recoveries.service
        and weeks.environment = recoveries.environment
        and weeks.week_at = recoveries.week_at
),

final as (
    select
        service,
        environment,
        is_production,
        week_at,
        deployments,
        landed,
        failed,
        rolled_back,
        rework,
        1 - failed / nullif(deployments, 0) as success_rate,
        failed / nullif(deployments, 0) as change_failure_rate,
        rolled_back / nullif(deployments, 0) as rollback_rate,
        rework / nullif(deployments, 0) as rework_rate,
        lead_time_hours,
        lead_times,
        recovery_hours,
        recoveries
    from counted
)

select * from final

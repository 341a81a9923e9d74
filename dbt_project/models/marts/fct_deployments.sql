{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_deployments', ['deployment_id']) }}"
) }}

-- Which weeks the rows lay in that this build replaces, must be noted before.
{% if is_partial() %}-- depends_on: {{ ref('int_weeks_before') }}{% endif %}

with deployments as (
    select * from {{ ref('int_deployments') }} {{ where_touched('int_touched_deployments', ['deployment_id']) }}
),

rollbacks as (
    select * from {{ ref('int_deployment_rollbacks') }}
),

incidents as (
    select * from {{ ref('int_deployment_incidents') }}
),

final as (
    select
        deployments.deployment_id,
        deployments.service,
        deployments.team,
        deployments.environment,
        deployments.is_production,
        deployments.started_at,
        deployments.finished_at,
        deployments.completed_at,
        deployments.status,
        deployments.commit_sha,
        deployments.version,
        deployments.change_type,
        deployments.strategy,
        deployments.rollback_of,
        deployments.requested_by,
        deployments.approved_by,
        deployments.deployed_by,
        coalesce(deployments.lines_changed, contents.lines_changed) as lines_changed,
        coalesce(deployments.files_changed, contents.files_changed) as files_changed,
        coalesce(deployments.commits, contents.commits) as commits,
        coalesce(deployments.authors, contents.authors) as authors,
        coalesce(deployments.bot_commits, contents.bot_commits) as bot_commits,
        deployments.is_proxy,
        deployments.is_landed,
        {{ add_seconds('deployments.completed_at', 'settings.settle_days * 86400') }} as settled_at,
        rollbacks.rolled_back_at,
        case
            when deployments.status = 'failed' then deployments.completed_at
            when deployments.is_counted then least(
                rollbacks.rolled_back_at,
                case
                    when incidents.first_known_at is not null
                        then greatest(deployments.completed_at, incidents.first_known_at)
                end
            )
        end as failed_at
    from deployments
    left join rollbacks on deployments.deployment_id = rollbacks.deployment_id
    left join incidents on deployments.deployment_id = incidents.deployment_id
    left join {{ ref('int_deployment_contents') }} as contents on deployments.deployment_id = contents.deployment_id
    cross join {{ ref('int_settings') }} as settings
)

select * from final

{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_changes', ['change_id']) }}"
) }}

-- Which weeks the rows lay in that this build replaces, must be noted before.
{% if is_partial() %}-- depends_on: {{ ref('int_weeks_before') }}{% endif %}

with changes as (
    select * from {{ ref('int_changes') }}
),

landings as (
    select * from {{ ref('int_change_landings') }}
),

services as (
    select service, team from {{ ref('int_services') }}
),

final as (
    select
        changes.change_id,
        changes.service,
        services.team,
        landings.environment,
        landings.is_production,
        changes.commit_sha,
        changes.author,
        changes.authored_at,
        changes.merged_at,
        changes.known_at,
        changes.lines_added,
        changes.lines_deleted,
        changes.files_changed,
        changes.is_bot,
        changes.is_revert,
        changes.reverts,
        releases.first_release,
        releases.first_released_at,
        {{ landing_columns() }}
    from changes
    inner join services on changes.service = services.service
    left join landings on changes.change_id = landings.change_id
    left join {{ ref('int_change_releases') }} as releases on changes.change_id = releases.change_id
)

select * from final

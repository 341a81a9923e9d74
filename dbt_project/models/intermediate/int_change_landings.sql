{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_changes', ['change_id']) }}"
) }}

with changes as (
    select * from {{ ref('stg_changes') }} {{ where_touched('int_touched_changes', ['change_id']) }}
),

commits as (
    select distinct change_id, service, commit_sha from changes
),

by_name as (
    select changes.change_id, carriers.environment, carriers.is_production, {{ landing_columns() }}
    from changes
    inner join {{ ref('int_carriers') }} as carriers on changes.deployment_id = carriers.deployment_id
),

-- Joined to one row per commit and environment, so that a commit deployed often multiplies nothing.
by_commit as (
    select commits.change_id, carriers.environment, carriers.is_production, {{ landing_columns() }}
    from commits
    inner join {{ ref('int_commit_carriers') }} as carriers
        on commits.service = carriers.service and commits.commit_sha = carriers.commit_sha
),

carriers as (
    select * from by_name
    union all
    select * from by_commit
    union all
    select * from {{ ref('int_position_landings') }} {{ where_touched('int_touched_changes', ['change_id']) }}
),

firsts as (
    select
        change_id,
        environment,
        is_production,
        {{ first_landings() }}
    from carriers
    group by change_id, environment, is_production
),

final as (
    select
        change_id,
        environment,
        is_production,
        landed.*,
        following.*,
        environment_following.*
    from firsts
)

select * from final

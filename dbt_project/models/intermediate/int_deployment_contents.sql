{{ config(materialized='table', pre_hook="{{ keep_before() }}") }}

with places as (
    select * from {{ ref('int_position_places') }}
),

changes as (
    select
        change_id,
        service,
        min(position) as position,
        max(author) as author,
        max(lines_added + lines_deleted) as lines_changed,
        max(files_changed) as files_changed,
        max(case when is_bot then 1 else 0 end) as is_bot
    from {{ ref('stg_changes') }}
    where position is not null
    group by change_id, service
),

bounds as (
    select deployments.deployment_id, deployments.service, previous.place as place_before, own.place
    from {{ ref('int_deployment_positions') }} as deployments
    inner join places as own
        on deployments.service = own.service and deployments.position = own.position
    inner join places as previous
        on deployments.service = previous.service and deployments.previous_position = previous.position
    where own.has_changes
),

steps as (
    select deployment_id, service, {{ each_number('place_before + 1', 'place') }} as place
    from bounds
),

carried as (
    select
        steps.deployment_id,
        count(*) as commits,
        case when count(changes.lines_changed) = count(*) then cast(sum(changes.lines_changed) as bigint) end as lines_changed,
        case when count(changes.files_changed) = count(*) then cast(sum(changes.files_changed) as bigint) end as files_changed,
        count(distinct changes.author) as authors,
        cast(sum(changes.is_bot) as bigint) as bot_commits
    from steps
    inner join places on steps.service = places.service and steps.place = places.place
    inner join changes on places.service = changes.service and places.position = changes.position
    group by steps.deployment_id
),

final as (
    select
        bounds.deployment_id,
        case when carried.deployment_id is null then 0 else carried.lines_changed end as lines_changed,
        case when carried.deployment_id is null then 0 else carried.files_changed end as files_changed,
        coalesce(carried.commits, 0) as commits,
        coalesce(carried.authors, 0) as authors,
        coalesce(carried.bot_commits, 0) as bot_commits
    from bounds
    left join carried on bounds.deployment_id = carried.deployment_id
)

select * from final

{{ config(materialized='table') }}

with names as (
    select * from {{ ref('int_release_names') }}
),

deployments as (
    select * from {{ ref('int_deployments') }}
    where service in (select service from names)
),

said as (
    select deployment_id, service, version as name, 0 as said_rank from deployments
    union all
    select deployment_id, service, commit_sha, 0 from deployments
    union all
    select deployment_id, service, {{ bare_version('version') }}, 3 from deployments
),

matched as (
    select
        said.deployment_id,
        {{ first_record(['said_rank + name_rank', 'position'], ['match_rank', 'position']) }} as best
    from said
    inner join names on said.service = names.service and said.name = names.name
    group by said.deployment_id
),

-- 0: the deployment before landed too, and what it shipped is not known.
placed as (
    select
        deployments.*,
        matched.best.position as position,
        last_value(case when deployments.is_landed then coalesce(matched.best.position, 0) end ignore nulls) over (
            partition by deployments.service, deployments.environment
            order by deployments.started_at, deployments.deployment_id
            rows between unbounded preceding and 1 preceding
        ) as landed_position
    from deployments
    left join matched on deployments.deployment_id = matched.deployment_id
),

final as (
    select
        deployment_id,
        service,
        environment,
        started_at,
        position,
        nullif(landed_position, 0) as previous_position
    from placed
    where position is not null
)

select * from final

with source_rows as (
    select * from {{ source('raw', 'deployments') }}
),

final as (
    select
        deployment_id,
        service,
        environment,
        started_at,
        finished_at,
        case when lower(status) <> 'running' then coalesce(finished_at, started_at) end as completed_at,
        lower(status) as status,
        commit_sha,
        version,
        lower(change_type) as change_type,
        nullif(rollback_of, deployment_id) as rollback_of,
        lower(strategy) as strategy,
        requested_by,
        approved_by,
        deployed_by,
        lines_changed,
        files_changed,
        commits,
        authors,
        bot_commits,
        coalesce(is_proxy, false) as is_proxy,
        _changed_id as changed_id
    from source_rows
)

select * from final

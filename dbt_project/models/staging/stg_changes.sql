with source_rows as (
    select * from {{ source('raw', 'changes') }}
),

final as (
    select
        change_id,
        service,
        commit_sha,
        deployment_id,
        authored_at,
        merged_at,
        author,
        lines_added,
        lines_deleted,
        files_changed,
        is_bot,
        is_revert,
        position,
        coalesce(reverts, []) as reverts,
        _load_id as load_id,
        _file as file,
        _line as line,
        _changed_id as changed_id
    from source_rows
)

select * from final

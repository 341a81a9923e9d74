with changes as (
    select * from {{ ref('stg_changes') }} {{ where_touched('int_touched_changes', ['change_id']) }}
),

ranked as (
    select
        *,
        min(authored_at) over latest_first as first_authored_at,
        row_number() over latest_first as place
    from changes
    window latest_first as (
        partition by change_id order by load_id desc, file desc, line desc, deployment_id
        rows between unbounded preceding and unbounded following
    )
),

final as (
    select
        change_id,
        service,
        commit_sha,
        author,
        first_authored_at as authored_at,
        merged_at,
        coalesce(merged_at, first_authored_at) as known_at,
        lines_added,
        lines_deleted,
        files_changed,
        is_bot,
        is_revert,
        reverts
    from ranked
    where place = 1
)

select * from final

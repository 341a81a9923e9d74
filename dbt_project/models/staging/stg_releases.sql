with source_rows as (
    select * from {{ source('raw', 'releases') }}
),

final as (
    select
        service,
        version,
        commit_sha,
        released_at,
        position,
        coalesce(lower(kind) <> 'commit', true) as is_release
    from source_rows
)

select * from final

with releases as (
    select * from {{ ref('stg_releases') }}
    where position is not null
),

names as (
    select service, version as name, 1 as name_rank, position from releases
    union all
    select service, commit_sha, 2, position from releases where commit_sha is not null
    union all
    select service, {{ bare_version('version') }}, 3, position from releases
),

best as (
    select service, name, {{ first_record(['name_rank', 'position']) }} as best
    from names
    group by service, name
),

final as (
    select service, name, best.name_rank, best.position
    from best
)

select * from final

{{ config(materialized='table', pre_hook="{{ keep_before() }}") }}

with releases as (
    select service, position, {{ first_record(['released_at', 'position', 'version']) }} as release
    from {{ ref('stg_releases') }}
    where is_release and position is not null
    group by service, position
),

changes as (
    select change_id, service, min(position) as position
    from {{ ref('stg_changes') }}
    where position is not null and service in (select service from releases)
    group by change_id, service
),

points as (
    select service, position, 0 as point_order, cast(null as varchar) as change_id, release from releases
    union all
    select service, position, 1, change_id, null from changes
),

held as (
    select
        change_id,
        min(release) over (
            partition by service order by position desc, point_order
            rows between unbounded preceding and current row
        ) as release
    from points
),

-- Of a change that several services name the first release of any.
firsts as (
    select change_id, min(release) as release
    from held
    where change_id is not null and release is not null
    group by change_id
),

final as (
    select change_id, release.version as first_release, release.released_at as first_released_at
    from firsts
)

select * from final

{{ config(materialized='table') }}

with positions as (
    select service, position, 1 as is_change from {{ ref('stg_changes') }} where position is not null
    union all
    select service, position, 0 from {{ ref('int_deployment_positions') }}
    union all
    select service, previous_position, 0 from {{ ref('int_deployment_positions') }} where previous_position is not null
),

named as (
    select service, position, max(is_change) as is_change
    from positions
    group by service, position
),

final as (
    select
        service,
        position,
        cast(sum(is_change) over (partition by service order by position) as bigint) as place,
        sum(is_change) over (partition by service) > 0 as has_changes
    from named
)

select * from final

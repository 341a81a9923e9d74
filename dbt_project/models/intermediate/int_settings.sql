{{ config(materialized='table') }}

with settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        max(case when name = 'attribution' then value end) as attribution,
        max(case when name = 'attribution_hours' then cast(value as double) end) as attribution_hours,
        max(case when name = 'occupancy_minutes' then cast(value as double) end) as occupancy_minutes,
        max(case when name = 'settle_days' then cast(value as double) end) as settle_days,
        max(case when name = 'built_load_id' then cast(value as bigint) end) as built_load_id
    from settings
)

select * from final

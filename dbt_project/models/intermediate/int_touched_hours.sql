{{ config(materialized='table') }}

with series as (
    select * from {{ ref('int_touched_series') }}
),

final as (
    select service, environment, date_trunc('hour', from_at) as from_at
    from series
)

select * from final

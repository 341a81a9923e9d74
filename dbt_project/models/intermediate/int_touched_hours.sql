{{ config(materialized='table') }}

with starts as (
    select service, environment, date_trunc('hour', from_at) as from_at from {{ ref('int_touched_series') }}
    {% if is_partial() %}
    union all
    -- Where a series turns out to have intervals of another length, all of them end elsewhere.
    select service, environment, cast('0001-01-01' as timestamp)
    from {{ differing('int_load_series', ['service', 'environment', 'interval_minutes']) }} as series
    {% endif %}
),

final as (
    select service, environment, min(from_at) as from_at
    from starts
    group by service, environment
)

select * from final

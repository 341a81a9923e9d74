with dates as (
    select {{ each_date('cast(first_at as date)', 'cast(newest_at as date)') }} as date
    from {{ ref('int_data_span') }}
),

final as (
    select
        date,
        {{ week_start('date') }} as week_at,
        extract(isodow from date) as iso_weekday,
        extract(isodow from date) >= 6 as is_weekend
    from dates
)

select * from final

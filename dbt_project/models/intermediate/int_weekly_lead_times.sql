with changes as (
    select * from {{ ref('fct_changes') }}
),

landed as (
    select
        service,
        environment,
        authored_at,
        coalesce(landed_at, environment_next_landed_at) as shipped_at
    from changes
),

final as (
    select
        service,
        environment,
        {{ week_start('shipped_at') }} as week_at,
        {{ median(hours_between('authored_at', 'shipped_at')) }} as lead_time_hours,
        count(*) as lead_times
    from landed
    where shipped_at >= authored_at {{ and_week_touched('shipped_at') }}
    group by service, environment, {{ week_start('shipped_at') }}
)

select * from final

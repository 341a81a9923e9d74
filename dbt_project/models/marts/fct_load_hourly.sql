with intervals as (
    select * from {{ ref('int_load_intervals') }}
),

hours as (
    select *, {{ each_hour('observed_at', 'ended_at') }} as hour_at
    from intervals
),

ends as (
    select *, {{ add_seconds('hour_at', 3600) }} as hour_ends_at
    from hours
),

pieces as (
    select
        *,
        {{ seconds_between('greatest(observed_at, hour_at)', 'least(ended_at, hour_ends_at)') }} as covered_seconds,
        {{ seconds_between('observed_at', 'ended_at') }} as interval_seconds
    from ends
),

-- Rounded, since the order in which fractions are added may differ from build to build.
final as (
    select
        service,
        environment,
        is_production,
        hour_at,
        round(sum(value * (covered_seconds / interval_seconds)) * 3600 / sum(covered_seconds), 6) as requests,
        interval_minutes,
        round(sum(covered_seconds) / 60, 6) as covered_minutes,
        max(greatest(ended_at, hour_ends_at)) as known_at
    from pieces
    group by service, environment, is_production, hour_at, interval_minutes
)

select * from final

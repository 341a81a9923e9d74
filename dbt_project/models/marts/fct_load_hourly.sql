{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget_from('int_touched_hours', 'hour_at') }}"
) }}

with intervals as (
    select intervals.*
    from {{ ref('int_load_intervals') }} as intervals
    {% if is_partial() %}
    inner join {{ ref('int_touched_hours') }} as touched
        on intervals.service = touched.service
        and intervals.environment = touched.environment
        and intervals.ended_at > touched.from_at
    {% endif %}
),

each_hour as (
    select *, {{ each_hour('observed_at', 'ended_at') }} as hour_at
    from intervals
),

-- An interval that reaches into the first touched hour has hours before it, which stand already.
hours as (
    select each_hour.*
    from each_hour
    {% if is_partial() %}
    inner join {{ ref('int_touched_hours') }} as touched
        on each_hour.service = touched.service
        and each_hour.environment = touched.environment
        and each_hour.hour_at >= touched.from_at
    {% endif %}
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
        min(interval_minutes) as interval_minutes,
        round(sum(covered_seconds) / 60, 6) as covered_minutes,
        case when bool_and(known_at is not null) then max(greatest(known_at, hour_ends_at)) end as known_at
    from pieces
    group by service, environment, is_production, hour_at
)

select * from final

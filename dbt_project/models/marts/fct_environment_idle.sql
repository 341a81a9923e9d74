with environments as (
    select * from {{ ref('int_environments') }}
),

-- Whatever lies between the starts of one hour is no spell of a day, so an hour's uses become one.
hours as (
    select
        usage.environment,
        min(usage.started_at) as started_at,
        max(coalesce(usage.ended_at, span.newest_at)) as ended_at
    from {{ ref('int_environment_usage') }} as usage
    cross join {{ ref('int_data_span') }} as span
    group by usage.environment, date_trunc('hour', usage.started_at)
),

edges as (
    select environment, started_at, ended_at from hours
    union all
    select environments.environment, span.newest_at, null
    from environments
    cross join {{ ref('int_data_span') }} as span
),

spells as (
    select
        environment,
        max(ended_at) over (
            partition by environment order by started_at, ended_at
            rows between unbounded preceding and 1 preceding
        ) as idle_from_at,
        started_at as idle_to_at
    from edges
),

lasting as (
    select *, {{ hours_between('idle_from_at', 'idle_to_at') }} as idle_hours
    from spells
),

final as (
    select
        lasting.environment,
        environments.is_production,
        lasting.idle_from_at,
        lasting.idle_to_at,
        lasting.idle_hours,
        lasting.idle_hours * environments.cost_per_hour as cost
    from lasting
    inner join environments on lasting.environment = environments.environment
    where lasting.idle_hours > 24
)

select * from final

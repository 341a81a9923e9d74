with observations as (
    select * from {{ ref('int_load_observations') }}
),

series as (
    select * from {{ ref('int_load_series') }}
),

measured as (
    select
        observations.*,
        coalesce(series.interval_minutes, 60) as interval_minutes
    from observations
    left join series
        on observations.service = series.service and observations.environment = series.environment
),

final as (
    select
        service,
        environment,
        is_production,
        observed_at,
        least(next_observed_at, {{ add_seconds('observed_at', 'interval_minutes * 60') }}) as ended_at,
        value,
        interval_minutes
    from measured
)

select * from final

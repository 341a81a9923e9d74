with observations as (
    select * from {{ ref('int_load_observations') }}
),

measured as (
    select
        *,
        {{ seconds_between('observed_at', 'next_observed_at') }} as gap_seconds
    from observations
),

-- The least of several instants leaves out those that are null.
final as (
    select
        service,
        environment,
        is_production,
        observed_at,
        least(next_observed_at, {{ add_seconds('observed_at', 'coalesce(usual_seconds, gap_seconds, 3600)') }}) as ended_at,
        least(
            {{ add_seconds('observed_at', 'usual_seconds') }}, {{ add_seconds('next_observed_at', 'gap_seconds') }}
        ) as known_at,
        value,
        coalesce(usual_seconds, gap_seconds, 3600) / 60 as interval_minutes
    from measured
)

select * from final

with observations as (
    select * from {{ ref('stg_load') }}
),

environments as (
    select environment, is_production from {{ ref('int_environments') }}
),

placed as (
    select
        observations.service,
        coalesce(observations.environment, 'production') as environment,
        coalesce(environments.is_production, true) as is_production,
        observations.observed_at,
        observations.value,
        observations.environment is not null as is_environment_given
    from observations
    left join environments on observations.environment = environments.environment
),

-- Of two rows for one interval, one with and one without the word "production", the outspoken one counts.
merged as (
    select
        service,
        environment,
        bool_or(is_production) as is_production,
        observed_at,
        coalesce(max(case when is_environment_given then value end), max(value)) as value
    from placed
    group by service, environment, observed_at
),

final as (
    select
        *,
        lead(observed_at) over (partition by service, environment order by observed_at) as next_observed_at
    from merged
)

select * from final

{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget_from('int_touched_series', 'observed_at') }}"
) }}

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
    left join environments on coalesce(observations.environment, 'production') = environments.environment
),

touched as (
    select placed.*
    from placed
    {% if is_partial() %}
    inner join {{ ref('int_touched_series') }} as touched
        on placed.service = touched.service
        and placed.environment = touched.environment
        and placed.observed_at >= touched.from_at
    {% endif %}
),

-- Of two rows for one interval, one with and one without the word "production", the outspoken one counts.
merged as (
    select
        service,
        environment,
        bool_or(is_production) as is_production,
        observed_at,
        coalesce(max(case when is_environment_given then value end), max(value)) as value
    from touched
    group by service, environment, observed_at
),

final as (
    select
        *,
        lead(observed_at) over (partition by service, environment order by observed_at) as next_observed_at
    from merged
)

select * from final

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
        and placed.observed_at >= touched.read_from_at
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

in_order as (
    select
        *,
        lead(observed_at) over series as next_observed_at,
        lag(observed_at, 1) over series as before_1,
        lag(observed_at, 2) over series as before_2,
        lag(observed_at, 3) over series as before_3,
        lag(observed_at, 4) over series as before_4,
        lag(observed_at, 5) over series as before_5
    from merged
    window series as (partition by service, environment order by observed_at)
),

final as (
    select
        in_order.service,
        in_order.environment,
        in_order.is_production,
        in_order.observed_at,
        in_order.value,
        in_order.next_observed_at,
        {{ lower_median_of([
            seconds_between('before_1', 'observed_at'),
            seconds_between('before_2', 'before_1'),
            seconds_between('before_3', 'before_2'),
            seconds_between('before_4', 'before_3'),
            seconds_between('before_5', 'before_4')
        ]) }} as usual_seconds
    from in_order
    {% if is_partial() %}
    -- What lies before the first touched row was read for its distances only, and stands already.
    inner join {{ ref('int_touched_series') }} as touched
        on in_order.service = touched.service
        and in_order.environment = touched.environment
        and in_order.observed_at >= touched.from_at
    {% endif %}
)

select * from final

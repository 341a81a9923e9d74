{{ config(materialized='table') }}

with changed as (
    select
        observations.service,
        coalesce(observations.environment, 'production') as environment,
        min(observations.observed_at) as first_at
    from {{ ref('stg_load') }} as observations
    cross join {{ ref('int_settings') }} as settings
    where observations.changed_id > settings.built_load_id
    group by observations.service, coalesce(observations.environment, 'production')
),

{% if is_partial() %}
starts as (
    select
        changed.service,
        changed.environment,
        coalesce(max(observations.observed_at), changed.first_at) as from_at,
        coalesce({{ earliest_of_latest('observations.observed_at', 6) }}, changed.first_at) as read_from_at
    from changed
    left join {{ named_before('int_load_observations') }} as observations
        on changed.service = observations.service
        and changed.environment = observations.environment
        and changed.first_at > observations.observed_at
    group by changed.service, changed.environment, changed.first_at
    union all
    select distinct
        observations.service,
        observations.environment,
        cast('0001-01-01' as timestamp),
        cast('0001-01-01' as timestamp)
    from {{ named_before('int_load_observations') }} as observations
    where observations.environment in (
        select environment from {{ differing('int_environments', ['environment', 'is_production']) }} as environments
    )
),
{% else %}
starts as (
    select service, environment, first_at as from_at, first_at as read_from_at from changed
),
{% endif %}

final as (
    select service, environment, min(from_at) as from_at, min(read_from_at) as read_from_at
    from starts
    group by service, environment
)

select * from final

{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook=["{{ keep_before() }}", "{{ forget('int_touched_series', ['service', 'environment']) }}"]
) }}

with observations as (
    select * from {{ ref('int_load_observations') }}
    {{ where_touched('int_touched_series', ['service', 'environment']) }}
),

gaps as (
    select
        service,
        environment,
        greatest(1, round({{ seconds_between('observed_at', 'next_observed_at') }})) as gap_seconds,
        count(*) as gaps
    from observations
    where next_observed_at is not null
    group by service, environment, gap_seconds
),

ranked as (
    select
        *,
        row_number() over (partition by service, environment order by gaps desc, gap_seconds) as place
    from gaps
),

final as (
    select service, environment, gap_seconds / 60 as interval_minutes
    from ranked
    where place = 1
)

select * from final

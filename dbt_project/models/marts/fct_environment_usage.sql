{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_usage', ['usage_id']) }}"
) }}

with usage as (
    select * from {{ ref('int_environment_usage') }} {{ where_touched('int_touched_usage', ['usage_id']) }}
),

final as (
    select
        usage_id,
        environment,
        is_production,
        source,
        service,
        used_by,
        started_at,
        ended_at,
        known_end_at
    from usage
)

select * from final

with usage as (
    select * from {{ ref('int_environment_usage') }}
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

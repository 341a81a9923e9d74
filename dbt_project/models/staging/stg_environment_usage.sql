with source_rows as (
    select * from {{ source('raw', 'environment_usage') }}
),

final as (
    select
        environment,
        started_at,
        ended_at,
        used_by,
        purpose,
        branch
    from source_rows
)

select * from final

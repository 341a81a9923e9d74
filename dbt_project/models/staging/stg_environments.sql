with source_rows as (
    select * from {{ source('raw', 'environments') }}
),

final as (
    select
        environment,
        lower(trim(kind)) as kind,
        cost_per_hour,
        capacity,
        region
    from source_rows
)

select * from final

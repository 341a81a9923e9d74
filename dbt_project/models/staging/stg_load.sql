with source_rows as (
    select * from {{ source('raw', 'load') }}
),

final as (
    select
        service,
        environment,
        observed_at,
        value
    from source_rows
)

select * from final

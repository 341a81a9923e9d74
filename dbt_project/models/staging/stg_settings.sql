with source_rows as (
    select * from {{ source('raw', '_settings') }}
),

final as (
    select
        name,
        value
    from source_rows
)

select * from final

with source_rows as (
    select * from {{ source('raw', '_facts') }}
),

final as (
    select distinct
        name,
        value
    from source_rows
)

select * from final

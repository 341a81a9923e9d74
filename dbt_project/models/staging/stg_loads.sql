with source_rows as (
    select * from {{ source('raw', '_loads') }}
),

final as (
    select
        load_id,
        loaded_at,
        source,
        file,
        table_name,
        read,
        inserted,
        updated,
        unchanged,
        merged,
        quarantined,
        refused
    from source_rows
)

select * from final

with source_rows as (
    select * from {{ source('raw', '_quarantine') }}
),

final as (
    select
        quarantine_id,
        load_id,
        table_name,
        file,
        line,
        column_name,
        rule,
        reason,
        quarantined_at
    from source_rows
)

select * from final

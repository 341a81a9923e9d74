with source_rows as (
    select * from {{ source('raw', 'load') }}
),

final as (
    select
        service,
        environment,
        observed_at,
        value,
        _changed_id as changed_id
    from source_rows
)

select * from final

with source_rows as (
    select * from {{ source('raw', 'holds') }}
),

final as (
    select
        service,
        environment,
        {{ adapter.quote("at") }} as switched_at,
        active as is_active,
        kind
    from source_rows
)

select * from final

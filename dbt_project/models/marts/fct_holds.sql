with holds as (
    select * from {{ ref('stg_holds') }}
),

final as (
    select
        service,
        environment,
        kind,
        is_active,
        switched_at,
        switched_at as known_at
    from holds
)

select * from final

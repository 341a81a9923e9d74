with source_rows as (
    select * from {{ source('raw', 'services') }}
),

final as (
    select
        service,
        team,
        business_zone,
        regions,
        tier,
        criticality,
        architecture,
        depends_on
    from source_rows
)

select * from final

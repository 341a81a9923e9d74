with final as (
    select * from {{ ref('stg_loads') }}
)

select * from final

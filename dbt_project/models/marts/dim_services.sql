with final as (
    select * from {{ ref('int_services') }}
)

select * from final

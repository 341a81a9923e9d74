with final as (
    select * from {{ ref('int_environments') }}
)

select * from final

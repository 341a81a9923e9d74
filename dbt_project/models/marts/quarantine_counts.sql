with refused as (
    select * from {{ ref('stg_quarantine') }}
),

final as (
    select table_name, file, rule, count(*) as rows
    from refused
    group by table_name, file, rule
)

select * from final

with source_rows as (
    select * from {{ source('raw', 'approvals') }}
),

final as (
    select
        approval_id,
        deployment_id,
        change_id,
        approver,
        lower(decision) as decision,
        requested_at,
        decided_at,
        role
    from source_rows
)

select * from final

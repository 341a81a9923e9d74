with approvals as (
    select * from {{ ref('stg_approvals') }}
),

final as (
    select
        approval_id,
        deployment_id,
        change_id,
        approver,
        decision,
        requested_at,
        decided_at,
        role,
        coalesce(requested_at, decided_at) as known_at
    from approvals
)

select * from final

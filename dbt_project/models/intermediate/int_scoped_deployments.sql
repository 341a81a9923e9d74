with deployments as (
    select * from {{ ref('int_deployments') }}
),

-- One scan of the deployments, each once or twice.
scoped as (
    select *, {{ each_number(1, "case when is_production then 2 else 1 end") }} as scope_number
    from deployments
),

final as (
    select
        deployment_id,
        service,
        case when scope_number = 1 then 'environment' else 'production' end as scope,
        case when scope_number = 1 then environment else 'production' end as place,
        started_at,
        completed_at,
        status in ('failed', 'cancelled') as is_unlanded,
        case when is_landed and rollback_of is null then completed_at end as landed_at
    from scoped
)

select * from final

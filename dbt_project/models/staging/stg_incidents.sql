with source_rows as (
    select * from {{ source('raw', 'incidents') }}
),

final as (
    select
        incident_id,
        service,
        environment,
        started_at,
        resolved_at,
        severity,
        deployment_id,
        _changed_id as changed_id
    from source_rows
)

select * from final

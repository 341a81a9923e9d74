with deployments as (
    select * from {{ ref('fct_deployments') }}
    where status in ('succeeded', 'rolled_back', 'failed') {{ and_week_touched('completed_at') }}
),

final as (
    select
        service,
        environment,
        {{ week_start('completed_at') }} as week_at,
        count(*) as deployments,
        count(case when is_landed then 1 end) as landed,
        count(failed_at) as failed,
        count(case when rolled_back_at is not null then 1 end) as rolled_back,
        count(case when change_type = 'emergency' or rollback_of is not null then 1 end) as rework
    from deployments
    group by service, environment, {{ week_start('completed_at') }}
)

select * from final

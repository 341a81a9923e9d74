with recoveries as (
    select * from {{ ref('int_recoveries') }}
    where recovered_at is not null {{ and_week_touched('completed_at') }}
),

final as (
    select
        service,
        environment,
        {{ week_start('completed_at') }} as week_at,
        {{ median(hours_between('began_at', 'recovered_at')) }} as recovery_hours,
        count(*) as recoveries
    from recoveries
    group by service, environment, {{ week_start('completed_at') }}
)

select * from final

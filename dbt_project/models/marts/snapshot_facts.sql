with settings as (
    select * from {{ ref('int_settings') }}
),

production_names as (
    select {{ sorted_list('value') }} as production_environments
    from {{ ref('stg_settings') }}
    where name = 'production_environments'
),

simulated as (
    select count(*) > 0 as is_simulated
    from {{ ref('stg_facts') }}
    where name = 'is_simulated' and lower(value) = 'true'
),

final as (
    select
        span.newest_at,
        cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as built_at,
        simulated.is_simulated,
        settings.settle_days,
        settings.attribution,
        settings.attribution_hours,
        settings.occupancy_minutes,
        production_names.production_environments
    from {{ ref('int_data_span') }} as span
    cross join settings
    cross join production_names
    cross join simulated
)

select * from final

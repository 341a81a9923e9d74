{{ config(materialized='table', pre_hook="{{ keep_before() }}") }}

with environments as (
    select * from {{ ref('stg_environments') }}
),

production_names as (
    select distinct lower(trim(value)) as production_name
    from {{ ref('stg_settings') }}
    where name = 'production_environments'
),

mentions as (
    select environment, cast(null as timestamp) as seen_at from environments
    union all
    select environment, min(started_at) from {{ ref('stg_deployments') }} group by environment
    union all
    select environment, min(started_at) from {{ ref('stg_incidents') }} group by environment
    union all
    select environment, min(observed_at) from {{ ref('stg_load') }} group by environment
    union all
    select environment, min(started_at) from {{ ref('stg_environment_usage') }} group by environment
    union all
    select environment, min(switched_at) from {{ ref('stg_holds') }} group by environment
),

named as (
    select environment, min(seen_at) as first_seen_at
    from mentions
    where environment is not null
    group by environment
),

final as (
    select
        named.environment,
        coalesce(
            environments.kind, case when production_names.production_name is not null then 'production' end
        ) as kind,
        coalesce(environments.kind = 'production', production_names.production_name is not null) as is_production,
        environments.cost_per_hour,
        environments.capacity,
        environments.region,
        case when environments.environment is null then named.first_seen_at end as first_seen_at
    from named
    left join environments on named.environment = environments.environment
    left join production_names on lower(trim(named.environment)) = production_names.production_name
)

select * from final

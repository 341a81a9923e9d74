{{ config(materialized='table', pre_hook="{{ keep_before() }}") }}

with services as (
    select * from {{ ref('stg_services') }}
),

mentions as (
    select service, cast(null as timestamp) as seen_at from services
    union all
    select service, min(started_at) from {{ ref('stg_deployments') }} group by service
    union all
    select service, min(started_at) from {{ ref('stg_incidents') }} group by service
    union all
    select service, min(coalesce(merged_at, authored_at)) from {{ ref('stg_changes') }} group by service
    union all
    select service, min(observed_at) from {{ ref('stg_load') }} group by service
    union all
    select service, min(switched_at) from {{ ref('stg_holds') }} group by service
),

named as (
    select service, min(seen_at) as first_seen_at
    from mentions
    group by service
),

final as (
    select
        named.service,
        services.team,
        services.business_zone,
        services.regions,
        services.tier,
        services.criticality,
        services.architecture,
        services.depends_on,
        case when services.service is null then named.first_seen_at end as first_seen_at
    from named
    left join services on named.service = services.service
)

select * from final

{{ config(materialized='table') }}

with carriers as (
    select positions.position, carriers.*
    from {{ ref('int_carriers') }} as carriers
    inner join {{ ref('int_deployment_positions') }} as positions
        on carriers.deployment_id = positions.deployment_id
),

by_position as (
    select
        service,
        environment,
        is_production,
        position,
        {{ first_landings() }}
    from carriers
    group by service, environment, is_production, position
),

-- A deployment carries whatever lies at its position or below: of the ones from there on up the first counts.
upwards as (
    select
        service,
        environment,
        is_production,
        position,
        min(landed) over at_or_above as landed,
        min(following) over at_or_above as following,
        min(environment_following) over at_or_above as environment_following
    from by_position
    window at_or_above as (
        partition by service, environment order by position desc
        rows between unbounded preceding and current row
    )
),

final as (
    select
        service,
        environment,
        is_production,
        position,
        landed.*,
        following.*,
        environment_following.*
    from upwards
)

select * from final

{{ config(materialized='table', pre_hook="{{ keep_before() }}") }}

with carriers as (
    select * from {{ ref('int_position_carriers') }}
),

changes as (
    select change_id, service, min(position) as position
    from {{ ref('stg_changes') }}
    where position is not null and service in (select service from carriers)
    group by change_id, service
),

firsts as (
    select service, environment, {{ first_record(['started_at', 'position']) }} as earliest
    from {{ ref('int_deployment_positions') }}
    group by service, environment
),

-- What the first known deployment held may have been there before it.
points as (
    select service, environment, position, 0 as point_order, cast(null as varchar) as change_id, position as carried
    from carriers
    union all
    select changes.service, firsts.environment, changes.position, 1, changes.change_id, null
    from changes
    inner join firsts on changes.service = firsts.service and changes.position > firsts.earliest.position
),

placed as (
    select
        *,
        last_value(carried ignore nulls) over (
            partition by service, environment order by position desc, point_order
            rows between unbounded preceding and current row
        ) as carrier_position
    from points
),

final as (
    select placed.change_id, carriers.environment, carriers.is_production, {{ landing_columns() }}
    from placed
    inner join carriers
        on placed.service = carriers.service
        and placed.environment = carriers.environment
        and placed.carrier_position = carriers.position
    where placed.change_id is not null
)

select * from final

{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_incidents', ['incident_id']) }}"
) }}

with incidents as (
    select * from {{ ref('int_incidents') }} {{ where_touched('int_touched_incidents', ['incident_id']) }}
),

window_attributions as (
    select * from {{ ref('int_window_attributions') }}
),

final as (
    select
        incidents.*,
        window_attributions.window_deployment_id,
        coalesce(
            incidents.named_deployment_id,
            case when settings.attribution = 'window' then window_attributions.window_deployment_id end
        ) as cause_deployment_id,
        case
            when incidents.named_deployment_id is not null then coalesce(incidents.resolved_at, incidents.started_at)
            when settings.attribution = 'window' and window_attributions.window_deployment_id is not null
                then incidents.started_at
        end as link_known_at
    from incidents
    left join window_attributions on incidents.incident_id = window_attributions.incident_id
    cross join {{ ref('int_settings') }} as settings
)

select * from final

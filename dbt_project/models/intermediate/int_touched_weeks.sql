{{ config(materialized='table') }}

with final as (
    select * from {{ ref('int_weeks_before') }}
    {% if is_partial() %}
    union
    select service, environment, {{ week_start('completed_at') }} as week_at
    from {{ ref('fct_deployments') }}
    where completed_at is not null {{ where_touched('int_touched_deployments', ['deployment_id'], 'and') }}
    union
    select service, environment, {{ week_start('coalesce(landed_at, environment_next_landed_at)') }}
    from {{ ref('fct_changes') }}
    where
        coalesce(landed_at, environment_next_landed_at) is not null
        {{ where_touched('int_touched_changes', ['change_id'], 'and') }}
    {% endif %}
)

select * from final

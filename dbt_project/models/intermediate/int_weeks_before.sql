{{ config(materialized='table') }}

with final as (
    {% if is_partial() %}
    select service, environment, {{ week_start('completed_at') }} as week_at
    from {{ named_before('fct_deployments') }}
    where completed_at is not null {{ where_touched('int_touched_deployments', ['deployment_id'], 'and') }}
    union
    select service, environment, {{ week_start('coalesce(landed_at, environment_next_landed_at)') }}
    from {{ named_before('fct_changes') }}
    where
        coalesce(landed_at, environment_next_landed_at) is not null
        {{ where_touched('int_touched_changes', ['change_id'], 'and') }}
    {% else %}
    select cast(null as varchar) as service, cast(null as varchar) as environment, cast(null as timestamp) as week_at
    limit 0
    {% endif %}
)

select * from final

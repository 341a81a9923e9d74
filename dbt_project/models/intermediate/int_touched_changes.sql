{{ config(materialized='table') }}

with changes as (
    select * from {{ ref('stg_changes') }}
),

final as (
    select changes.change_id
    from changes
    cross join {{ ref('int_settings') }} as settings
    where changes.changed_id > settings.built_load_id
    union
    select change_id from changes
    where deployment_id in (select deployment_id from {{ ref('int_touched_landings') }})
    union
    select change_id from changes
    where (service, commit_sha) in (select service, commit_sha from {{ ref('int_touched_commits') }})
    {% if is_partial() %}
    union
    select change_id from {{ differing('int_change_releases', ['change_id', 'first_release', 'first_released_at']) }} as releases
    union
    select change_id from {{ differing('int_position_landings', ['*']) }} as landings
    union
    select change_id from changes
    where service in (select service from {{ differing('int_services', ['service', 'team']) }} as services)
    {% endif %}
)

select * from final

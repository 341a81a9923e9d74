{{ config(
    materialized='incremental', incremental_strategy='append',
    pre_hook="{{ forget('int_touched_commits', ['service', 'commit_sha']) }}"
) }}

with carriers as (
    select * from {{ ref('int_carriers') }}
    where commit_sha is not null {{ where_touched('int_touched_commits', ['service', 'commit_sha'], 'and') }}
),

firsts as (
    select
        service,
        commit_sha,
        environment,
        is_production,
        {{ first_landings() }}
    from carriers
    group by service, commit_sha, environment, is_production
),

final as (
    select
        service,
        commit_sha,
        environment,
        is_production,
        landed.*,
        following.*,
        environment_following.*
    from firsts
)

select * from final

{#- A build is full, or partial: it then adds to what the last one left what loads since have changed. Which rows they may
    have changed, models named int_changed_... and int_touched_... say; a full build leaves those empty. -#}

{#- Whether this build is a partial one. Yes while dbt parses, so that it sees every reference. -#}
{% macro is_partial() -%}
    {{ return(not execute or (not flags.FULL_REFRESH and model.resource_type != 'unit_test')) }}
{%- endmacro %}

{#- In a partial build, a condition that keeps the rows whose columns one of the touched rows has. -#}
{% macro where_touched(touched, columns, conjunction='where') -%}
    {% if is_partial() -%}
        {{ conjunction }} ({{ columns | join(', ') }}) in (select {{ columns | join(', ') }} from {{ ref(touched) }})
    {%- endif %}
{%- endmacro %}

{#- In a partial build, a condition that keeps the rows whose instant lies in a touched week. -#}
{% macro and_week_touched(instant) -%}
    {% if is_partial() -%}
        and (service, environment, {{ week_start(instant) }})
            in (select service, environment, week_at from {{ ref('int_touched_weeks') }})
    {%- endif %}
{%- endmacro %}

{#- In a partial build, a condition that keeps the rows from the first touched instant of any series on. -#}
{% macro where_from(touched, instant) -%}
    {% if is_partial() -%}
        where {{ instant }} >= (select min(from_at) from {{ ref(touched) }})
    {%- endif %}
{%- endmacro %}

{#- Before a partial build adds to a table: takes the touched rows out of it. -#}
{% macro forget(touched, columns) -%}
    {% if is_partial() -%}
        delete from {{ this }} {{ where_touched(touched, columns) }}
    {%- endif %}
{%- endmacro %}

{#- The same of a series, whose rows are touched from an instant on. -#}
{% macro forget_from(touched, instant) -%}
    {% if is_partial() -%}
        delete from {{ this }} as rows_before using {{ ref(touched) }} as touched
        where rows_before.service = touched.service
            and rows_before.environment = touched.environment
            and rows_before.{{ instant }} >= touched.from_at
    {%- endif %}
{%- endmacro %}

{#- Before a partial build replaces a table: keeps it, so that one can ask what differs. -#}
{% macro keep_before() -%}
    {% if is_partial() -%}
        create or replace table {{ named_before(this.identifier ~ '_before') }} as select * from {{ this }}
    {%- endif %}
{%- endmacro %}

{#- A table as the last build left it; no reference, since it is read before the model of that name runs. -#}
{% macro named_before(name) -%}
    {%- set is_mart = name.startswith('fct_') or name.startswith('dim_') -%}
    {{ return(api.Relation.create(
        database='marts' if is_mart else target.database,
        schema='main' if is_mart else 'intermediate',
        identifier=name
    )) }}
{%- endmacro %}

{#- The rows, cut to some columns, that a table has now and had not before, or the other way round. -#}
{% macro differing(name, columns) -%}
    (
        (select {{ columns | join(', ') }} from {{ ref(name) }}
        except select {{ columns | join(', ') }} from {{ named_before(name ~ '_before') }})
        union all
        (select {{ columns | join(', ') }} from {{ named_before(name ~ '_before') }}
        except select {{ columns | join(', ') }} from {{ ref(name) }})
    )
{%- endmacro %}

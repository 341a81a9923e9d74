{#- How models become tables and views in DuckDB, which replaces either in one statement within a transaction. dbt's own
    way is to build beside the old, to rename twice and to drop. -#}

{% materialization view, adapter='duckdb' %}
    {{ return(replaced('view')) }}
{% endmaterialization %}

{% materialization table, adapter='duckdb' %}
    {{ return(replaced('table')) }}
{% endmaterialization %}

{#- Built whole in a full build; to be added to in a partial one, by a model that selects what is new alone. -#}
{% materialization incremental, adapter='duckdb' %}
    {{ return(made('table', replaces=should_full_refresh() or load_cached_relation(this) is none)) }}
{% endmaterialization %}

{% macro replaced(type) -%}
    {{ return(made(type, replaces=true)) }}
{%- endmacro %}

{% macro made(type, replaces) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {% if replaces %}create or replace {{ type }} {{ this }} as{% else %}insert into {{ this }} by name{% endif %} (
            {{ sql }}
        )
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [this.incorporate(type=type)]}) }}
{%- endmacro %}

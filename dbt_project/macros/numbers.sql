{#- One row per whole number from the one to the other, both included; none where the second is smaller. -#}
{% macro each_number(first, last) -%}
    {{ return(adapter.dispatch('each_number')(first, last)) }}
{%- endmacro %}

{% macro duckdb__each_number(first, last) -%}
    unnest(range({{ first }}, {{ last }} + 1))
{%- endmacro %}

{#- A version without the `v` that some write before its number. -#}
{% macro bare_version(version) -%}
    case when {{ version }} like 'v_%' then substring({{ version }}, 2) else {{ version }} end
{%- endmacro %}

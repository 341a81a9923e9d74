{#- The median; the mean of the middle two where their number is even. -#}
{% macro median(value) -%}
    {{ return(adapter.dispatch('median')(value)) }}
{%- endmacro %}

{% macro duckdb__median(value) -%}
    median({{ value }})
{%- endmacro %}

{#- The smallest of several rows, compared column by column, as one record with those columns; rows whose
    first column is null take no part. One record keeps an instant and the deployment it belongs to together.
    Columns that are expressions get `names`. -#}
{% macro first_record(columns, names=none) -%}
    {{ return(adapter.dispatch('first_record')(columns, names or columns)) }}
{%- endmacro %}

{% macro duckdb__first_record(columns, names) -%}
    min(struct_pack({% for column in columns %}{{ names[loop.index0] }} := {{ column }}{{ ', ' if not loop.last }}{% endfor %}))
        filter (where {{ columns[0] }} is not null)
{%- endmacro %}

{#- Of several expressions the median, nulls left out; of an even number the lower of the middle two. -#}
{% macro lower_median_of(values) -%}
    {{ return(adapter.dispatch('lower_median_of')(values)) }}
{%- endmacro %}

{% macro duckdb__lower_median_of(values) -%}
    list_aggregate([{{ values | join(', ') }}], 'quantile_disc', 0.5)
{%- endmacro %}

{#- The earliest of the latest so many values; of fewer, the earliest of all. -#}
{% macro earliest_of_latest(value, count) -%}
    {{ return(adapter.dispatch('earliest_of_latest')(value, count)) }}
{%- endmacro %}

{% macro duckdb__earliest_of_latest(value, count) -%}
    list_min(max({{ value }}, {{ count }}))
{%- endmacro %}

{#- All values in order; an empty list where there are none. -#}
{% macro sorted_list(value) -%}
    {{ return(adapter.dispatch('sorted_list')(value)) }}
{%- endmacro %}

{% macro duckdb__sorted_list(value) -%}
    coalesce(list({{ value }} order by {{ value }}) filter (where {{ value }} is not null), [])
{%- endmacro %}

{#- As many rows, or different values of `key`, as in another model: no join has lost or multiplied any. -#}
{% test keeps_all(model, of, key=none) %}
{%- set counted = 'count(distinct ' ~ key ~ ')' if key else 'count(*)' %}
select * from (
    select
        (select {{ counted }} from {{ model }}) as rows_here,
        (select {{ counted }} from {{ of }}) as rows_there
) as counts
where rows_here <> rows_there
{% endtest %}

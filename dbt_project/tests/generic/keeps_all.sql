{#- As many rows, or different values of `key`, as in another model: no join has lost or multiplied any. A partial build
    looks at the rows of the `touched` keys. -#}
{% test keeps_all(model, of, key=none, touched=none) %}
{%- set counted = 'count(distinct ' ~ key ~ ')' if key else 'count(*)' %}
{%- set chosen = where_touched(touched, [key]) if touched else '' %}
select * from (
    select
        (select {{ counted }} from {{ model }} {{ chosen }}) as rows_here,
        (select {{ counted }} from {{ of }} {{ chosen }}) as rows_there
) as counts
where rows_here <> rows_there
{% endtest %}

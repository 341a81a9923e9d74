{#- Every value of the column, unless null, is one of a column of another model. A partial build looks at the rows that are
    `touched`, by the columns `by`. -#}
{% test leads_to(model, column_name, to, field, touched, by) %}
with given as (
    select distinct {{ column_name }} as value
    from {{ model }}
    where {{ column_name }} is not null {{ where_touched(touched, by, 'and') }}
),

-- First the few that are asked for, of the many there are.
found as (
    select {{ field }} as value from {{ to }} where {{ field }} in (select value from given)
)

select value from given where value not in (select value from found)
{% endtest %}

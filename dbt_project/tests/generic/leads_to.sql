{#- Every value of the column, unless null, is one of a column of another model. A partial build looks at the rows that are
    `touched`, by the columns `by`. -#}
{% test leads_to(model, column_name, to, field, touched, by) %}
select {{ column_name }}
from {{ model }}
where
    {{ column_name }} is not null
    and {{ column_name }} not in (select {{ field }} from {{ to }})
    {{ where_touched(touched, by, 'and') }}
{% endtest %}

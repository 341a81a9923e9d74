{#- No two rows share their key and no part of it is null, except the columns named in `nullable`,
    in which one null equals another. -#}
{% test key(model, columns, nullable=[]) %}
select {{ columns | join(', ') }}, count(*) as rows_with_this_key
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{%- for column in columns if column not in nullable %} or {{ column }} is null{% endfor %}
{% endtest %}

{#- No two rows share their key and no part of it is null, except the columns named in `nullable`, in which one null equals
    another. A partial build looks at the rows that are `touched`, by the columns `by` (default: the key) or from the first
    touched instant `since` on; at none of a view that is only `passed_on`, since what is made of it is tested. -#}
{% test key(model, columns, nullable=[], touched=none, by=none, since=none, passed_on=false) %}
select {{ columns | join(', ') }}, count(*) as rows_with_this_key
from {{ model }}
{% if since %}{{ where_from(touched, since) }}{% elif touched %}{{ where_touched(touched, by or columns) }}{% endif %}
{% if passed_on and is_partial() %}where false{% endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{%- for column in columns if column not in nullable %} or {{ column }} is null{% endfor %}
{% endtest %}

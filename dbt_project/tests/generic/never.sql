{#- No row satisfies the condition. -#}
{% test never(model, condition) %}
select * from {{ model }} where {{ condition }}
{% endtest %}

{#- What is known of a carrier's landing, in the order in which its models name it. -#}
{% macro landing_columns() -%}
    landed_at, landed_deployment_id,
        next_landed_at, next_known_at, next_landed_deployment_id,
        environment_next_landed_at, environment_next_known_at, environment_next_landed_deployment_id
{%- endmacro %}

{#- Of a group of carriers: the first that landed, and the first landing after one that did not, as records. -#}
{% macro first_landings() -%}
    {{ first_record(['landed_at', 'landed_deployment_id']) }} as landed,
        {{ first_record(['next_landed_at', 'next_known_at', 'next_landed_deployment_id']) }} as following,
        {{ first_record([
            'environment_next_landed_at', 'environment_next_known_at', 'environment_next_landed_deployment_id'
        ]) }} as environment_following
{%- endmacro %}

{#- Seconds from one instant to another, with their fraction; negative where the second comes first. -#}
{% macro seconds_between(earlier, later) -%}
    {{ return(adapter.dispatch('seconds_between')(earlier, later)) }}
{%- endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
    (date_diff('microsecond', {{ earlier }}, {{ later }}) / 1e6)
{%- endmacro %}

{% macro hours_between(earlier, later) -%}
    ({{ seconds_between(earlier, later) }} / 3600)
{%- endmacro %}

{#- The instant so many seconds (a fraction, or negative) after another. -#}
{% macro add_seconds(instant, seconds) -%}
    {{ return(adapter.dispatch('add_seconds')(instant, seconds)) }}
{%- endmacro %}

{% macro duckdb__add_seconds(instant, seconds) -%}
    ({{ instant }} + to_microseconds(cast(round(({{ seconds }}) * 1e6) as bigint)))
{%- endmacro %}

{#- Midnight (UTC) of the Monday that begins an instant's ISO week. -#}
{% macro week_start(instant) -%}
    {{ return(adapter.dispatch('week_start')(instant)) }}
{%- endmacro %}

{% macro duckdb__week_start(instant) -%}
    cast(date_trunc('week', {{ instant }}) as timestamp)
{%- endmacro %}

{#- One row per hour that begins before `until_at` and ends after `from_at`. -#}
{% macro each_hour(from_at, until_at) -%}
    {{ return(adapter.dispatch('each_hour')(from_at, until_at)) }}
{%- endmacro %}

{% macro duckdb__each_hour(from_at, until_at) -%}
    unnest(range(date_trunc('hour', {{ from_at }}), {{ until_at }}, interval 1 hour))
{%- endmacro %}

{#- One row per date from the one to the other, both included; none where either is null. -#}
{% macro each_date(from_date, to_date) -%}
    {{ return(adapter.dispatch('each_date')(from_date, to_date)) }}
{%- endmacro %}

{% macro duckdb__each_date(from_date, to_date) -%}
    cast(unnest(generate_series(cast({{ from_date }} as timestamp), {{ to_date }}, interval 1 day)) as date)
{%- endmacro %}

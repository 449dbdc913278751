{% set fields = znuny_mapping('dynamic_fields') %}

with field_values as (
    {{ latest_landed(source('landing', 'znuny__dynamic_field_value'), ['id']) }}
),

fields as (
    {{ latest_landed(source('landing', 'znuny__dynamic_field'), ['id']) }}
),

named as (
    select
        field_values.id,
        field_values.object_id as ticket_id,
        case
            {% for role, name in fields.items() if name %}
            when fields.name = '{{ name }}' then '{{ role }}'
            {% endfor %}
            when true then 'none'
        end as role,
        field_values.value_text,
        field_values.value_int
    from field_values
    inner join fields on field_values.field_id = fields.id
),

-- Znuny writes a value anew when it changes; the old one may still be here until the next reconciliation.
ranked as (
    select
        *,
        row_number() over (partition by ticket_id, role order by id desc) as place
    from named
),

final as (
    select
        ticket_id,
        role,
        value_text,
        value_int,
        -- A checkbox is a number; a list may say it in words. Without either the ticket has no such flag.
        coalesce(value_int = 1, lower(value_text) in ('1', 'yes', 'true', 'y')) as is_set
    from ranked
    where place = 1 and role <> 'none'
)

select * from final

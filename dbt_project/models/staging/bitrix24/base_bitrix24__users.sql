-- Whoever has no department is no employee: guests of the extranet. What refers to them refers to nobody.
with users as (
    {{ latest_landed(source('landing', 'bitrix24__users'), ['ID']) }}
),

renamed as (
    select
        ID as user_id,
        -- The directory login is the key of an employee in every system; somebody without one is known here only.
        coalesce(XML_ID, concat('bitrix24-', ID)) as employee_key
    from users
    where regexp_matches(UF_DEPARTMENT, '[1-9]')
)

select * from renamed

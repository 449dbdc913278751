with users as (
    {{ latest_landed(source('landing', 'bitrix24__users'), ['ID']) }}
),

renamed as (
    select
        ID as user_id,
        -- The directory login is the key of an employee in every system; somebody without one is known here only.
        coalesce(XML_ID, concat('bitrix24-', ID)) as employee_key
    from users
)

select * from renamed

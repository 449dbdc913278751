with users as (
    {{ latest_landed(source('landing', 'znuny__users'), ['id']) }}
),

renamed as (
    select
        id as user_id,
        -- User 1 is the system itself: what it does, nobody of the staff does.
        case when id <> 1 then login end as employee_key
    from users
)

select * from renamed

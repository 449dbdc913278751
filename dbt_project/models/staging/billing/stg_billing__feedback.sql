with feedback as (
    select * from {{ source('landing', 'billing__cabinet_feedback') }}
),

renamed as (
    select
        feedback_no as feedback_key,
        customer_no as client_key,
        kind,
        score,
        is_public,
        ticket_id as ticket_key,
        employee_login as employee_key,
        submitted_at,
        answered_at,
        acted_on_at,
        modified_at as updated_at,
        _load_id,
        _row_number
    from feedback
)

select * from renamed

-- The newest version of each company only: a number that was corrected must not go on pointing to the company it was taken from.
with companies as (
    {{ latest_landed(source('landing', 'bitrix24__companies'), ['id']) }}
),

links as (
    select
        'billing' as source,
        billing_key as source_key,
        id as client_key,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from companies
    where billing_key is not null

    union all

    select
        'znuny' as source,
        helpdesk_key as source_key,
        id as client_key,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from companies
    where helpdesk_key is not null
)

select * from links

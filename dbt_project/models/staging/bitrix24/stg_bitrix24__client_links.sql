-- The newest version of each company only: a number that was corrected must not go on pointing to the company it was taken from.
with companies as (
    {{ latest_landed(source('landing', 'bitrix24__companies'), ['id']) }}
),

links as (
    select
        'billing' as source,
        UF_CRM_BILLING_NO as source_key,
        id as client_key,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from companies
    where UF_CRM_BILLING_NO is not null

    union all

    select
        'znuny' as source,
        UF_CRM_HELPDESK_NO as source_key,
        id as client_key,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from companies
    where UF_CRM_HELPDESK_NO is not null
)

select * from links

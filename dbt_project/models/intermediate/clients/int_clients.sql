with crm_clients as (
    select *
    from {{ ref('stg_canonical__clients') }}
    qualify row_number() over (partition by client_key order by updated_at desc nulls last, source asc) = 1
),

client_keys as (
    select distinct client_id from {{ ref('int_client_keys') }}
),

final as (
    select
        coalesce(crm_clients.client_key, client_keys.client_id) as client_id,
        crm_clients.name,
        {{ attribute_level('crm_clients.segment') }} as segment,
        {{ attribute_level('crm_clients.size_band') }} as size_band,
        {{ attribute_level('crm_clients.region') }} as region,
        {{ attribute_level('crm_clients.acquisition_channel') }} as acquisition_channel,
        coalesce(crm_clients.marketing_consent, false) as has_marketing_consent,
        crm_clients.client_key is not null as is_in_crm,
        crm_clients.closed_at,
        {{ local_date('crm_clients.closed_at') }} as closed_on
    from crm_clients
    full join client_keys on crm_clients.client_key = client_keys.client_id
    where
        {{ local_date('crm_clients.registered_at') }} < {{ as_of() }}
        or client_keys.client_id is not null
)

select * from final

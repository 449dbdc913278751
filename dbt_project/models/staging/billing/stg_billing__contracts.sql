with contracts as (
    select * from {{ source('landing', 'billing__contract') }}
),

renamed as (
    select
        contract_no as contract_key,
        customer_no as client_key,
        tariff as plan,
        price,
        currency,
        {{ coded('period', {'weekly': 'week', 'monthly': 'month', 'quarterly': 'quarter', 'yearly': 'year'}) }} as billing_period,
        valid_from as started_on,
        valid_to as ended_on,
        {{ coded('close_reason', {
            'client_request': 'request', 'debt': 'non_payment', 'company_decision': 'dismissed', 'term_over': 'expired'
        }) }} as end_reason,
        is_test as is_trial,
        modified_at as updated_at,
        _load_id,
        _row_number
    from contracts
)

select * from renamed

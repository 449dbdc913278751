with requests as (
    select * from {{ source('landing', 'bitrix24__termination_requests') }}
),

-- Only read where requests are a pipeline of deals without a field for their completion.
reached as (
    {{ bitrix24_stage_reached() }}
),

renamed as (
    select
        id as request_key,
        {{ bitrix24_reference('companyId') }} as client_key,
        {{ bitrix24_instant('requested_at') }} as requested_at,
        {{ coded('stageId', bitrix24_codes('termination_requests', 'outcome')) }} as outcome,
        case
            when completed_at is not null then {{ bitrix24_instant('completed_at') }}
            -- Where no field holds it: when the request came to the stage that is its outcome.
            when {{ coded('stageId', bitrix24_codes('termination_requests', 'outcome')) }} is not null
                then {{ bitrix24_instant('coalesce(moved_at, reached.reached_at)') }}
        end as completed_at,
        -- A flag that nobody touched comes empty and means no.
        coalesce({{ bitrix24_flag('bonus_offered') }}, 'false') as bonus_offered,
        obstacle,
        {{ bitrix24_instant('updatedTime') }} as updated_at,
        _load_id,
        _row_number
    from requests
    left join reached on requests.id = reached.deal_id and requests.stageId = reached.stage_id
)

select * from renamed

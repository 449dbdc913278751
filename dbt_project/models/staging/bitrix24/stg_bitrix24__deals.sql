with deals as (
    select * from {{ source('landing', 'bitrix24__deals') }}
),

users as (
    select * from {{ ref('base_bitrix24__users') }}
),

reached as (
    {{ bitrix24_stage_reached() }}
),

-- Stages of further pipelines are written C<number>:WON. Every stage that is not final is open, whatever a portal calls it.
staged as (
    select
        deals.*,
        case
            when deals.stageId = 'WON' or deals.stageId like 'C%:WON' then 'won'
            when deals.stageId in ('LOSE', 'APOLOGY') or deals.stageId like 'C%:LOSE' or deals.stageId like 'C%:APOLOGY' then 'lost'
            when deals.stageId is not null then 'open'
        end as stage
    from deals
    {% if bitrix24_mapping('pipelines') %}
    -- Pipelines that hold requests to leave or the like are no sales.
    where deals.categoryId is null or deals.categoryId not in ({{ quoted_list(bitrix24_mapping('pipelines') | map('string') | list) }})
    {% endif %}
),

final as (
    select
        staged.id as deal_key,
        {{ bitrix24_reference('staged.companyId') }} as client_key,
        users.employee_key,
        staged.stage,
        staged.opportunity as amount,
        staged.currencyId as currency,
        {{ bitrix24_instant('staged.createdTime') }} as created_at,
        -- While a deal is open this field holds the day on which it is hoped to close.
        case
            when staged.stage <> 'open'
                {% if (bitrix24_mapping('deals') or {}).get('closed_at') == 'stage_history' %}
                then coalesce({{ bitrix24_instant('reached.reached_at') }}, {{ bitrix24_instant('staged.closedate') }})
                {% else %}
                then {{ bitrix24_instant('staged.closedate') }}
                {% endif %}
        end as closed_at,
        {{ bitrix24_instant('staged.updatedTime') }} as updated_at,
        staged._load_id,
        staged._row_number
    from staged
    left join users on staged.assignedById = users.user_id
    left join reached on staged.id = reached.deal_id and staged.stageId = reached.stage_id
)

select * from final

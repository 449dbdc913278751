with landed as (
    select * from {{ source('landing', 'bitrix24__deals') }}
),

sales as (
    select id
    from ({{ latest_landed(source('landing', 'bitrix24__deals'), ['id']) }}) as newest
    {% if bitrix24_mapping('pipelines') %}
    -- Pipelines that hold requests to leave or the like are no sales; a deal may be moved into one.
    where categoryId is null or categoryId not in ({{ quoted_list(bitrix24_mapping('pipelines') | map('string') | list) }})
    {% endif %}
),

deals as (
    select landed.*
    from landed
    inner join sales on landed.id = sales.id
),

users as (
    select * from {{ ref('base_bitrix24__users') }}
),

reached as (
    {{ bitrix24_stage_reached() }}
),

closed as (
    select
        deals.*,
        -- While a deal is open its closing is a day that is hoped for. Known to the day only, it is not before a creation on that day.
        case
            when deals.stageSemanticId = 'P' then null
            {% if (bitrix24_mapping('deals') or {}).get('closed_at') == 'stage_history' -%}
            when reached.reached_at is not null then {{ bitrix24_instant('reached.reached_at') }}
            {% endif -%}
            when {{ bitrix24_day('deals.closedate') }} = {{ bitrix24_day('deals.createdTime') }}
                then {{ bitrix24_instant('deals.createdTime') }}
            else {{ bitrix24_day('deals.closedate') }}
        end as closed_at
    from deals
    left join reached on deals.id = reached.deal_id and deals.stageId = reached.stage_id
),

final as (
    select
        closed.id as deal_key,
        {{ bitrix24_reference('closed.companyId') }} as client_key,
        users.employee_key,
        -- Whatever a portal calls its stages, it says which of them end a deal, and how.
        {{ coded('closed.stageSemanticId', {'P': 'open', 'S': 'won', 'F': 'lost'}) }} as stage,
        closed.opportunity as amount,
        closed.currencyId as currency,
        -- Entered after it was closed, as old deals are that were imported: it was there when it closed, at the latest.
        case
            when substr(closed.closed_at, 1, 10) < {{ bitrix24_day('closed.createdTime') }} then closed.closed_at
            else {{ bitrix24_instant('closed.createdTime') }}
        end as created_at,
        closed.closed_at,
        {{ bitrix24_instant('closed.updatedTime') }} as updated_at,
        closed._load_id,
        closed._row_number
    from closed
    left join users on closed.assignedById = users.user_id
)

select * from final

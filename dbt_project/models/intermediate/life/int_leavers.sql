-- Who left for a reason before it was fixed and was not back by then: those to be told and invited.
with leavers as (
    select
        exits.client_id,
        exits.spell_number,
        exits.exit_type,
        exits.ended_on,
        exits.next_started_on,
        fixes.reason_code,
        fixes.fixed_on
    from {{ ref('int_reason_fixes') }} as fixes
    inner join {{ ref('int_exit_reasons') }} as reasons on fixes.reason_code = reasons.reason_code
    inner join {{ ref('int_exits') }} as exits
        on reasons.client_id = exits.client_id and reasons.spell_number = exits.spell_number
    where
        exits.ended_on <= fixes.fixed_on
        and (exits.next_started_on is null or exits.next_started_on >= fixes.fixed_on)
),

contacted as (
    select
        leavers.client_id,
        leavers.spell_number,
        bool_or(contacts.purpose = 'fix_notice') as is_told,
        bool_or(contacts.purpose = 'invitation') as is_invited
    from leavers
    inner join {{ ref('int_contacts') }} as contacts
        on
            leavers.client_id = contacts.client_id
            and contacts.is_outbound
            and leavers.fixed_on <= contacts.occurred_on
    group by all
),

final as (
    select
        leavers.*,
        coalesce(contacted.is_told, false) as is_told,
        coalesce(contacted.is_invited, false) as is_invited
    from leavers
    left join contacted
        on leavers.client_id = contacted.client_id and leavers.spell_number = contacted.spell_number
)

select * from final

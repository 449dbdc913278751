with covers as (
    {{ cut_covers(ref('int_paid_covers'), ref('int_cuts')) }}
),

final as (
    {{ number_spells('covers', ref('int_cuts')) }}
)

select * from final

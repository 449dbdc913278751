-- Who is the manager of a client on a day when assignments overlap: the one that began last, of two since the same day the lesser key.
with edges as (
    select
        client_id,
        valid_from as edge_on
    from {{ ref('int_manager_assignments') }}

    union

    select
        client_id,
        valid_to as edge_on
    from {{ ref('int_manager_assignments') }}
    where valid_to is not null
),

periods as (
    select
        client_id,
        edge_on as started_on,
        lead(edge_on) over (partition by client_id order by edge_on) as ended_on
    from edges
),

final as (
    select
        periods.client_id,
        periods.started_on,
        periods.ended_on,
        assignments.employee_id
    from periods
    inner join {{ ref('int_manager_assignments') }} as assignments
        on
            periods.client_id = assignments.client_id
            and periods.started_on >= assignments.valid_from
            and (assignments.valid_to is null or periods.started_on < assignments.valid_to)
    qualify row_number() over (
        partition by periods.client_id, periods.started_on
        order by assignments.valid_from desc, assignments.employee_id asc
    ) = 1
)

select * from final

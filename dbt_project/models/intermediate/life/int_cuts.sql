select * from {{ ref('int_absolute_cuts') }}

union all

select * from {{ ref('int_release_cuts') }}

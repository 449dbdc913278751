select distinct segment from {{ ref('int_clients') }}

union

select 'all' as segment

select
    linked_source,
    source_key,
    client_key
from {{ ref('stg_canonical__client_links') }}
qualify row_number() over (partition by linked_source, source_key order by updated_at desc nulls last, source asc, client_key asc) = 1

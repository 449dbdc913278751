-- Every release once per dimension of the return summary and the return curve.
{% set dimensions = {
    'all': "'all'",
    'handling': 'handling',
    'reason': 'reason_code',
    'segment': 'segment',
    'tenure_band': 'tenure_band',
    'refund': 'refund_decision',
} %}
{% for dimension, level in dimensions.items() %}
select
    '{{ dimension }}' as dimension,
    {{ level }} as level,
    client_id,
    spell_number,
    released_on,
    days_to_return,
    is_return_observed,
    observed_days
from {{ ref('int_releases') }}
{% if not loop.last %}union all{% endif %}
{% endfor %}

select
    signal,
    level,
    lower_bound,
    exposures,
    churned,
    churn_rate,
    reference_level,
    relative_risk,
    {% for bound, sign in [['ci_low', '-'], ['ci_high', '+']] %}
    case when log_variance is not null then exp(ln(relative_risk) {{ sign }} 1.959963984540054 * sqrt(log_variance)) end as {{ bound }},
    {% endfor %}
    is_small,
    {{ as_of() }} as as_of
from {{ ref('int_risk_weights') }}
where known_on = {{ as_of() }}

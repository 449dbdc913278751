{# Fails for a signal without a level to compare with, or with more than one. #}
{% test one_reference_per_signal(model) %}
select
    signal,
    count(case when is_reference then 1 end) as reference_levels
from {{ model }}
group by signal
having count(case when is_reference then 1 end) <> 1
{% endtest %}

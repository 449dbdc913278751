"""Builds the warehouse anew from the whole landing zone, as of a day and from a day of your choice.

**When:** by hand only (*Trigger* in the web UI asks for the dates). For a changed definition or seed, for looking
back ("what did we know on 1 March?"), or after an erasure.

It starts `build_warehouse` and waits for it, so that two builds never meet. What it publishes is what people see
until the next build; a build for another day than the data's own is replaced by the next hourly build, so pause
`build_warehouse` while you look. `retention rollback` brings the build before it back at once.

**When it fails:** look at the red task of the `build_warehouse` run that it started.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param
from wiring import START, tell_failure

PARAMS = {
    "as_of": Param(
        None, type=["null", "string"], format="date", description="Data counts up to the day before this one."
    ),
    "history_starts_on": Param(
        None, type=["null", "string"], format="date", description="Months before this day are left out."
    ),
}

with DAG(
    "rebuild_warehouse",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["build", "by hand"],
    params=PARAMS,
    render_template_as_native_obj=True,
    default_args={"on_failure_callback": tell_failure},
) as dag:
    TriggerDagRunOperator(
        task_id="build",
        trigger_dag_id="build_warehouse",
        conf={
            "as_of": "{{ params.as_of }}",
            "history_starts_on": "{{ params.history_starts_on }}",
            "force": True,
        },
        wait_for_completion=True,
        poke_interval=10,
    )

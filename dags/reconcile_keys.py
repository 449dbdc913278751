"""Compares the keys of every source table with what has landed, and lands what was deleted at the source.

**When:** every night at 03:30 company time. A cursor shows new and changed rows but never a deleted one; this does.
Rows that were committed too late for the cursor's overlap are found on the way. The next hourly build takes the
result in.

**When it fails:** each source is a task of its own and tries again by itself. A source that
answers that it has no rows at all, where many have landed, is refused: the error says what to check. Nothing is lost:
the next night compares everything again.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task
from wiring import PATIENT, START, enabled_sources, load_settings, settings_now, source_pool, tell_failure

with DAG(
    "reconcile_keys",
    schedule=CronTriggerTimetable("30 3 * * *", timezone=load_settings().company_timezone),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["extract", "deletes"],
    default_args={"on_failure_callback": tell_failure},
) as dag:

    @task(execution_timeout=timedelta(hours=6), **PATIENT)
    def reconcile(source: str) -> dict[str, int]:
        from airflow.sdk.exceptions import AirflowFailException

        from retention.extract import CursorMovedBackError, reconcile_source

        try:
            return {landed.entity: landed.deleted for landed in reconcile_source(settings_now(), source)}
        except CursorMovedBackError as error:
            # The rows have landed: a second attempt would find nothing, and nobody would be told.
            raise AirflowFailException(str(error)) from None

    for name in enabled_sources():
        reconcile.override(task_id=f"reconcile_{name}", pool=source_pool(name))(name)

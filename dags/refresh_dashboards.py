"""Brings the dashboards in Superset to the state of `dashboards/`: databases, datasets, charts, dashboards, roles.

**When:** after each published build (asset `warehouse`): marts may have got new columns. By hand after a change of
`dashboards/`. The numbers themselves need no refresh: Superset reads the published file afresh with every query.

**When it fails:** the dashboards stay as they were and go on showing the published build. It tries again by itself,
as Superset may only be restarting. *Login refused*: `RETENTION_SUPERSET_USER` and `RETENTION_SUPERSET_PASSWORD`.
*Refused asset*: the error names the YAML file.
"""

from datetime import timedelta

from airflow.sdk import DAG, task
from wiring import START, WAREHOUSE, settings_now, tell_failure

with DAG(
    "refresh_dashboards",
    schedule=[WAREHOUSE],
    start_date=START,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dashboards"],
    default_args={"on_failure_callback": tell_failure},
) as dag:

    @task(retries=5, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(minutes=15))
    def push() -> None:
        from retention import dashboards

        for line in dashboards.push(settings_now()):
            print(line)

    push()

"""Builds the warehouse from all that has landed, checks it, and publishes it whole or not at all.

**When:** after every enabled source has landed something new since the last time (all of the `landed_…` assets).
Where nothing new has come with that, or a source has never landed yet, `decide` skips the rest. Emits the asset
`warehouse`.

**Stages:** decide → expectations on the landing zone → dbt: seeds, staging, intermediate, marts → expectations on the
marts → publish. All of them write one private file, so they take turns in the pool `warehouse_writer` (one slot).

**When it fails:** readers keep the last good build; there is no hurry. The red task says why: a gate names the table,
what was expected, how many rows break it and five of their keys (expectations/README.md says what to do about each);
dbt names the failed model and its message. Put the cause right and clear the run *from `decide` on*: a build is
always made anew from the landing zone. Not retried by itself, as the same data would fail the same way.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param, chain, task
from wiring import START, WAREHOUSE, WRITER_POOL, enabled_sources, landed, settings_now, tell_failure

PARAMS = {
    "as_of": Param(
        None, type=["null", "string"], format="date", description="Clock of the build; empty: from the data."
    ),
    "history_starts_on": Param(None, type=["null", "string"], format="date", description="First day of history."),
    "force": Param(False, type="boolean", description="Build even if nothing new has landed."),
}

with DAG(
    "build_warehouse",
    schedule=[landed(source) for source in enabled_sources()],
    start_date=START,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["build", "publish"],
    params=PARAMS,
    default_args={
        "pool": WRITER_POOL,
        "retries": 0,
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": tell_failure,
    },
) as dag:

    def _settings(params: dict):
        settings = settings_now(as_of=params["as_of"])
        if params["history_starts_on"]:
            settings.vars["history_starts_on"] = params["history_starts_on"]
        return settings

    @task
    def decide(params: dict) -> str:
        """Skip the rest when there is nothing to build; else make a fresh private build and return its id."""
        from airflow.sdk.exceptions import AirflowSkipException

        from retention import build, landing, publish

        settings = _settings(params)
        waiting = [source for source in settings.sources if landing.complete_until(settings, source) is None]
        if waiting:
            raise AirflowSkipException(f"not every source has landed yet, waiting for: {', '.join(waiting)}")
        as_of = build.resolve_as_of(settings)
        same = publish.unchanged_since(settings, build.fingerprint(settings, as_of))
        if same and not params["force"]:
            raise AirflowSkipException(f"nothing new has landed since build {same.build_id}")
        return build.prepare(settings, as_of).build_id

    @task
    def check_landing(build_id: str, params: dict) -> None:
        from retention import quality

        quality.check_landing(_settings(params), build_id)

    @task
    def dbt(stage: str, build_id: str, params: dict) -> None:
        from retention import build

        build.run_dbt(_settings(params), stage, build_id)

    @task
    def check_marts(build_id: str, params: dict) -> None:
        from retention import quality

        quality.check_marts(_settings(params), build_id)

    @task(outlets=[WAREHOUSE])
    def publish_build(build_id: str, params: dict) -> str:
        from retention import publish

        return publish.publish(_settings(params), build_id).build_id

    build_id = decide()
    chain(
        check_landing(build_id),
        *(dbt.override(task_id=f"dbt_{name}")(name, build_id) for name in ("seed", "staging", "intermediate", "marts")),
        check_marts(build_id),
        publish_build.override(task_id="publish")(build_id),
    )

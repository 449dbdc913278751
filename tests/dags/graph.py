"""Reads the DAG folder as Airflow does and describes it as plain data. Run as a program, in a process of its own.

    python tests/dags/graph.py dags            the graph of every DAG, as JSON
    python tests/dags/graph.py dags --imports  modules that reading the DAG files has brought in

`python tests/dags/graph.py dags > tests/dags/graph.json` accepts a changed graph.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from airflow.sdk import DAG


def load(folder: Path) -> list[DAG]:
    """Import every DAG file of a folder; an error in one is an error here. Raises ValueError when there is no DAG."""
    sys.path.insert(0, str(folder))
    dags = []
    for path in sorted(folder.glob("*.py")):
        if path.name == "wiring.py":
            continue
        spec = importlib.util.spec_from_file_location(f"dag_file_{path.stem}", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        dags += [value for value in vars(module).values() if isinstance(value, DAG)]
    if not dags:
        raise ValueError(f"no DAG in {folder}")
    return dags


def describe(dag: DAG) -> dict[str, Any]:
    """What matters of a DAG: when it runs, on what it waits, who writes, who is retried."""
    condition = getattr(dag.timetable, "asset_condition", None)
    assets = sorted(asset.name for asset in condition.objects) if condition else []
    cron = getattr(dag.timetable, "expression", None)
    return {
        "schedule": f"after all of {', '.join(assets)}" if assets else cron or "by hand",
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "tags": sorted(dag.tags),
        "params": sorted(dag.params),
        "documented": bool(dag.doc_md and "**When it fails:**" in dag.doc_md),
        "tasks": {
            task.task_id: {
                "after": sorted(task.upstream_task_ids),
                "pool": task.pool,
                "retries": task.retries,
                "backs_off": bool(task.retry_exponential_backoff),
                "emits": sorted(asset.name for asset in task.outlets),
                "tells_of_failure": bool(task.on_failure_callback),
                "limited": task.execution_timeout is not None,
            }
            for task in dag.tasks
        },
    }


def main() -> None:
    before = set(sys.modules)
    dags = load(Path(sys.argv[1]).resolve())
    if "--imports" in sys.argv:
        print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
    else:
        print(json.dumps({dag.dag_id: describe(dag) for dag in dags}, indent=2, sort_keys=True))


if __name__ == "__main__":
    main()

"""Lands what changed in a database that a mapping file added (`sources/<source>.yml`): one DAG for each of them.

**When:** every hour, for every enabled source that has no DAG file of its own. Emits the asset `landed_<source>`.

**When it fails:** it tries again four times within half an hour by itself. The task's error names the line of the
mapping file and what the database said of it, or that the database does not answer: check `RETENTION_<SOURCE>_URL` (or
the Airflow Connection `retention_<source>`). `retention check --source <source>` says the same without Airflow.
Nothing is lost meanwhile: the next run goes on where the last good one ended.
"""

from wiring import OWN_POOLS, enabled_sources, extraction

for source in enabled_sources():
    if source not in OWN_POOLS:
        globals()[f"extract_{source}"] = extraction(source, source, __doc__)  # an Airflow DAG

"""Lands the files of `RETENTION_FILES_DIR` that changed: one CSV or Parquet file per canonical entity.

**When:** every hour, and only where `files` is one of `RETENTION_SOURCES`. Emits the asset `landed_files`.

**When it fails:** the task's error names the file, the entity and the column that is missing, or the file that cannot
be read. Put the whole file back; a file is landed whole each time it changes, so nothing else is to be done.
"""

from wiring import extraction

dag = extraction("files", "files", __doc__)  # an Airflow DAG

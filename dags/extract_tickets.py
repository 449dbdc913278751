"""Lands what changed in the help-desk (Znuny): tickets, their events and the times of messages, never their texts.

**When:** every hour. Emits the asset `landed_znuny`.

**When it fails:** it tries again four times within half an hour by itself. The task's error names the table and
column, or says that the database does not answer: check `RETENTION_ZNUNY_URL` (or the Airflow Connection
`retention_znuny`). Times that are off by whole hours: `RETENTION_ZNUNY_TIMEZONE` is not the zone in which this Znuny
stores its timestamps. Nothing is lost meanwhile: the next run goes on where the last good one ended.
"""

from wiring import extraction

dag = extraction("znuny", "tickets", __doc__)  # an Airflow DAG

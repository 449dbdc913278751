"""Lands what changed in Bitrix24: clients, deals, employees, contacts, requests to leave and how they ended.

**When:** every hour. Emits the asset `landed_bitrix24`.

**When it fails:** it tries again four times within half an hour by itself. The task's error names the table and what
Bitrix24 answered. `expired_token` or `NO_AUTH_FOUND`: make a new inbound webhook and put it into
`RETENTION_BITRIX24_URL` (or the Airflow Connection `retention_bitrix24`). A missing column: a user field was removed
or renamed in Bitrix24. Nothing is lost meanwhile: the next run goes on where the last good one ended.
"""

from wiring import extraction

dag = extraction("bitrix24", "crm", __doc__)  # an Airflow DAG

"""Lands what changed in the billing database: contracts, prepaid use, invoices, payments, refunds, feedback.

**When:** every hour. Emits the asset `landed_billing`.

**When it fails:** it tries again four times within half an hour by itself. The task's error names the table and
column, or says that the database does not answer: check `RETENTION_BILLING_URL` (or the Airflow Connection
`retention_billing`) and that its role may still select. Nothing is lost meanwhile: the next run goes on where the
last good one ended.
"""

from wiring import extraction

dag = extraction("billing", "billing", __doc__)  # an Airflow DAG

"""What the DAG files share: assets, the pool, retries, and how a failure is told.

Nothing heavy is imported at the top: the DAG files are read again every few seconds. The work itself is in
`retention/`, which knows nothing of Airflow, and is imported inside the tasks.
"""

import html
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Context, Param, task

from retention.settings import Settings, load_settings

WRITER_POOL = "warehouse_writer"  # the pools are made from pools.json
START = datetime(2024, 1, 1, tzinfo=UTC)
OWN_POOLS = ("bitrix24", "billing", "znuny", "files")

WAREHOUSE = Asset("warehouse")

# A source system may be away for a moment: try again with growing pauses, for half an hour in all.
PATIENT = {
    "retries": 4,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
}

# What *Trigger* asks of an extraction that is started by hand.
REREAD_PARAMS = {
    "from": Param(None, type=["null", "string"], format="date", description="Read again from this day on."),
    "until": Param(None, type=["null", "string"], format="date", description="Read again what lies before this day."),
    "full": Param(False, type="boolean", description="Read everything again, and find what was deleted."),
}
READ_AGAIN = """
**To read something again** (a mistake in a mapping, rows that were repaired at the source): *Trigger* asks for a range
of days or for everything. Rows equal to what has landed are not landed twice.
"""


def enabled_sources() -> list[str]:
    """The sources this installation reads: they decide which DAGs exist and what a build waits for."""
    return load_settings().sources


def landed(source: str) -> Asset:
    """One asset per source system: "what has landed from it"."""
    return Asset(f"landed_{source}")


def source_pool(source: str) -> str:
    """One slot per source system: extraction and reconciliation of the same system take turns.

    Sources that came by a mapping file share the pool `source_sql`.
    """
    return f"source_{source if source in OWN_POOLS else 'sql'}"


def settings_now(**overrides: Any) -> Settings:
    """The settings at run time of a task: the environment and the home's file, Airflow Connections on top.

    An administrator may rather keep the address of a source as an Airflow Connection `retention_<source>`; it wins when
    it exists.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    for source in enabled_sources():
        try:
            connection = Connection.get(f"retention_{source}")
        except AirflowNotFoundException:
            continue
        overrides.setdefault(f"{source}_url", _url(connection))
    return load_settings(**overrides)


def extraction(source: str, system: str, text: str) -> DAG | None:
    """The hourly DAG that lands what one system changed; None when the installation does not read that system."""
    if source not in enabled_sources():
        return None

    with DAG(
        f"extract_{system}",
        schedule="@hourly",
        start_date=START,
        catchup=False,
        max_active_runs=1,
        doc_md=f"{text}\n{READ_AGAIN}",
        tags=["extract", source],
        params=REREAD_PARAMS,
        default_args={"on_failure_callback": tell_failure},
    ) as dag:

        @task(outlets=[landed(source)], pool=source_pool(source), execution_timeout=timedelta(hours=6), **PATIENT)
        def extract(params: dict) -> dict[str, int]:
            from retention.extract import Reread, extract_source

            first, end = (date.fromisoformat(params[name]) if params[name] else None for name in ("from", "until"))
            if params["full"] and (first or end):
                raise ValueError("give either full or a range of days (from, until): full reads everything again")
            reread = Reread(first, end) if first or end or params["full"] else None
            return {landed.entity: landed.rows for landed in extract_source(settings_now(), source, reread=reread)}

        extract()
    return dag


def tell_failure(context: Context) -> None:
    """Tell the people of the setting `notify` that a task failed for good, and why.

    A channel that does not work is logged and does not keep the others from being used.
    """
    instance = context["task_instance"]
    reason = str(context.get("exception") or context.get("reason") or "no reason was given; see its log")
    subject = f"{instance.dag_id}: {instance.task_id} failed"
    body = f"{reason[:3000]}\nRun {context['run_id']}: {instance.log_url}"
    for channel in load_settings().notify:
        try:
            _tell(channel, subject, body, context)
        except Exception as error:
            print(f"the failure could not be told by {channel.partition(':')[0]}: {type(error).__name__}")


def _tell(channel: str, subject: str, body: str, context: Context) -> None:
    kind, _, address = channel.partition(":")
    # The texts are templates to Airflow: braces that came with an error message must not be run as one.
    plain_subject, plain_body = (text.replace("{", "(").replace("}", ")") for text in (subject, body))
    match kind:
        case "email":
            from airflow.providers.smtp.notifications.smtp import SmtpNotifier

            content = f"<pre>{html.escape(plain_body)}</pre>"
            SmtpNotifier(to=address, subject=plain_subject, html_content=content)(context)
        case "slack":
            from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

            SlackWebhookNotifier(text=f"*{plain_subject}*\n{plain_body}")(context)
        case "telegram":
            from airflow.providers.telegram.hooks.telegram import TelegramHook

            text = f"<b>{html.escape(subject)}</b>\n{html.escape(body)}"
            TelegramHook(chat_id=address or None).send_message({"text": text})
        case _:
            raise ValueError(f"unknown channel {kind}")


def _url(connection: Any) -> str:
    url = connection.get_uri()
    # Airflow writes the type as its own name for it; an HTTP connection carries the real scheme inside.
    if url.startswith("postgres://"):
        return "postgresql://" + url.removeprefix("postgres://")
    if connection.conn_type == "http" and connection.host:
        return connection.host if "://" in connection.host else f"https://{connection.host}"
    return url

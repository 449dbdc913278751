"""Harm prevented: a failed gate that nobody hears of, or a message that cannot be sent and hides the failure itself."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def wiring(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("RETENTION_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "dags"))
    monkeypatch.delitem(sys.modules, "wiring", raising=False)
    import wiring

    return wiring


@pytest.fixture
def context():
    task = SimpleNamespace(dag_id="build_warehouse", task_id="check_marts", log_url="http://127.0.0.1/log")
    return {"task_instance": task, "run_id": "run", "exception": ValueError("3 rows <do not> fit {{ boom }}")}


def test_each_channel_gets_the_task_and_the_reason(wiring, context, monkeypatch):
    sent = []
    monkeypatch.setattr(wiring, "_tell", lambda *said: sent.append(said[:3]))
    monkeypatch.setenv("RETENTION_NOTIFY", "email:ops@example.org,telegram:42")
    wiring.tell_failure(context)
    assert [channel for channel, _, _ in sent] == ["email:ops@example.org", "telegram:42"]
    assert all("check_marts" in subject and "3 rows" in body for _, subject, body in sent)


def test_a_channel_that_does_not_work_does_not_silence_the_next(wiring, context, monkeypatch, capsys):
    sent = []

    def tell(channel, *_):
        if channel == "slack":
            raise ConnectionError("secret-token")
        sent.append(channel)

    monkeypatch.setattr(wiring, "_tell", tell)
    monkeypatch.setenv("RETENTION_NOTIFY", "slack,telegram:42")
    wiring.tell_failure(context)
    assert sent == ["telegram:42"]
    said = capsys.readouterr().out
    assert "slack" in said
    assert "secret-token" not in said


def test_braces_of_an_error_message_are_not_run_as_a_template(wiring, context, monkeypatch):
    seen = {}

    class Notifier:
        def __init__(self, **arguments):
            seen.update(arguments)

        def __call__(self, context):
            seen["sent"] = True

    monkeypatch.setattr("airflow.providers.smtp.notifications.smtp.SmtpNotifier", Notifier)
    wiring._tell("email:ops@example.org", "subject", "3 rows <do not> fit {{ boom }}", context)
    assert seen["sent"]
    assert "{{" not in seen["html_content"]
    assert "&lt;do not&gt;" in seen["html_content"]


def test_nobody_is_told_where_nobody_is_named(wiring, context, monkeypatch):
    monkeypatch.setattr(wiring, "_tell", lambda *_: pytest.fail("nobody asked for this"))
    wiring.tell_failure(context)


def test_a_channel_that_does_not_exist_is_refused_when_the_settings_are_read(wiring, monkeypatch):
    monkeypatch.setenv("RETENTION_NOTIFY", "pigeon")
    with pytest.raises(ValueError, match="pigeon"):
        wiring.enabled_sources()

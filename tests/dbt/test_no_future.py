"""Harm prevented: a back-test that has seen the future, and promises leadership a list that nobody could have made.

The score that the warehouse gives a client for a past quarter must be the score that it gave on that very day, when
the future had not happened. Leaks are built in on purpose, one at a time, and each must be noticed.
"""

import csv
import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from retention import build, pipeline
from retention.settings import Settings, load_settings

THEN = (date(2023, 4, 1), date(2023, 10, 1))
NOW = date(2024, 4, 1)

Scores = dict[str, float]
Tables = dict[str, list[dict[str, object]]]


def company() -> Tables:
    """200 clients over two years: half of them leave, most of these after a complaint, a fee or a late answer."""
    rng = random.Random(20240401)
    tables: Tables = {
        name: [] for name in ("clients", "contracts", "feedback", "invoices", "invoice_lines", "tickets", "messages")
    }

    def at(day: date, hour: int) -> str:
        return f"{day}T{hour:02d}:00:00"

    def experience(client: str, kind: str, day: date) -> None:
        number = f"{client}-{kind}-{day}"
        if kind == "complaint":
            tables["feedback"].append(
                {"feedback_key": number, "client_key": client, "kind": "complaint", "score": "", "is_public": "false"}
                | {"submitted_at": at(day, 12)}
            )
        elif kind == "fee":
            tables["invoices"].append(
                {
                    "invoice_key": number,
                    "client_key": client,
                    "issued_at": at(day, 12),
                    "due_at": at(day, 18),
                    "total": 5,
                }
            )
            tables["invoice_lines"].append({"invoice_key": number, "line_no": 1, "kind": "fee", "amount": 5})
        else:
            tables["tickets"].append(
                {"ticket_key": number, "client_key": client, "queue": "help", "sla_class": "ours"}
                | {"opened_at": at(day, 10), "opened_by": "client"}
            )
            # An answer that comes weeks later, often in the next quarter.
            answered_on = day + timedelta(days=rng.randrange(1, 60))
            for author, moment in (("client", at(day, 10)), ("employee", at(answered_on, 12))):
                tables["messages"].append(
                    {"message_key": f"{number}-{author}", "ticket_key": number, "author": author, "sent_at": moment}
                )

    for number in range(200):
        client = f"client {number:03d}"
        started_on = date(2022, 1, 1) + timedelta(days=rng.randrange(0, 500))
        leaves = rng.random() < 0.5
        ended_on = started_on + timedelta(days=rng.randrange(60, 600)) if leaves else None
        tables["clients"].append({"client_key": client, "name": client, "registered_at": started_on})
        tables["contracts"].append(
            {"contract_key": client, "client_key": client, "plan": "basic", "price": 100, "billing_period": "month"}
            | {"started_on": started_on, "ended_on": ended_on or "", "end_reason": "", "is_trial": "false"}
        )
        days = (min(ended_on or NOW, NOW) - started_on).days
        for kind in ("complaint", "fee", "late answer"):
            for _ in range(days // 200):
                experience(client, kind, started_on + timedelta(days=rng.randrange(0, days)))
            if ended_on and rng.random() < 0.6:
                experience(client, kind, ended_on - timedelta(days=rng.randrange(1, 100)))
    return tables


def write(folder: Path, tables: Tables) -> None:
    folder.mkdir()
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def scores(settings: Settings, day: date) -> Scores:
    """Client → its score on a day, made from what was known on that day."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        rows = connection.execute(
            "select client_id, score from intermediate.int_risk_scores where known_on = ? and observed_on = ?",
            [day, day],
        ).fetchall()
    return dict(rows)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[date, Scores]]:
    """The company's settings with the build of today, and the scores that each past quarter's own build gave."""
    folder = tmp_path_factory.mktemp("no_future")
    write(folder / "files", company())
    settings = load_settings(folder / "home", sources=["files"], files_dir=folder / "files")
    pipeline.extract(settings, ["files"], lambda line: None)
    given = {}
    for day in (*THEN, NOW):
        build.prepare(settings, day)
        run_dbt(settings, "+path:models/intermediate/risk")
        given[day] = scores(settings, day)
    return settings, given


def run_dbt(settings: Settings, selection: str) -> None:
    """Builds a part of the project: the scores need no marts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(build.STAGES, "part", ["--select", selection])
        build.run_dbt(settings, "part")


def differences(settings: Settings, given: dict[date, Scores]) -> list[str]:
    """What the build of today says otherwise than the builds of the past quarters did."""
    report = []
    for day in THEN:
        now, then = scores(settings, day), given[day]
        report += [
            f"{day}: {client} then {then.get(client)}, now {now.get(client)}"
            for client in now | then
            if now.get(client) != then.get(client)
        ]
    return report


def test_the_back_test_gives_the_scores_that_were_given_at_the_time(lived: tuple[Settings, dict[date, Scores]]) -> None:
    settings, given = lived
    assert differences(settings, given) == []
    for day in THEN:
        assert len(given[day]) > 80
        assert len(set(given[day].values())) > 5, "all clients alike: nothing could have been noticed"


LEAKS = {
    "weights from outcomes that were not over": (
        "int_risk_weights",
        "levels.outcome_known_on <= known_days.known_on",
        "levels.observed_on <= known_days.known_on",
    ),
    "complaints and fees of the days to come": (
        "int_signal_counts",
        "events.occurred_on < exposures.observed_on",
        "events.occurred_on < exposures.outcome_known_on",
    ),
    "answers that came later": ("int_ticket_signals", "or messages.answered_at >= exposures.observed_at", ""),
    "resolutions that came later": (
        "int_ticket_signals",
        "least(responses.first_response_clock, exposures.observed_clock)",
        "responses.first_response_clock",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_of_the_future_is_noticed(leak: str, lived: tuple[Settings, dict[date, Scores]], tmp_path: Path) -> None:
    settings, given = lived
    model, honest, leaking = LEAKS[leak]
    original = settings.build_project / "models" / "intermediate" / "risk" / f"{model}.sql"
    text = original.read_text(encoding="utf-8")
    assert honest in text
    kept = tmp_path / "retention.duckdb"
    shutil.copy(settings.build_file, kept)
    try:
        original.write_text(text.replace(honest, leaking), encoding="utf-8")
        run_dbt(settings, f"{model}+,path:models/intermediate/risk")
        assert len(differences(settings, given)) > 5
    finally:
        original.write_text(text, encoding="utf-8")
        shutil.copy(kept, settings.build_file)

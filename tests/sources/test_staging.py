"""Harm: a code, a day or a person that is translated wrongly on the way from a system to the contract is wrong in
every chart, and nothing further on can notice it. Values here are made by hand, not taken from the models."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from retention.extract import extract_source
from retention.settings import load_settings
from retention.sources.contract import CANONICAL
from tests.sources import portal as portals
from tests.sources.staging import stage

ROOT = Path(__file__).parents[2]
STAMP = "2025-01-10 10:00:00"


@pytest.fixture(scope="module")
def staged(postgres_server, tmp_path_factory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The three systems with a handful of rows each, landed and staged by dbt."""
    home = tmp_path_factory.mktemp("staging")
    billing, znuny = postgres_server.database("billing"), postgres_server.database("znuny")
    with psycopg.connect(billing.owner_url, autocommit=True) as connection:
        connection.execute((ROOT / "demo/systems/billing.sql").read_text(encoding="utf-8"))
        _fill_billing(connection)
    with psycopg.connect(znuny.owner_url, autocommit=True) as connection:
        connection.execute((ROOT / "demo/systems/znuny.sql").read_text(encoding="utf-8"))
        _fill_znuny(connection)
    with portals.running(home) as portal:
        _fill_portal(portal)
        settings = load_settings(
            home,
            as_of="2026-01-01",
            sources=["bitrix24", "billing", "znuny"],
            billing_url=billing.reader_url,
            znuny_url=znuny.reader_url,
            bitrix24_url=portal.url,
            znuny_timezone="Europe/Berlin",
        )
        for source in settings.sources:
            extract_source(settings, source)
        # Corrections that arrive later: versions of the same items.
        corrected = {"updatedTime": "2025-02-01T12:00:00+03:00"}
        portal.put("companies", {"id": 7, "UF_CRM_BILLING_NO": "C2"} | corrected)
        portal.put("manager_assignments", {"id": 1, "UF_CRM_5_VALID_FROM": "2024-03-02T03:00:00+03:00"} | corrected)
        extract_source(settings, "bitrix24")
    build_file = stage(settings, ["bitrix24", "znuny"])
    with duckdb.connect(str(build_file)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def _fill_billing(connection: psycopg.Connection) -> None:
    connection.execute(
        """
        insert into contract values
            ('K1', 'C1', 'basic', 10, 'RUB', 'weekly', '2024-01-01', null, null, false, '2025-01-01'),
            ('K2', 'C1', 'basic', 10, 'RUB', 'monthly', '2024-01-01', '2024-02-01', 'client_request', false,
                '2025-01-01'),
            ('K3', 'C1', 'basic', 10, 'RUB', 'quarterly', '2024-01-01', '2024-02-01', 'debt', true, '2025-01-01'),
            ('K4', 'C1', 'basic', 10, 'RUB', 'yearly', '2024-01-01', '2024-02-01', 'company_decision', false,
                '2025-01-01'),
            ('K5', 'C1', 'basic', 10, 'USD', 'yearly', '2024-01-01', '2024-02-01', 'term_over', false, '2025-01-01');
        insert into account_operation values
            (1, 'C1', 'top_up', 5, 'RUB', '2024-01-01 10:00+03', '2025-01-01'),
            (2, 'C1', 'charge', 3, 'RUB', '2024-01-02 10:00+03', '2025-01-01');
        insert into payment values
            ('P1', 'C1', null, 5, 'RUB', 'ok', '2024-01-01', '2025-01-01'),
            ('P2', 'C1', 'S1', 5, 'RUB', 'declined', '2024-01-01', '2025-01-01');
        insert into cabinet_feedback values
            (1, 'C1', 'review', 4.5, true, '7', 'a.agent', 'text', '2024-01-01', '2024-01-02', null, '2025-01-01');
        """
    )


def _fill_znuny(connection: psycopg.Connection) -> None:
    names = {
        "ticket_history_type": ["NewTicket", "StateUpdate", "OwnerUpdate", "TicketDynamicFieldUpdate"],
        "ticket_state_type": ["new", "open", "closed", "pending auto", "merged"],
        "article_sender_type": ["agent", "system", "customer"],
        "queue": ["Support"],
        "sla": ["Own work, 1 working day", "Operator, 3 working days"],
    }
    for table, values in names.items():
        for number, name in enumerate(values, start=1):
            connection.execute(
                f"insert into {table} (id, name, create_time, change_time"
                f"{', first_response_time, solution_time' if table == 'sla' else ''}) values (%s, %s, %s, %s"
                f"{', 0, 0' if table == 'sla' else ''})",
                [number, name, STAMP, STAMP],
            )
    states = [
        (1, "new", 1),
        (2, "open", 2),
        (3, "closed successful", 3),
        (4, "pending auto close+", 4),
        (5, "merged", 5),
    ]
    for number, name, kind in states:
        connection.execute(
            "insert into ticket_state (id, name, type_id, create_time, change_time) values (%s, %s, %s, %s, %s)",
            [number, name, kind, STAMP, STAMP],
        )
    for number, login in ((1, "root@localhost"), (2, "a.agent"), (3, "b.agent")):
        connection.execute(
            "insert into users (id, login, first_name, last_name, create_time, change_time) "
            "values (%s, %s, 'F', 'L', %s, %s)",
            [number, login, STAMP, STAMP],
        )
    connection.execute(
        f"""
        insert into dynamic_field (id, name, label, field_type, object_type, create_time, change_time) values
            (1, 'Topic', 'T', 'Dropdown', 'Ticket', '{STAMP}', '{STAMP}'),
            (2, 'PromisedDate', 'P', 'Date', 'Ticket', '{STAMP}', '{STAMP}');
        insert into dynamic_field_value (id, field_id, object_id, value_text)
            values (1, 1, 1, 'old'), (2, 1, 1, 'price');
        """
    )
    # (id, sla, opened by user): 1 = client wrote first, 2 = agent wrote first, 3 = phone call typed in by an agent,
    # 4 = nobody wrote yet, from the portal. 5, 6 = of senders whom nobody knows: those are no tickets of a client.
    known = "HD-1"
    tickets = ((1, 1, 1, known), (2, 2, 2, known), (3, None, 2, known), (4, None, 1, known))
    for ticket, sla, creator, customer in (*tickets, (5, None, 1, "a.stranger@example.org"), (6, None, 1, "")):
        connection.execute(
            "insert into ticket (id, tn, queue_id, sla_id, user_id, responsible_user_id, ticket_state_id, customer_id, "
            "create_time, create_by, change_time) values (%s, %s, 1, %s, 2, 2, 1, %s, %s, %s, %s)",
            [ticket, str(ticket), sla, customer, STAMP, creator, STAMP],
        )
    articles = [
        (1, 1, 3, 1, 1, "10:00:00"),
        (2, 1, 2, 1, 1, "10:00:01"),
        (3, 1, 1, 1, 3, "11:00:00"),
        (4, 2, 1, 1, 2, "10:00:00"),
        (5, 3, 3, 1, 2, "10:05:00"),
        # An internal note is written first and must not count.
        (6, 3, 1, 0, 2, "10:00:00"),
        (7, 5, 3, 1, 1, "10:00:00"),
    ]
    for number, ticket, sender, visible, creator, clock in articles:
        connection.execute(
            "insert into article (id, ticket_id, article_sender_type_id, is_visible_for_customer, create_time, "
            "create_by, change_time, change_by) values (%s, %s, %s, %s, %s, %s, %s, 1)",
            [number, ticket, sender, visible, f"2025-01-10 {clock}", creator, STAMP],
        )
    # (id, name, type, state, owner, by)
    history = [
        (1, "%%1%%Support%%", 1, 1, 2, 1),
        (2, "%%new%%open%%", 2, 2, 2, 2),
        (3, "%%b.agent%%3", 3, 2, 3, 2),
        (4, "%%FieldName%%PromisedDate%%Value%%2025-01-20%%OldValue%%", 4, 2, 3, 3),
        (5, "%%FieldName%%PromisedDate%%Value%%2025-01-22 00:00:00%%OldValue%%2025-01-20", 4, 2, 3, 3),
        (6, "%%open%%pending auto close+%%", 2, 4, 3, 3),
        (7, "%%pending auto close+%%closed successful%%", 2, 3, 3, 1),
        (8, "%%closed successful%%open%%", 2, 2, 3, 1),
        (9, "%%open%%closed successful%%", 2, 3, 3, 3),
        (10, "%%open%%merged%%", 2, 5, 3, 3),
        (11, "%%FieldName%%PromisedDate%%Value%%%%OldValue%%2025-01-22", 4, 2, 3, 3),
    ]
    for number, name, kind, state, owner, creator in history:
        connection.execute(
            "insert into ticket_history (id, name, history_type_id, ticket_id, queue_id, owner_id, state_id, "
            "create_time, create_by, change_time, change_by) values (%s, %s, %s, 1, 1, %s, %s, %s, %s, %s, 1)",
            [number, name, kind, owner, state, STAMP, creator, STAMP],
        )


def _fill_portal(portal: portals.Portal) -> None:
    updated = "2025-01-01T12:00:00+03:00"
    portal.put(
        "companies",
        {
            "id": 7,
            "title": "ООО Ромашка",
            "createdTime": "24.08.2023 13:19:39",
            "updatedTime": updated,
            "UF_CRM_SEGMENT": "retail",
            "UF_CRM_BILLING_NO": "C1",
            "UF_CRM_HELPDESK_NO": "HD-1",
            "UF_CRM_CLOSED_ON": "2024-05-06T03:00:00+03:00",
            "UF_CRM_CONSENT": "Y",
        },
        {"id": 8, "title": "B", "createdTime": updated, "updatedTime": updated, "UF_CRM_CONSENT": "N"},
    )
    portal.put("departments", {"ID": "3", "NAME": "Support", "UF_HEAD": "2"}, {"ID": "4", "NAME": "Sales"})
    portal.put(
        "users",
        {"ID": "1", "XML_ID": "a.agent", "NAME": "A", "LAST_NAME": "Agent", "UF_DEPARTMENT": [3, 4]},
        {"ID": "2", "XML_ID": "b.agent", "NAME": "B", "UF_DEPARTMENT": [3], "UF_EMPLOYMENT_DATE": "01.02.2023"},
        {"ID": "3", "NAME": "Robot", "UF_DEPARTMENT": [4]},
    )
    deal = {"companyId": 7, "assignedById": 1, "opportunity": 100, "createdTime": updated, "updatedTime": updated}
    portal.put(
        "deals",
        *(
            deal | {"id": number, "stageId": stage, "stageSemanticId": kind, "closedate": "2024-05-06T03:00:00+03:00"}
            for number, (stage, kind) in enumerate(
                [("NEW", "P"), ("WON", "S"), ("C4:LOSE", "F"), ("C4:UC_OURS", "F")], start=1
            )
        ),
    )
    activity = {"OWNER_TYPE_ID": "4", "OWNER_ID": "7", "COMPLETED": "Y", "START_TIME": updated, "LAST_UPDATED": updated}
    portal.put(
        "activities",
        activity | {"ID": "1", "DIRECTION": "1", "TYPE_ID": "2", "ORIGIN_ID": "welcome", "RESPONSIBLE_ID": "1"},
        activity | {"ID": "2", "DIRECTION": "2", "TYPE_ID": "4", "ORIGIN_ID": None, "RESPONSIBLE_ID": "0"},
        activity | {"ID": "3", "DIRECTION": "0", "TYPE_ID": "1", "ORIGIN_ID": "upsell", "RESPONSIBLE_ID": "3"},
        activity | {"ID": "4", "DIRECTION": "2", "TYPE_ID": "6", "OWNER_TYPE_ID": "2"},
    )
    request = {"companyId": 7, "UF_CRM_1_REQUESTED_AT": updated, "updatedTime": updated}
    portal.put(
        "termination_requests",
        request | {"id": 1, "stageId": "DT1030_1:NEW", "UF_CRM_1_BONUS_OFFERED": None},
        request | {"id": 2, "stageId": "DT1030_1:UC_RELEASED", "UF_CRM_1_BONUS_OFFERED": "Y"},
        request | {"id": 3, "stageId": "DT1030_1:ODD", "companyId": 0, "UF_CRM_1_BONUS_OFFERED": "N"},
    )
    portal.put(
        "dismissals",
        {
            "id": 1,
            "companyId": 8,
            "UF_CRM_2_DISMISSED_AT": updated,
            "UF_CRM_2_REASON": 42,
            "UF_CRM_2_DECIDED_BY": 2,
            "updatedTime": updated,
        },
    )
    portal.put(
        "exit_interviews",
        {
            "id": 1,
            "companyId": 7,
            "UF_CRM_3_INVITED_AT": updated,
            "UF_CRM_3_CHANNEL": 51,
            "UF_CRM_3_REASON": 62,
            "UF_CRM_3_WOULD_RETURN": "Y",
            "updatedTime": updated,
        },
    )
    portal.put(
        "reason_fixes",
        {
            "id": 1,
            "UF_CRM_4_REASON": 78,
            "UF_CRM_4_DEPARTMENT": 4,
            "UF_CRM_4_PLANNED_ON": "2024-05-06T03:00:00+03:00",
            "updatedTime": updated,
        },
    )
    portal.put(
        "manager_assignments",
        {
            "id": 1,
            "companyId": 7,
            "UF_CRM_5_EMPLOYEE": 1,
            "UF_CRM_5_ROLE": 82,
            "UF_CRM_5_VALID_FROM": "2024-03-01T03:00:00+03:00",
            "updatedTime": updated,
        },
    )
    portal.put("mailings", {"id": 1, "companyId": 7, "UF_CRM_6_SENT_AT": updated, "updatedTime": updated})


@pytest.fixture
def rows(staged) -> Callable[[str], list[tuple]]:
    return lambda query: staged.execute(query).fetchall()


@pytest.mark.parametrize(
    ("system", "entity"),
    [
        *(("znuny", name) for name in ("tickets", "ticket_events", "messages", "feedback")),
        *(("bitrix24", name) for name in ("clients", "client_links", "employees", "manager_assignments", "deals")),
        *(("bitrix24", name) for name in ("contacts", "termination_requests", "dismissals", "exit_interviews")),
        *(("bitrix24", name) for name in ("reason_fixes", "mailings")),
    ],
)
def test_a_staging_model_has_the_columns_of_the_contract_in_their_order(staged, system, entity):
    relation = staged.execute(f"select * from staging.stg_{system}__{entity}")
    assert [column[0] for column in relation.description] == [*CANONICAL[entity].columns, "_load_id", "_row_number"]


def test_contracts_of_billing(rows):
    assert rows(
        "select contract_key, billing_period, end_reason, is_trial, started_on::varchar, price::varchar, currency "
        "from landing.billing__contracts order by 1"
    ) == [
        ("K1", "week", None, False, "2024-01-01", "10.00", "RUB"),
        ("K2", "month", "request", False, "2024-01-01", "10.00", "RUB"),
        ("K3", "quarter", "non_payment", True, "2024-01-01", "10.00", "RUB"),
        ("K4", "year", "dismissed", False, "2024-01-01", "10.00", "RUB"),
        ("K5", "year", "expired", False, "2024-01-01", "10.00", "USD"),
    ]


def test_operations_payments_and_feedback_of_billing(rows):
    assert rows("select event_key, kind, occurred_at::varchar from landing.billing__prepaid_events order by 1") == [
        ("1", "top_up", "2024-01-01 07:00:00+00"),
        ("2", "usage", "2024-01-02 07:00:00+00"),
    ]
    assert rows("select payment_key, status, invoice_key from landing.billing__payments order by 1") == [
        ("P1", "succeeded", None),
        ("P2", "failed", "S1"),
    ]
    assert rows(
        "select feedback_key, kind, score::varchar, ticket_key, employee_key from landing.billing__feedback"
    ) == [("1", "review", "4.50", "7", "a.agent")]


def test_who_opened_a_ticket_and_whose_move_it_is(rows):
    assert rows(
        "select ticket_key, client_key, queue, topic, sla_class, opened_by from staging.stg_znuny__tickets order by 1"
    ) == [
        (1, "HD-1", "Support", "price", "ours", "client"),
        (2, "HD-1", "Support", None, "third_party", "employee"),
        (3, "HD-1", "Support", None, "ours", "client"),
        (4, "HD-1", "Support", None, "ours", "client"),
    ]


def test_naive_times_of_the_help_desk_are_read_in_its_zone(rows):
    # Berlin is an hour ahead of UTC in January.
    assert rows("select distinct opened_at::varchar, updated_at::varchar from staging.stg_znuny__tickets") == [
        ("2025-01-10 09:00:00+00", "2025-01-10 09:00:00+00")
    ]


def test_events_of_a_ticket(rows):
    assert rows("select event_key, kind, employee_key, new_value from staging.stg_znuny__ticket_events order by 1") == [
        (3, "owner_changed", "b.agent", None),
        (4, "promise_changed", "b.agent", "2025-01-20"),
        (5, "promise_changed", "b.agent", "2025-01-22"),
        (6, "solved", "b.agent", None),
        (7, "closed", None, None),
        (8, "reopened", None, None),
        (9, "closed", "b.agent", None),
        (11, "promise_changed", "b.agent", None),
    ]


def test_messages_that_the_client_can_see(rows):
    assert rows("select message_key, ticket_key, author, employee_key from staging.stg_znuny__messages order by 1") == [
        (1, 1, "client", None),
        (2, 1, "auto", None),
        (3, 1, "employee", "b.agent"),
        (4, 2, "employee", "a.agent"),
        (5, 3, "client", None),
    ]


def test_clients_and_the_newest_of_their_numbers(rows):
    assert rows(
        "select distinct client_key, name, segment, registered_at, closed_at, marketing_consent "
        "from staging.stg_bitrix24__clients order by 1"
    ) == [
        ("7", "ООО Ромашка", "retail", "2023-08-24 13:19:39", "2024-05-06", "true"),
        ("8", "B", None, "2025-01-01T12:00:00+03:00", None, "false"),
    ]
    assert rows("select source, source_key, client_key from staging.stg_bitrix24__client_links order by 1") == [
        ("billing", "C2", "7"),
        ("znuny", "HD-1", "7"),
    ]


def test_employees_their_department_and_its_head(rows):
    assert rows(
        "select employee_key, full_name, department, is_head, active_from "
        "from staging.stg_bitrix24__employees order by 1"
    ) == [
        ("a.agent", "A Agent", "Support", False, None),
        ("b.agent", "B", "Support", True, "2023-02-01"),
        ("bitrix24-3", "Robot", "Sales", False, None),
    ]


def test_a_corrected_assignment_does_not_stay_under_its_first_day(rows):
    assert rows(
        "select client_key, employee_key, role, valid_from, valid_to from staging.stg_bitrix24__manager_assignments"
    ) == [("7", "a.agent", "account_manager", "2024-03-02", None)]


def test_deals_and_contacts(rows):
    assert rows("select deal_key, employee_key, stage, closed_at from staging.stg_bitrix24__deals order by 1") == [
        ("1", "a.agent", "open", None),
        ("2", "a.agent", "won", "2024-05-06"),
        ("3", "a.agent", "lost", "2024-05-06"),
        ("4", "a.agent", "lost", "2024-05-06"),
    ]
    assert rows(
        "select contact_key, client_key, employee_key, direction, channel, purpose "
        "from staging.stg_bitrix24__contacts order by 1"
    ) == [
        ("1", "7", "a.agent", "inbound", "call", "welcome"),
        ("2", "7", None, "outbound", "email", "other"),
        ("3", "7", "bitrix24-3", "outbound", "meeting", "upsell"),
    ]


def test_leaving_and_its_reasons(rows):
    assert rows(
        "select request_key, client_key, outcome, bonus_offered "
        "from staging.stg_bitrix24__termination_requests order by 1"
    ) == [
        ("1", "7", None, "false"),
        ("2", "7", "released", "true"),
        # An unknown stage passes and is quarantined further on; a request of nobody has no client.
        ("3", None, "DT1030_1:ODD", "false"),
    ]
    assert rows("select client_key, reason, decided_by from staging.stg_bitrix24__dismissals") == [
        ("8", "abuse", "b.agent")
    ]
    assert rows("select channel, reason_code, would_return from staging.stg_bitrix24__exit_interviews") == [
        ("call", "price_and_fees", "true")
    ]
    assert rows(
        "select reason_code, owner_department, planned_on, fixed_on from staging.stg_bitrix24__reason_fixes"
    ) == [("other", "Sales", "2024-05-06", None)]
    assert rows("select mailing_key, client_key, sent_at from staging.stg_bitrix24__mailings") == [
        ("1", "7", "2025-01-01T12:00:00+03:00")
    ]

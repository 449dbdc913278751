"""The in-house billing database: which of its tables holds what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from demo.export import rubles
from demo.model import Fact, plain, to_date, to_datetime
from demo.plan import Plan
from demo.systems.postgres import Row, Table, touched

SCHEMA = Path(__file__).with_name("billing.sql")

PERIODS = {"week": "weekly", "month": "monthly", "quarter": "quarterly", "year": "yearly"}
CLOSE_REASONS = {
    "request": "client_request",
    "non_payment": "debt",
    "dismissed": "company_decision",
    "expired": "term_over",
    None: None,
}
OPERATIONS = {"top_up": "top_up", "usage": "charge"}
STATES = {"succeeded": "ok", "failed": "declined"}
BODIES = {
    "complaint": "Третий день не могу получить ответ, позвоните директору: +7 900 000-00-00",
    "review": "Пользуемся давно, о впечатлениях напишу подробно.",
    "idea": "Добавьте, пожалуйста, выгрузку в таблицу.",
    "praise": "Спасибо за быструю помощь!",
}


def _moment(instant: int | None) -> Any:
    return None if instant is None else to_datetime(instant)


def _day(number: int | None) -> Any:
    return None if number is None else to_date(number)


def _contract(key, customer, plan, price, currency, period, start, end, reason, trial) -> Row:
    reason = CLOSE_REASONS[reason]
    return key, customer, plan, rubles(price), currency, PERIODS[period], _day(start), _day(end), reason, trial


def _operation(key, customer, kind, amount, currency, at) -> Row:
    return int(key), customer, OPERATIONS[kind], rubles(amount), currency, _moment(at)


def _invoice(key, customer, issued, due, total, currency, disputed) -> Row:
    return key, customer, _moment(issued), _moment(due), rubles(total), currency, _moment(disputed)


def _line(key, number, kind, amount) -> Row:
    return key, number, kind, rubles(amount)


def _payment(key, customer, invoice, amount, currency, status, paid) -> Row:
    return key, customer, invoice, rubles(amount), currency, STATES[status], _moment(paid)


def _refund(key, customer, asked, amount, currency, decision, decided) -> Row:
    return key, customer, _moment(asked), rubles(amount), currency, decision, _moment(decided)


def _feedback(key, customer, kind, score, public, ticket, login, submitted, answered, acted) -> Row:
    times = (_moment(submitted), _moment(answered), _moment(acted))
    return (int(key), customer, kind, score, public, ticket, login, BODIES.get(kind), *times)


# table, entity, number of key columns, columns, mapping
_TABLES: tuple[tuple[str, str, int, str, Callable[..., Row]], ...] = (
    (
        "contract",
        "contracts",
        1,
        "contract_no customer_no tariff price currency period valid_from valid_to close_reason is_test",
        _contract,
    ),
    (
        "account_operation",
        "prepaid_events",
        1,
        "operation_id customer_no operation amount currency performed_at",
        _operation,
    ),
    ("invoice", "invoices", 1, "invoice_no customer_no issued_at due_at total currency disputed_at", _invoice),
    ("invoice_line", "invoice_lines", 2, "invoice_no line_no line_type amount", _line),
    ("payment", "payments", 1, "payment_no customer_no invoice_no amount currency state paid_at", _payment),
    ("refund", "refunds", 1, "refund_no customer_no requested_at amount currency decision decided_at", _refund),
    (
        "cabinet_feedback",
        "feedback",
        1,
        "feedback_no customer_no kind score is_public ticket_id employee_login body "
        "submitted_at answered_at acted_on_at",
        _feedback,
    ),
)


def tables(plan: Plan) -> list[Table]:
    """The tables of the billing database, filled from a plan."""

    def rows(facts: list[Fact], keys: int, mapped: Callable[..., Row]) -> Callable[[int, int], Iterator[Any]]:
        def changes(since: int, until: int) -> Iterator[tuple[Row, Row | None]]:
            for fact in touched(facts, since, until):
                seen = fact.seen_at(until)
                if seen is None:
                    yield mapped(*plain(fact, fact.versions[-1][1]))[:keys], None
                else:
                    row = (*mapped(*plain(fact, seen[1])), to_datetime(seen[0]))
                    yield row[:keys], row

        return changes

    return [
        Table(
            name=name,
            columns=(*(columns := tuple(names.split())), "modified_at"),
            key=columns[:keys],
            rows=rows(plan.book.facts[entity], keys, mapped),
        )
        for name, entity, keys, names, mapped in _TABLES
    ]

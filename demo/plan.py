"""Builds the whole company, past and future, from a seed."""

from __future__ import annotations

import gc
import hashlib
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo import billing, company, crm, life, model, money, service, worktime
from demo.billing import SpellMoney
from demo.company import Company, found
from demo.life import Life, live
from demo.model import Book
from demo.service import Story

GENERATOR = (model, money, worktime, company, life, billing, service, crm)
SEEDS = (money.RATES_FILE, worktime.CALENDAR_FILE)
"""What a plan depends on: one made by other code is not the same plan, and is made anew."""


@dataclass
class Plan:
    """The company, the lives of its clients, what carries each spell, and every fact the systems will ever show."""

    seed: int
    clients: int
    company: Company
    lives: list[Life]
    money: list[list[SpellMoney]]
    tickets: list[list[Story]]
    book: Book


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the garbage collector, which would look through half a million live rows again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def build(seed: int, clients: int, tell: Callable[[str], None] = lambda message: None) -> Plan:
    """Draw the company. The same seed and number of clients give the same facts, whatever the day."""
    book = Book()
    agency = found(seed, clients, book)
    crm.plan_fixes(book)
    lives, paid, tickets = [], [], []
    for place, client in enumerate(agency.clients):
        drawn = live(agency, client)
        paid.append(billing.bill(agency, drawn, book))
        tickets.append(service.serve(agency, drawn, book))
        crm.manage(agency, drawn, book)
        lives.append(drawn)
        if place % 500 == 499:
            tell(f"drew {place + 1} of {len(agency.clients)} clients")
    book.count_up()
    return Plan(seed, clients, agency, lives, paid, tickets, book)


def generator_version() -> str:
    """What tells plans of other code apart."""
    sources = b"".join(
        path.read_bytes() for path in (*(Path(str(module.__file__)) for module in GENERATOR), *SEEDS) if path.exists()
    )
    return hashlib.sha256(sources).hexdigest()[:12]


def load_or_build(folder: Path, seed: int, clients: int, tell: Callable[[str], None] = lambda message: None) -> Plan:
    """The plan kept in a folder, or a new one, then kept there."""
    path = folder / f"plan_{seed}_{clients}_{generator_version()}.pickle"
    if path.exists():
        with path.open("rb") as file, undisturbed():
            return pickle.load(file)
    with undisturbed():
        plan = build(seed, clients, tell)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            pickle.dump(plan, file, protocol=pickle.HIGHEST_PROTOCOL)
    unfinished.replace(path)
    return plan

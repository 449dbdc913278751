"""The agency's people and its clients: who they are, before anything happens to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from demo.model import (
    DEFAULT_AS_OF,
    FIRST_DAY,
    HORIZON,
    Book,
    Fact,
    at,
    between,
    chance,
    day,
    midnight,
    pick,
    stream,
    weighted,
)

DEPARTMENTS = ["Management", "Sales", "Account management", "Support", "Billing", "Engineering"]
HEADCOUNT = {
    "Management": 2,
    "Sales": 8,
    "Account management": 16,
    "Support": 14,
    "Billing": 4,
    "Engineering": 6,
}
LOGIN_PREFIX = {
    "Management": "head",
    "Sales": "sales",
    "Account management": "am",
    "Support": "support",
    "Billing": "billing",
    "Engineering": "dev",
}
FIRST_NAMES = ["Анна", "Борис", "Вера", "Глеб", "Дарья", "Егор", "Жанна", "Захар", "Инна", "Кирилл", "Лидия", "Марк"]
LAST_NAMES = ["Левко", "Дорош", "Сивак", "Мороз", "Зима", "Ткач", "Гончар", "Бондарь", "Шевчук", "Кравец", "Белаш"]

# The segment's factor on the hazard of leaving.
SEGMENTS = {
    "retail": 1.0,
    "restaurants": 1.25,
    "finance": 0.75,
    "healthcare": 0.9,
    "education": 1.05,
    "logistics": 0.95,
}
SEGMENT_WEIGHTS = {
    "retail": 0.30,
    "restaurants": 0.20,
    "finance": 0.12,
    "healthcare": 0.14,
    "education": 0.13,
    "logistics": 0.11,
}
SIZE_WEIGHTS = {"micro": 0.35, "small": 0.35, "medium": 0.22, "large": 0.08}
SIZE_PRICE = {"micro": 0.5, "small": 1.0, "medium": 2.4, "large": 6.0}
REGIONS = {"Moscow": 0.45, "St Petersburg": 0.2, "Central": 0.12, "Volga": 0.1, "Urals": 0.08, "Siberia": 0.05}
CHANNELS = {"referral": 0.25, "search": 0.3, "conference": 0.1, "partner": 0.15, "cold_call": 0.2}
KINDS = {"contract": 0.55, "prepaid": 0.33, "both": 0.12}
NAME_WORDS = ["Ромашка", "Вектор", "Альфа", "Меридиан", "Гранит", "Орбита", "Сфера", "Парус", "Исток", "Маяк", "Кедр"]

# Arrivals by year: the share of the company's clients that came in it.
ARRIVALS = {2022: 0.34, 2023: 0.25, 2024: 0.20, 2025: 0.21}
FUTURE_ARRIVALS_A_YEAR = 0.22
NEVER_ACTIVE = 0.05

FOREIGN = {9: "USD", 31: "EUR"}
"""Of every fifty clients, which ones have contracts in a foreign currency."""


@dataclass(slots=True)
class Person:
    """An employee; `works_until` is None for somebody who stays."""

    login: str
    department: str
    is_head: bool
    works_from: int
    works_until: int | None

    def works_on(self, day_number: int) -> bool:
        """Whether the person is employed on a day."""
        return self.works_from <= day_number and (self.works_until is None or day_number < self.works_until)


@dataclass(slots=True)
class Client:
    """A legal entity. `fact` is its CRM card; billing knows a few clients that the CRM does not (`fact` is None)."""

    number: int
    customer_no: str
    helpdesk_no: str
    kind: str
    segment: str
    size_band: str
    arrives_on: int
    has_contracts: bool
    consent: bool | None
    fact: Fact | None = None
    links: list[Fact] = field(default_factory=list)

    @property
    def currency(self) -> str:
        """The currency of the client's contracts: a few foreign ones pay in their own."""
        return FOREIGN.get(self.number % 50, "RUB")


@dataclass
class Company:
    """Everybody on stage."""

    seed: int
    people: list[Person]
    clients: list[Client]

    def on_duty(self, department: str, day_number: int) -> list[Person]:
        """Who of a department works on a day."""
        return [person for person in self.people if person.department == department and person.works_on(day_number)]


def found(seed: int, clients: int, book: Book) -> Company:
    """Hire the people and find the clients, writing both into the book.

    `clients` counts those who arrive before the default as_of; those who come later are added in proportion.
    """
    later = round(clients * FUTURE_ARRIVALS_A_YEAR * (HORIZON - DEFAULT_AS_OF) / 365)
    return Company(
        seed=seed,
        people=_hire(seed, book),
        clients=[_meet(seed, number, clients, book) for number in range(clients + later)],
    )


def _hire(seed: int, book: Book) -> list[Person]:
    rng = stream(seed, "people")
    people: list[Person] = []
    for department in DEPARTMENTS:
        size = HEADCOUNT[department]
        for place in range(size):
            # Account managers join in two waves, the second with the programme.
            starts = FIRST_DAY - between(rng, 200, 900)
            if department == "Account management" and place >= size // 2:
                starts = day(2023, 11, 1) + between(rng, 0, 40)
            chair = starts
            while chair < HORIZON:
                leaves = chair + int(rng.exponential(1_500)) + 200
                stays = place == 0 or leaves >= HORIZON
                person = Person(
                    login=f"{LOGIN_PREFIX[department]}{sum(p.department == department for p in people) + 1:02d}",
                    department=department,
                    is_head=place == 0,
                    works_from=chair,
                    works_until=None if stays else leaves,
                )
                people.append(person)
                _write_person(person, f"{pick(rng, FIRST_NAMES)} {pick(rng, LAST_NAMES)}", book)
                if stays:
                    break
                chair = leaves
    return people


def _write_person(person: Person, full_name: str, book: Book) -> None:
    row = (person.login, full_name, person.department, person.is_head, person.works_from, None)
    fact = book.add("employees", at(max(person.works_from, FIRST_DAY) - 3, 12), *row)
    if person.works_until is not None:
        fact.change(at(person.works_until - 10, 15), active_to=person.works_until)


def _arrival(rng, number: int, clients: int) -> int:
    if number == 0:
        return FIRST_DAY
    if number >= clients:
        return between(rng, DEFAULT_AS_OF, HORIZON - 30)
    year = weighted(rng, ARRIVALS)
    return between(rng, day(year, 1, 1), day(year, 12, 31))


def _meet(seed: int, number: int, clients: int, book: Book) -> Client:
    rng = stream(seed, "client", number)
    arrives_on = _arrival(rng, number, clients)
    kind, segment, size = weighted(rng, KINDS), weighted(rng, SEGMENT_WEIGHTS), weighted(rng, SIZE_WEIGHTS)
    client = Client(
        number=number,
        customer_no=f"C{100_000 + (number * 7_919) % 899_981}",
        helpdesk_no=f"HD-{10_000 + (number * 6_007) % 89_989}",
        kind="contract" if number == 0 else kind,
        segment=segment,
        size_band=size,
        arrives_on=arrives_on,
        has_contracts=number == 0 or not chance(rng, NEVER_ACTIVE),
        consent=weighted(rng, {True: 0.7, False: 0.2, None: 0.1}),
    )
    # A few customers were never entered into the CRM: they must show up as unmatched, not disappear.
    if number % 250 == 33:
        client.kind = "contract"
        return client
    if client.currency != "RUB":
        client.kind = "contract"
    known_from = at(arrives_on - between(rng, 135, 180), 10, between(rng, 0, 59))
    name = f"ООО «{pick(rng, NAME_WORDS)}-{number + 1}»"
    blank = chance(rng, 0.02)
    # Months before the first paid day: the sale takes its time, and the null signals begin while it lasts.
    client.fact = book.add(
        "clients",
        known_from,
        name,
        None if blank else segment,
        size,
        weighted(rng, REGIONS),
        weighted(rng, CHANNELS),
        known_from,
        None,
        client.consent,
    )
    if blank and chance(rng, 0.5):
        client.fact.change(at(arrives_on + between(rng, 100, 900), 11, 5), segment=segment)
    elif chance(rng, 0.03):
        client.fact.change(at(arrives_on + between(rng, 100, 900), 16, 40), segment=pick(rng, list(SEGMENTS)))
    _link(rng, client, known_from, book)
    if chance(rng, 0.01):
        _enter_twice(rng, client, name, book)
    return client


def _link(rng, client: Client, known_from: int, book: Book) -> None:
    """The CRM card names the client in billing and in the help desk; some cards get the latter late."""
    late = at(client.arrives_on + between(rng, 20, 200), 17) if chance(rng, 0.02) else known_from
    for source, source_key, visible_at in (
        ("billing", client.customer_no, known_from),
        ("tickets", client.helpdesk_no, late),
    ):
        client.links.append(book.add("client_links", visible_at, source, source_key, client.fact))


def _enter_twice(rng, client: Client, name: str, book: Book) -> None:
    """A card entered twice and deleted when somebody notices."""
    seen_at = at(client.arrives_on + between(rng, 0, 60), 12, 30)
    twin = book.add("clients", seen_at, name, client.segment, client.size_band, None, None, seen_at, None, None)
    twin.vanishes_at = seen_at + between(rng, 5, 40) * 86_400


def close_card(client: Client, closed_on: int) -> None:
    """The legal entity closes: its CRM card says so on that day."""
    if client.fact is None:
        return
    closes_at = at(closed_on, 12, 15)
    # Nobody edits the card of a company that is gone.
    client.fact.versions = [version for version in client.fact.versions if version[0] < closes_at]
    client.fact.change(closes_at, closed_at=midnight(closed_on))

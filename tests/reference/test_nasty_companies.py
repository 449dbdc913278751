"""Harm prevented: a comparison that passes because its companies are tame.

The companies must reach every class of every rule, their money and clients must close, and changing any rule of the
reference on purpose must change what it says about them: then a product with that mistake could not pass either.
"""

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from tests.reference import marts, model
from tests.reference.companies import CASES
from tests.reference.nasty import Nasty
from tests.reference.reading import ENTITIES, judge


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    base = tmp_path_factory.mktemp("companies")
    return [case.write(base / str(position)) for position, case in enumerate(CASES)]


@pytest.fixture(scope="module")
def results(folders) -> list[dict]:
    return [marts.compute(folder, case.config()) for folder, case in zip(folders, CASES, strict=True)]


def values(results: list[dict], mart: str, column: str) -> Counter:
    return Counter(row[column] for result in results for row in result[mart])


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    case = CASES[1]
    one, other = case.write(tmp_path / "one"), case.write(tmp_path / "other")
    for path in sorted(one.rglob("*.csv")):
        assert path.read_bytes() == (other / path.relative_to(one)).read_bytes(), path.name


def test_every_class_of_every_rule_is_reached(results):
    assert set(values(results, "fct_spells", "exit_type")) == {*model.EXIT_TYPES, None}
    assert set(values(results, "fct_client_months", "movement")) == {
        "new",
        "returned",
        "churned",
        "expansion",
        "contraction",
        "retained",
        "joined_and_left",
    }
    assert set(values(results, "fct_client_months", "exit_type")) == {*model.EXIT_TYPES, None}
    assert set(values(results, "fct_releases", "handling")) == {*model.HANDLINGS} - {"all"}
    assert set(values(results, "fct_releases", "refund_decision")) == {"paid", "refused", "undecided", "none_asked"}
    assert {0, 1, None} <= set(values(results, "fct_releases", "days_to_return"))
    assert set(values(results, "dim_clients", "status")) == {*model.EXIT_TYPES, "active", "never_active"}
    assert {None, 0} < set(values(results, "return_rates", "returned"))
    assert set(values(results, "return_summary", "dimension")) == {
        "all",
        "handling",
        "reason",
        "segment",
        "tenure_band",
        "refund",
    }


def test_every_rule_of_the_quarantine_is_reached_for_every_entity_that_can_break_it(results):
    found = {(row["entity"], row["rule"]) for result in results for row in result["quarantine"]}
    for entity in ENTITIES.values():
        rules = {"unreadable_value"}
        rules |= (
            {"date_out_of_range"} if any(column.type in ("date", "timestamp") for column in entity.columns) else set()
        )
        rules |= {"score_out_of_range"} if any(column.type == "score" for column in entity.columns) else set()
        rules |= {"unknown_code"} if any(column.codes or column.is_currency for column in entity.columns) else set()
        rules |= {"negative_price"} if entity.not_negative else set()
        rules |= {"reversed_interval"} if entity.pairs else set()
        assert {rule for name, rule in found if name == entity.name} >= rules, entity.name
        assert any(name == entity.name and rule.startswith("missing_") for name, rule in found), entity.name


def test_without_breakage_no_row_is_put_aside():
    case = CASES[0]
    company = Nasty(case.seed, case.as_of, broken=False).build()
    config = case.config()
    config.company_currency = "RUB"
    for entity, rows in company.tables.items():
        for row in rows:
            if row.get("currency", "") in ("", "RUB"):
                assert judge(row, ENTITIES[entity], config)[0] is None, (entity, row)


def test_bridge_opening_and_movements_make_closing_in_clients_and_money(results):
    for result in results:
        for row in result["churn_monthly"]:
            moved = row["new_clients"] + row["returned_clients"] - row["churned_clients"]
            assert row["opening_clients"] + moved == row["closing_clients"]
            assert sum(row[kind] for kind in model.EXIT_TYPES) == row["churned_clients"]
        for row in result["mrr_monthly"]:
            moved = row["new_mrr"] + row["returned_mrr"] + row["expansion_mrr"]
            moved -= row["contraction_mrr"] + row["churned_mrr"]
            assert row["opening_mrr"] + moved == row["closing_mrr"]
        for mart, opening, closing in (
            ("churn_monthly", "opening_clients", "closing_clients"),
            ("mrr_monthly", "opening_mrr", "closing_mrr"),
        ):
            everyone = [row for row in result[mart] if row["segment"] == "all"]
            for earlier, later in pairwise(everyone):
                assert earlier[closing] == later[opening]


# Rule of the reference → the same rule with a mistake that an implementation could well make.
MISTAKES = {
    "grace is exclusive": (
        "(later.start - earlier.end).days > grace_days",
        "(later.start - earlier.end).days >= grace_days",
    ),
    "a cut day in a gap does not matter": (
        "return not any(earlier.end <= cut.day <= later.start",
        "return not any(False",
    ),
    "a cut day counts only strictly inside a gap": (
        "earlier.end <= cut.day <= later.start",
        "earlier.end < cut.day < later.start",
    ),
    "a contract started on the cut day is cut": (
        "if start < cut.day and not spared",
        "if start <= cut.day and not spared",
    ),
    "a release spares no contract": ("spared = cut.asked_on is not None and start > cut.asked_on", "spared = False"),
    "a release spares a contract of the day it was asked": ("start > cut.asked_on", "start >= cut.asked_on"),
    "prepaid events are cut by days": (
        'if event["occurred_at"] < cut.moment:',
        "if day < cut.day:",
    ),
    "a prepaid event at the instant is cut": (
        'event["occurred_at"] < cut.moment',
        'event["occurred_at"] <= cut.moment',
    ),
    "late paperwork cuts too": ("asked_in.contains(request.completed_on)", "True"),
    "zero prices cover": ('contract["price"] <= 0 or', "False or"),
    "trials cover": ('or contract["is_trial"]', "or False"),
    "events without amount cover": ('if event["amount"] <= 0:', "if False:"),
    "a planned end is an exit": ("end <= config.as_of)", "end < NEVER)"),
    "an exit on the day of as_of is not seen": ("end <= config.as_of)", "end < config.as_of)"),
    "dismissed on the start day": ("spell.start < day <= spell.end for day", "spell.start <= day <= spell.end for day"),
    "dismissed on the end day is missed": (
        "spell.start < day <= spell.end for day",
        "spell.start < day < spell.end for day",
    ),
    "billing's dismissal is not heard": ('"dismissed" in reasons or', "False or"),
    "closing on the start day": (
        "spell.start < local_day(client.closed_at",
        "spell.start <= local_day(client.closed_at",
    ),
    "a cut contract speaks": (
        'cover.end == spell.end and cover.contract["ended_on"] == spell.end',
        "cover.end == spell.end",
    ),
    "no request in the grace days": ("(in_spell or in_grace) and near_exit", "in_spell and near_exit"),
    "completion long before the exit names it": ("(in_spell or in_grace) and near_exit", "(in_spell or in_grace)"),
    "a request names every spell it fits": (
        "fitting.setdefault(position, []).append(request)\n                break",
        "fitting.setdefault(position, []).append(request)",
    ),
    "the last completed names": ("position: min(requests", "position: max(requests"),
    "billing's request is not heard": ('or "request" in reasons', ""),
    "payment failure beside a prepaid end": (
        '"non_payment" in reasons and not prepaid_ends',
        '"non_payment" in reasons',
    ),
    "the first release owns the refund": ("max(owners, key", "min(owners, key"),
    "paid beats refused": (
        'for decision in ("refused", "paid", "undecided")',
        'for decision in ("paid", "refused", "undecided")',
    ),
    "an undated decision does not count": (
        "if decided_at is not None and local_day",
        "if decided_at is None or local_day",
    ),
    "a coming decision counts": (
        "config.zone) >= config.as_of:\n        return None",
        "config.zone) > NEVER:\n        return None",
    ),
    "fourteen days are obstructed": (
        "release.days_to_release > config.obstruction_days",
        "release.days_to_release >= config.obstruction_days",
    ),
    "a bonus is not asked about": (
        'return "bonus_offered" if request.bonus_offered else "free"',
        'return "free"',
    ),
    "the last answer is the reason": ("return min(answered, key", "return max(answered, key"),
    "interviews of the next spell count": (
        "and (following is None or local_day(interview",
        "and (True or local_day(interview",
    ),
    "rates of today": (
        'config.rate(contract["currency"], contract["started_on"])',
        'config.rate(contract["currency"], config.as_of)',
    ),
    "four weeks a month": ("Fraction(52, 12)", "Fraction(4)"),
    "top-ups are use": ('event["kind"] == "usage" and first_of', "first_of"),
    "use of the running month": (
        "month = first_of(day) if day == last_day(day) else add_months(first_of(day), -1)",
        "month = first_of(day)",
    ),
    "a return is new": ('"new" if after.number == 1 else "returned"', '"new"'),
    "churned takes the exit of the first spell": ("return exits[-1] if exits", "return exits[0] if exits"),
    "final with the month": (
        "timedelta(days=company.config.grace_days) < company.as_of",
        "timedelta(days=0) < company.as_of",
    ),
    "mature on the day": ("timedelta(days=window) < as_of", "timedelta(days=window) <= as_of"),
    "a return on the last day of the window is late": (
        "release.days_to_return <= window",
        "release.days_to_return < window",
    ),
    "closing does not censor": ("release.released_on < closed_on < seen_until", "False"),
    "the unbroken come back": ("client.spells[0].contains(edge)", "spell_on(client, edge) is not None"),
    "one hundred days are under one hundred": (
        "spell.tenure_days(company.as_of) < 100",
        "spell.tenure_days(company.as_of) <= 100",
    ),
    "a level called all stays": ('value in ("all", "unknown")', 'value in ("unknown",)'),
    "an own key beats a link": (
        'row["client_key"] if domain == "crm" else',
        'row["client_key"] if domain == "crm" or row["client_key"] in by_key else',
    ),
    "links are followed twice": (
        "    return links\n",
        "    return {key: links.get((key[0], value), value) for key, value in links.items()}\n",
    ),
    "a link holds for every domain": (
        'if row["source"] in ("billing", "tickets"):',
        'for row["source"] in ("billing", "tickets"):',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_any_rule_would_be_seen_on_these_companies(mistake, folders, results, monkeypatch):
    right, wrong = MISTAKES[mistake]
    source = Path(model.__file__).read_text(encoding="utf-8")
    assert right in source, "the rule is written differently by now: bring this list up to date"
    mutant = ModuleType("tests.reference.mutant")
    monkeypatch.setitem(sys.modules, mutant.__name__, mutant)  # dataclasses look their module up
    exec(compile(source.replace(right, wrong), mutant.__name__, "exec"), mutant.__dict__)
    for folder, case, expected in zip(folders, CASES, results, strict=True):
        company = mutant.load_company(folder, case.config())
        # Most mistakes show in the spells: the large marts are only made when the small ones agree.
        for mart in sorted(model.MARTS, key=lambda name: len(expected[name])):
            if mutant.MARTS[mart][0](company) != expected[mart]:
                return
    pytest.fail(f"{mistake}: no company tells it from the rule")

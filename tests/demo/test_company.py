"""Harm prevented: a demo whose truths are not in its data, or not the same twice, so that nothing can be held to it."""

import hashlib
from collections import defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest

from demo import export, life, model, truth
from demo import plan as plans
from demo.model import DEFAULT_AS_OF, day_of, midnight, to_date
from demo.money import per_month
from demo.worktime import add_minutes, minutes_between
from tests.reference import marts as reference
from tests.reference.reading import Config

AS_OF = date(2026, 1, 1)
COMPARED = {
    "spells": ("fct_spells", ("client_id", "spell_number")),
    "releases": ("fct_releases", ("client_id", "spell_number")),
    "churn_monthly": ("churn_monthly", ("month", "segment")),
    "mrr_monthly": ("mrr_monthly", ("month", "segment")),
    "retention_cohorts": ("retention_cohorts", ("cohort_month", "segment", "month_number")),
}


def digest(plan: plans.Plan, folder: Path) -> str:
    export.write(plan, AS_OF, folder / "files")
    truth.write(plan, AS_OF, folder / "truth.json")
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def told_apart(plan: plans.Plan, as_of: date, folder: Path, told: dict | None = None) -> list[str]:
    """Differences between the planted truth and an independent reading of metrics.md over the exported rows."""
    export.write(plan, as_of, folder)
    found = reference.compute(folder, Config(as_of=as_of))
    told = told or truth.tell(plan, as_of)
    report = []
    for name, (mart, key) in COMPARED.items():
        planted = {tuple(str(row[column]) for column in key): row for row in told[name]}
        read = {tuple(str(row[column]) for column in key): row for row in found[mart]}
        report += [f"{name} {where}: only on one side" for where in planted.keys() ^ read.keys()]
        for where in planted.keys() & read.keys():
            for column, value in planted[where].items():
                if column in read[where] and str(value) != str(read[where][column]):
                    report.append(f"{name} {where} {column}: planted {value}, read {read[where][column]}")
    return report


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(small_plan, tmp_path):
    again, other = plans.build(seed=11, clients=60), plans.build(seed=12, clients=60)
    first = digest(small_plan, tmp_path / "first")
    assert digest(again, tmp_path / "again") == first
    assert digest(other, tmp_path / "other") != first


@pytest.mark.parametrize("as_of", [date(2023, 3, 31), date(2026, 1, 1), date(2026, 9, 17)], ids=str)
def test_an_independent_reading_of_the_definitions_finds_what_was_planted(small_plan, as_of, tmp_path):
    report = told_apart(small_plan, as_of, tmp_path)
    assert not report, "\n".join(report[:20])


def test_a_truth_that_is_off_by_one_day_is_noticed(small_plan, tmp_path):
    told = truth.tell(small_plan, AS_OF)
    closed = next(row for row in told["spells"] if row["ended_on"])
    closed["ended_on"] = "2025-01-01" if closed["ended_on"] != "2025-01-01" else "2025-01-02"
    assert len(told_apart(small_plan, AS_OF, tmp_path, told)) == 1


def test_a_plan_at_odds_with_its_rows_is_noticed(tmp_path):
    plan = plans.build(seed=13, clients=40)
    spell, money = next(
        (spell, money)
        for lived, carried in zip(plan.lives, plan.money, strict=True)
        for spell, money in zip(lived.spells, carried, strict=True)
        if spell.exit_type == "payment_failure" and spell.known_from < DEFAULT_AS_OF
    )
    for contract in money.contracts:
        contract.versions = contract.versions[:1]
    with pytest.raises(AssertionError, match="at odds with itself"):
        truth.tell(plan, AS_OF)
    assert spell.end is not None


def test_the_default_company_shows_what_the_articles_say(default_plan):
    told = truth.tell(default_plan, AS_OF)
    assert told["annual_churn"]["2023"]["rate"] == pytest.approx(0.46, abs=0.01)
    assert told["annual_churn"]["2025"]["rate"] == pytest.approx(0.22, abs=0.01)
    year = {row["handling"]: row for row in told["returns"] if row["window_days"] == 365}
    rate = {handling: row["returned"] / row["mature_releases"] for handling, row in year.items()}
    assert rate["free"] == pytest.approx(0.5, abs=0.05)
    assert rate["obstructed"] < 0.6 * rate["bonus_offered"] + 0.1 < rate["free"]
    exits = [row["exit_type"] for row in told["spells"] if row["exit_type"]]
    assert set(exits) == set(truth.EXIT_TYPES)
    assert exits.count("lapsed") > exits.count("released"), "most leavers are silent"
    kinds = {client.kind for client in default_plan.company.clients}
    assert kinds == {"contract", "prepaid", "both"}


def test_a_tenth_of_the_called_lapsed_clients_return(default_plan):
    called = [
        (spell, lived.spells[place + 1] if place + 1 < len(lived.spells) else None)
        for lived in default_plan.lives
        for place, spell in enumerate(lived.spells)
        if spell.is_called and spell.end + 395 < DEFAULT_AS_OF
    ]
    back = [following for spell, following in called if following and following.start - spell.end <= 395]
    assert all(following is None or following.start > spell.end + 30 for spell, following in called)
    assert len(back) / len(called) == pytest.approx(0.10, abs=0.03)


def test_a_fifth_of_the_invited_leavers_answer(default_plan):
    seen = [fact.seen_at(midnight(DEFAULT_AS_OF)) for fact in default_plan.book.facts["exit_interviews"]]
    answered = [version[1][4] is not None for version in seen if version]
    assert mean(answered) == pytest.approx(0.20, abs=0.03)


def test_problems_are_solved_two_and_a_half_times_as_fast_with_a_manager(default_plan):
    lives = {lived.client.helpdesk_no: lived for lived in default_plan.lives}
    solved: dict[model.Fact, int] = {}
    for event in default_plan.book.facts["ticket_events"]:
        _, ticket, kind, _, happened_at, _ = event.versions[0][1]
        if kind in ("solved", "closed"):
            solved.setdefault(ticket, happened_at)
    minutes = defaultdict(list)
    for ticket, solved_at in solved.items():
        _, customer, _, _, _, opened_at, _ = ticket.versions[0][1]
        has_manager = lives[customer].manager_on(day_of(opened_at)) is not None
        minutes[has_manager].append(minutes_between(opened_at, solved_at))
    assert mean(minutes[False]) / mean(minutes[True]) == pytest.approx(2.5, abs=0.2)


def test_the_satisfaction_index_crosses_four_and_a_half_after_the_programme(default_plan):
    scores: dict[tuple[str, str], list[int]] = defaultdict(list)
    for fact in default_plan.book.facts["feedback"]:
        _, _, kind, score, _, _, _, submitted_at, _, _ = fact.versions[0][1]
        if score is not None:
            scores[(to_date(day_of(submitted_at)).strftime("%Y-%m"), kind)].append(score)

    def index(month: str) -> float:
        return mean(mean(scores[(month, kind)]) for kind in ("operator_rating", "review", "survey"))

    assert all(index(f"2023-{month:02d}") < 4.5 for month in range(1, 13))
    assert all(index(f"2025-{month:02d}") > 4.5 for month in range(1, 13))


def test_drivers_are_planted(default_plan):
    """Those who decide to leave have met a strong driver in the 90 days before more often than those who stay."""
    met: dict[bool, dict[str, list[bool]]] = {True: defaultdict(list), False: defaultdict(list)}
    for lived in default_plan.lives:
        for spell in lived.spells:
            if spell.kind == "prepaid":
                continue
            last = min(spell.settled_until, DEFAULT_AS_OF)
            for when in range(spell.start + 120, last, 90):
                leaves = spell.end is not None and spell.settled_until <= when + 60
                for what in ("unanswered", "price_rise"):
                    hit = any(when - 90 <= day < when for day in spell.days_of(what))
                    met[leaves][what].append(hit)

    def lift(what: str) -> float:
        return mean(met[True][what]) / mean(met[False][what])

    assert life.MULTIPLIERS["unanswered"] > 2 and lift("unanswered") > 1.4
    assert life.MULTIPLIERS["price_rise"] > 2 and lift("price_rise") > 1.4


def test_null_signals_come_at_one_rate_whoever_the_client_is_and_whatever_it_does(default_plan):
    """Before the start, in spells, in the silence before an end and between spells; before the programme and after."""
    days: dict[tuple[str, str], int] = defaultdict(int)
    met: dict[tuple[str, str, str], int] = defaultdict(int)

    def groups(lived: life.Life, when: int) -> list[tuple[str, str]]:
        spell = lived.spell_on(when)
        phase = "before the start" if when < lived.client.arrives_on else "in a spell" if spell else "between spells"
        if spell is not None and when >= spell.active_until:
            phase = "in silence"
        return [
            ("phase", phase),
            ("kind", lived.client.kind),
            ("segment", lived.client.segment),
            ("programme", str(life.after_programme(when))),
        ]

    for lived in default_plan.lives:
        if not lived.spells:
            continue
        until = min(lived.spells[-1].end or DEFAULT_AS_OF, DEFAULT_AS_OF)
        for when in range(lived.client.arrives_on - life.NULL_LEAD_DAYS, until):
            for group in groups(lived, when):
                days[group] += 1
        for what, happened in lived.nulls.items():
            for when in happened:
                if when < until:
                    for group in groups(lived, when):
                        met[what, *group] += 1
    assert not set(life.NULL_RATES) & set(life.MULTIPLIERS)
    for (what, group, level), number in met.items():
        expected = life.NULL_RATES[what] / life.STEP * days[group, level]
        assert abs(number - expected) < 4 * expected**0.5, f"{what} {group} {level}: {number}, expected {expected:.0f}"


def test_a_few_contracts_are_in_dollars_and_euros_and_renewed_at_their_price_while_the_rate_moves_or_not(default_plan):
    renewed: dict[tuple[str, bool], int] = defaultdict(int)
    for carried in (money for paid in default_plan.money for money in paid):
        rows = [contract.versions[-1][1] for contract in carried.contracts]
        for before, after in pairwise(rows):
            _, _, _, price, currency, period, start, _, _, _ = after
            if currency != "RUB" and (before[3], before[4]) == (price, currency):
                is_moved = per_month(price, currency, period, before[6]) != per_month(price, currency, period, start)
                renewed[currency, is_moved] += 1
    assert {("USD", True), ("USD", False), ("EUR", True), ("EUR", False)} <= renewed.keys()


def test_a_price_per_month_is_converted_and_rounded_once():
    assert per_month(1_000, "RUB", "quarter", DEFAULT_AS_OF) == 333
    assert per_month(10_000, "USD", "month", model.day(2024, 6, 1)) == 900_000
    assert per_month(100, "EUR", "year", model.day(2024, 6, 1)) == 821  # 98.50 / 12 = 8.2083
    assert per_month(100, "USD", "month", model.day(2021, 6, 1)) == 7_500, "before the first rate that one holds"


def test_keys_grow_in_the_order_in_which_rows_become_visible(small_plan):
    for facts in small_plan.book.facts.values():
        first_seen = [fact.versions[0][0] for fact in facts]
        assert first_seen == sorted(first_seen)
        assert [fact.number for fact in facts] == list(range(1, len(facts) + 1))
        assert all(
            earlier < later
            for fact in facts
            for (earlier, _), (later, _) in zip(fact.versions, fact.versions[1:], strict=False)
        )


def test_every_kind_of_untidiness_is_there(default_plan):
    facts = default_plan.book.facts
    vanish = {entity for entity, rows in facts.items() if any(fact.vanishes_at for fact in rows)}
    assert vanish >= {
        "clients",
        "contracts",
        "contacts",
        "invoices",
        "invoice_lines",
        "payments",
        "tickets",
        "messages",
    }
    changed = {entity for entity, rows in facts.items() if any(len(fact.versions) > 1 for fact in rows)}
    assert changed >= {"clients", "contracts", "deals", "refunds", "feedback", "termination_requests", "reason_fixes"}
    late = [fact for fact in facts["payments"] if fact.versions[0][0] - fact.versions[0][1][6] > model.DAY_SECONDS / 2]
    assert late
    assert any(client.fact is None for client in default_plan.company.clients)
    assert any(
        spell.release and spell.release.is_late_paperwork for lived in default_plan.lives for spell in lived.spells
    )


def test_working_minutes_skip_nights_weekends_and_holidays():
    friday_evening = model.at(model.day(2024, 5, 17), 17, 30)
    monday = model.at(model.day(2024, 5, 20), 9, 30)
    assert add_minutes(friday_evening, 60) == monday
    assert minutes_between(friday_evening, monday) == 60
    assert add_minutes(model.at(model.day(2024, 5, 8), 17, 30), 60) == model.at(model.day(2024, 5, 13), 9, 30)
    # A Saturday that is worked for a Monday that is not.
    assert minutes_between(model.at(model.day(2024, 4, 26), 18), model.at(model.day(2024, 4, 29), 12)) == 540

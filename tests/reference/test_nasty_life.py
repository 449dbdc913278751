"""Harm prevented: exits, returns and risk that are compared on companies too tame to tell a wrong rule from the right.

Changing any rule of the references of voice and of risk on purpose must change what they say about a nasty company.
"""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.reference import model, risk, voice
from tests.reference.companies import CASES

KEPT = ("_lives", "_exits", "_known", "_exposures", "_levels", "_targets")  # what a family keeps with its company


@pytest.fixture(scope="module")
def companies(tmp_path_factory) -> list[model.Company]:
    base = tmp_path_factory.mktemp("companies")
    # The small ones first: most mistakes show there.
    cases = sorted(CASES, key=lambda case: case.clients)
    return [model.load_company(case.write(base / case.name), case.config()) for case in cases]


@pytest.fixture(scope="module")
def results(companies) -> list[dict]:
    marts = {**voice.MARTS, **risk.MARTS}
    return [{name: build(company) for name, (build, _) in marts.items()} for company in companies]


def column(results: list[dict], mart: str, name: str) -> list:
    return [row[name] for result in results for row in result[mart]]


def test_every_figure_is_reached_and_every_empty_one_too(results):
    """No column of the families is zero, or never empty where it may be, on all companies."""
    for mart in results[0]:
        for name in results[0][mart][0]:
            assert any(column(results, mart, name)), f"{mart}.{name} is always 0 or empty"
    for mart, name in (
        ("exit_reasons", "owner_department"),
        ("exit_reasons", "planned_on"),
        ("exit_reasons", "fixed_on"),
        ("win_back_clients", "fixed_on"),
        ("win_back_clients", "invited_at"),
        ("win_back_clients", "returned_on"),
        ("win_back_results", "returned"),
        ("win_back_results", "returned_90d"),
        ("client_360", "payments_per_month"),
        ("client_360", "satisfaction_mean"),
        ("handover_monthly", "median_days_to_contact"),
        ("handover_monthly", "welcome_due"),
        ("programme_effect", "before"),
        ("programme_effect", "after"),
        ("churn_drivers", "relative_risk"),
        ("churn_drivers", "churn_rate"),
        ("churn_drivers", "ci_low"),
        ("at_risk_clients", "reason_1"),
        ("at_risk_clients", "reason_3"),
    ):
        assert None in column(results, mart, name), f"{mart}.{name} is never empty"
    assert set(column(results, "interview_response", "defector")) == {"active", "passive", "none"}
    assert set(column(results, "at_risk_clients", "decile")) == set(range(1, 11))
    assert {"", "longest_silence", "satisfaction", "longest_silence, satisfaction"} <= set(
        column(results, "at_risk_clients", "missing_signals")
    )


def test_parts_of_the_marts_close(results):
    for result in results:
        for row in result["loop_monthly"]:
            assert max(row["told"], row["invited"], row["returned"]) <= row["leavers"]
        for row in result["win_back_results"]:
            assert (row["returned_90d"] or 0) <= (row["returned"] or row["contacted"]) <= row["contacted"]
        for row in result["handover_monthly"]:
            assert (row["welcome_done"] or 0) <= (row["welcome_due"] or 0) <= row["started"]
        exits = sum(row["exits"] for row in result["exit_reasons"] if row["segment"] == "all")
        assert exits == sum(row["exits"] for row in result["exit_precedents"] if row["segment"] == "all")
        probabilities = [row["probability_90d"] for row in result["at_risk_clients"]]
        assert probabilities == sorted(probabilities)  # the rows come in the order of their scores
        for signal in {row["signal"] for row in result["churn_drivers"]}:
            levels = [row for row in result["churn_drivers"] if row["signal"] == signal]
            assert sum(row["churned"] for row in levels) <= sum(row["exposures"] for row in levels)


def test_scores_tie_and_probabilities_were_pooled(results):
    """Twentieths and deciles are told apart by keys alone somewhere, and some neighbours had to be pooled."""
    for result in results:
        scores = [row["score"] for row in result["at_risk_clients"]]
        assert len(set(scores)) < len(scores)
    deciles = {}
    for position, result in enumerate(results):
        for row in result["at_risk_clients"]:
            deciles.setdefault((position, row["score"]), set()).add(row["decile"])
    assert any(len(found) > 1 for found in deciles.values())
    assert any(len(set(column([result], "at_risk_clients", "probability_90d"))) < 20 for result in results)


# Rule of the reference → the same rule with a mistake that an implementation could well make.
VOICE_MISTAKES = {
    "consent unasked is consent": ('row["marketing_consent"] is True', 'row["marketing_consent"] is not False'),
    "inbound contacts are ours": ('if contact.direction == "outbound" and contact.purpose', "if contact.purpose"),
    "the last contact is the first": (
        "return sorted(found, key=lambda contact: contact.occurred_at)",
        "return sorted(found, key=lambda contact: contact.occurred_at, reverse=True)",
    ),
    "lines in the currency of the company": (
        'rate = config.rate(parent["currency"], invoice.issued_on)',
        "rate = 1",
    ),
    "disputes on as_of count": ("day is None or day >= as_of else day", "day is None or day > as_of else day"),
    "trials rise": ('row["price"] > 0 and not row["is_trial"]', 'row["price"] > 0'),
    "free contracts rise": ('row["price"] > 0 and not row["is_trial"]', 'not row["is_trial"]'),
    "no grace between contracts": ('earliest <= other["ended_on"]', 'contract["started_on"] <= other["ended_on"]'),
    "contracts that overlap follow": (
        'and earliest <= other["ended_on"] <= contract["started_on"]',
        'and earliest <= other["ended_on"] and other["started_on"] < contract["started_on"]',
    ),
    "the first of two contracts speaks": (
        "followed = max(before, key",
        "followed = min(before, key",
    ),
    "of two contracts the lesser key": (
        'key=lambda row: (row["ended_on"], row["started_on"], row["contract_key"])',
        'key=lambda row: (row["ended_on"], row["started_on"], [-ord(sign) for sign in row["contract_key"]])',
    ),
    "of two contracts the first started": (
        'key=lambda row: (row["ended_on"], row["started_on"], row["contract_key"])',
        'key=lambda row: (row["ended_on"], -row["started_on"].toordinal(), row["contract_key"])',
    ),
    "an equal price is a rise": ("if new > old:", "if new >= old:"),
    "fixed on as_of": ("fixed_on is not None and fixed_on >= company.as_of", "False"),
    "the first plan speaks": (
        'rank = (row["planned_on"] or date.min, fixed_on or',
        'rank = (date.max - (row["planned_on"] or date.min), fixed_on or',
    ),
    "no plan is the latest plan": ('(row["planned_on"] or date.min, fixed', '(row["planned_on"] or date.max, fixed'),
    "an undone fix comes first": (
        'fixed_on or date.min, row["fix_key"])',
        'fixed_on or date.max, row["fix_key"])',
    ),
    "of two fixes the lesser key": (
        'fixed_on or date.min, row["fix_key"])',
        'fixed_on or date.min, [-ord(sign) for sign in row["fix_key"]])',
    ),
    "money lost on the day of the exit": ("each.on - timedelta(days=1), company.config)", "each.on, company.config)"),
    "a plan for as_of is overdue": ("planned_on < company.as_of and", "planned_on <= company.as_of and"),
    "done too late is overdue still": ("planned_on < company.as_of and fixed_on is None", "planned_on < company.as_of"),
    "the owner of the taxonomy": (
        "fix.owner_department if fix else owners.get(reason)",
        "owners.get(reason)",
    ),
    "no owner without a fix": ("fix.owner_department if fix else owners.get(reason)", "fix and fix.owner_department"),
    "fourteen days before as_of is ripe": ("timedelta(days=14) >= as_of or", "timedelta(days=14) > as_of or"),
    "unripe invitations count": ("invited_on + timedelta(days=14) >= as_of or", ""),
    "an answer on day fourteen is late": (
        "(answered_on - invited_on).days <= 14",
        "(answered_on - invited_on).days < 14",
    ),
    "late answers count": ("(answered_on - invited_on).days <= 14", "True"),
    "asked in the spell is not of the exit": (
        "spell.is_closed and spell.start <= invited_on < until",
        "spell.is_closed and spell.end <= invited_on < until",
    ),
    "asked on the day of the return": ("<= invited_on < until", "<= invited_on <= until"),
    "left after the fix": ("each.reason == reason and each.on <= fixed_on", "each.reason == reason"),
    "left on the day of the fix is after it": ("each.on <= fixed_on", "each.on < fixed_on"),
    "back before the fix": ("(each.returned_on is None or each.returned_on >= fixed_on)", "True"),
    "back on the day of the fix": ("each.returned_on >= fixed_on", "each.returned_on > fixed_on"),
    "told before the fix": ('outbound("fix_notice", fixed_on)', 'outbound("fix_notice")'),
    "invited before the fix": ('outbound("invitation", fixed_on)) for', 'outbound("invitation")) for'),
    "an undated refusal is none": (
        'client.refunds\n        if model.known_decision(refund, config) == "refused"',
        'client.refunds\n        if refund["decided_at"] and model.known_decision(refund, config) == "refused"',
    ),
    "refused on the day it was asked": (
        'local_day(refund["decided_at"] or refund["requested_at"], config.zone)\n        for',
        'local_day(refund["requested_at"], config.zone)\n        for',
    ),
    "the day of the exit is before it": (
        "each.on - timedelta(days=90), each.on - timedelta(days=1)",
        "each.on - timedelta(days=90), each.on",
    ),
    "eighty-nine days before": (
        "first, last = each.on - timedelta(days=90)",
        "first, last = each.on - timedelta(days=89)",
    ),
    "ninety-one days before": (
        "first, last = each.on - timedelta(days=90)",
        "first, last = each.on - timedelta(days=91)",
    ),
    "two offers are three": ("first, last)) >= 3", "first, last)) >= 2"),
    "the first exit is the last": ("last = own[-1]", "last = own[0]"),
    "fixed before the exit": ("and fix.fixed_on >= last.on else None", "else None"),
    "fixed on the day of the exit is before it": ("fix.fixed_on >= last.on", "fix.fixed_on > last.on"),
    "invited after the return": (
        "until = date.max if last.returned_on is None else last.returned_on - timedelta(days=1)",
        "until = date.max",
    ),
    "invited on the day of the return": (
        "last.returned_on - timedelta(days=1)",
        "last.returned_on",
    ),
    "invited before the fix is enough": ('"invitation", fixed_on or last.on, until)', '"invitation", last.on, until)'),
    "those we dismissed are invited": ("and last.type not in NOT_WON_BACK", ""),
    "the dissolved are invited": ("and client.closed_at is None", ""),
    "without consent": ("and life.has_consent\n", "\n"),
    "back on day thirty": ("each.returned_on <= landmark", "each.returned_on < landmark"),
    "ripe on the thirtieth day": ("and landmark < company.as_of:", "and landmark <= company.as_of:"),
    "all exits are called": ('if each.type == "lapsed" and', "if"),
    "called on day thirty is late": (
        '"win_back", each.on, landmark)',
        '"win_back", each.on, landmark - timedelta(days=1))',
    ),
    "called on the day of the exit is early": (
        '"win_back", each.on, landmark)',
        '"win_back", each.on + timedelta(days=1), landmark)',
    ),
    "called whenever": ('"win_back", each.on, landmark)', '"win_back")'),
    "the dismissed are compared": ("if each.type in NOT_WON_BACK:\n                continue", ""),
    "invitations after the return": (
        "until = date.max if each.returned_on is None else each.returned_on - timedelta(days=1)",
        "until = date.max",
    ),
    "counted from the exit": ("(back - self.landmark).days <= days", "(back - self.each.on).days <= days"),
    "back on the last day is late": ("(back - self.landmark).days <= days", "(back - self.landmark).days < days"),
    "ripe with the last day": (
        "timedelta(days=wait + days) < company.as_of",
        "timedelta(days=wait + days) <= company.as_of",
    ),
    "ripe without the wait": ("timedelta(days=wait + days) < company.as_of", "timedelta(days=days) < company.as_of"),
    "a year is 365 days": ("return day.replace(year=day.year + 1)\n", "return day + timedelta(days=365)\n"),
    "money before the return": ("if back <= day < end", "if day < end"),
    "money long after the return": ("if back <= day < end", "if back <= day"),
    "margin of everyone": ("if not attempt.returned_within(365):", "if back is None:"),
    "revenue is margin": (
        "round_money(Fraction(company.config.margin_share) * revenue)",
        "round_money(revenue)",
    ),
    "refunds are no loss": (
        'if model.known_decision(refund, config) == "paid":\n            day',
        "if False:\n            day",
    ),
    "the whole year of months": ("end = min(year_after(back), company.as_of)", "end = year_after(back)"),
    "every channel costs a call": ("costs.get(contact.channel, Fraction(0)) for attempt", 'costs["call"] for attempt'),
    "failed payments are payments": ('if payment["status"] == "succeeded"]', "]"),
    "inbound contacts cost nothing": (
        "for contact in life.contacts), Fraction(0))",
        'for contact in life.contacts if contact.direction == "outbound"), Fraction(0))',
    ),
    "discounts as they are": (
        'abs(sum((amount for _, amount in life.lines("discount")), model.ZERO))',
        'sum((amount for _, amount in life.lines("discount")), model.ZERO)',
    ),
    "months from the present spell": (
        "first = model.first_of(client.spells[0].start)",
        "first = model.first_of(client.spells[-1].start)",
    ),
    "a year begins a month late": (
        "month.month - first.month) // 12",
        "month.month - first.month - 1) // 12",
    ),
    "revenue outside of spells": ("if not any(model.spell_on(client, day) for day in days):", "if not client.spells:"),
    "contacts before the start": (
        "for contact in life.outbound(purpose, spell.start)",
        "for contact in life.outbound(purpose)",
    ),
    "only welcome calls touch": ('for purpose in ("service", "welcome")', 'for purpose in ("welcome",)'),
    "day fourteen is late": ("delay is None or delay > 14", "delay is None or delay >= 14"),
    "never touched is in time": ("delay is None or delay > 14", "delay is not None and delay > 14"),
    "due for one who leaves that day": (
        "spell.ended_on > spell.start + timedelta(days=45)",
        "spell.ended_on >= spell.start + timedelta(days=45)",
    ),
    "day nineteen welcomes": ("spell.start + timedelta(days=20)", "spell.start + timedelta(days=19)"),
    "day twenty is early": ("spell.start + timedelta(days=20)", "spell.start + timedelta(days=21)"),
    "day forty-five is late": (
        "first, last = spell.start + timedelta(days=20), spell.start + timedelta(days=45)",
        "first, last = spell.start + timedelta(days=20), spell.start + timedelta(days=44)",
    ),
    "day forty-six welcomes": (
        "first, last = spell.start + timedelta(days=20), spell.start + timedelta(days=45)",
        "first, last = spell.start + timedelta(days=20), spell.start + timedelta(days=46)",
    ),
    "ripe on day forty-five": (
        "timedelta(days=45) < company.as_of\n",
        "timedelta(days=45) <= company.as_of\n",
    ),
    "the month of the event is after it": (
        "first_after = month if event_on == month else model.add_months(month, 1)",
        "first_after = month",
    ),
    "the month of the event is neither": (
        "first_after = month if event_on == month else model.add_months(month, 1)",
        "first_after = model.add_months(month, 1)",
    ),
    "eleven months are a year": (
        "if not set(year) <= months:\n            return None",
        'if len(set(year) & months) < (12 if metric == "annual_churn_rate" else 10):\n            return None',
    ),
    "events to come": ("if event_on >= company.as_of:\n            continue", ""),
    "unripe returns": (
        'if not all(row["is_mature"] for row in returns if row["month"] in year):',
        'if total(returns, year, "returned") is None:',
    ),
    "a Wald interval": ("low_after, high_after = model.wilson(*after)", "low_after = high_after = share_after"),
    "before less after": ("change = share_after - share_before\n", "change = share_before - share_after\n"),
}

RISK_MISTAKES = {
    "a window of ninety-one days": ("first = day - WINDOW", "first = day - WINDOW - timedelta(days=1)"),
    "a window of eighty-nine days": ("first = day - WINDOW", "first = day - WINDOW + timedelta(days=1)"),
    "the day itself is known": ("start <= moment < end", "start <= moment <= end"),
    "inbound contacts meet": (
        'outbound = [contact for contact in contacts if contact.direction == "outbound"]',
        "outbound = contacts",
    ),
    "strangers are met": ("len(met - {None})", "len(met)"),
    "the first manager is a change": ("return any(earlier < start for earlier in about.managed_from)", "return True"),
    "two managers of one day are a change": (
        "return any(earlier < start for earlier in about.managed_from)",
        "return len(about.managed_from) > 1",
    ),
    "changes of 90 days": ("day - timedelta(days=365)) and followed", "first) and followed"),
    "changes of 364 days": ("day - timedelta(days=365)) and", "day - timedelta(days=364)) and"),
    "answers to come": ("if message.is_ours and message.sent_at < now]", "if message.is_ours]"),
    "an answer of the same instant": ("if any(answer > message.sent_at", "if any(answer >= message.sent_at"),
    "an earlier answer": ("if any(answer > message.sent_at for answer in answers)", "if answers"),
    "messages wait from the first minute": ("minutes(message.sent_at, now) > ONE_WORKING_DAY", "True"),
    "a day is long to wait": (
        "minutes(message.sent_at, now) > ONE_WORKING_DAY",
        "minutes(message.sent_at, now) >= ONE_WORKING_DAY",
    ),
    "an answer after the day": ("end = now if done_at is None else min(done_at, now)", "end = done_at or now"),
    "a target met exactly is missed": (
        "minutes(ticket.opened_at, end) > target",
        "minutes(ticket.opened_at, end) >= target",
    ),
    "our own tickets ask for an answer": ('            if ticket.opened_by == "client"\n', ""),
    "one target for both": ("targets.get((ticket.sla_class, metric))", 'targets.get(("ours", metric))'),
    "silence from its beginning": ("minutes(max(start, then), until)", "minutes(start, until)"),
    "silence to its end": ("until = now if end is None else min(end, now)", "until = end or now"),
    "only silences begun inside": ("if starts_inside or lasts_into:", "if starts_inside:"),
    "silence in minutes": ("until) / 60)", "until))"),
    "only the last score": ("mean = sum(scores) / len(scores)", "mean = scores[-1]"),
    "praise is ignored": ('row.kind in ("complaint", "idea", "review")', "True"),
    "ignored at once": ("within(row.submitted_on, first, day - timedelta(days=14))", "within(row.submitted_on)"),
    "ignored after fifteen days": ("first, day - timedelta(days=14))", "first, day - timedelta(days=15))"),
    "ignored after thirteen days": ("first, day - timedelta(days=14))", "first, day - timedelta(days=13))"),
    "acted on later": ("(row.acted_on_on is None or row.acted_on_on >= day)", "row.acted_on_on is None"),
    "acted on that day": ("row.acted_on_on >= day)", "row.acted_on_on > day)"),
    "every kind of feedback complains": ('row.kind == "complaint" and', ""),
    "discounts are fees": ('about.life.lines("fee")', 'about.life.lines("discount")'),
    "unsubscribed in the window": ("within(mailing.unsubscribed_on, date.min)", "within(mailing.unsubscribed_on)"),
    "unsubscribed later": (
        "within(mailing.unsubscribed_on, date.min)",
        "mailing.unsubscribed_on is not None",
    ),
    "a message is no contact": ("int(not outbound and not ours)", "int(not outbound)"),
    "tenure from the first spell": ("(day - spell.start).days", "(day - client.spells[0].start).days"),
    "the next level": ("level.lower_bound <= value]", "level.lower_bound < value]"),
    "missing is the lowest": (
        "return next((level for level in levels if level.lower_bound is None), None)",
        "value = 0",
    ),
    "in a spell on the day": ("model.spell_on(client, day - timedelta(days=1))", "model.spell_on(client, day)"),
    "ninety-one days to leave": (
        "ends = spell.ended_on is not None and day <= spell.ended_on < day + WINDOW\n    exposure",
        "ends = spell.ended_on is not None and day <= spell.ended_on <= day + WINDOW\n    exposure",
    ),
    "gone that day is not churned": (
        "ends = spell.ended_on is not None and day <= spell.ended_on < day + WINDOW\n    exposure",
        "ends = spell.ended_on is not None and day < spell.ended_on < day + WINDOW\n    exposure",
    ),
    "the dismissed stayed": ('LEFT_OUT = ("dismissed", "dissolved")', "LEFT_OUT = ()"),
    "the dissolved churned": (
        'CHURNING = ("released", "lapsed", "payment_failure")\nLEFT_OUT = ("dismissed", "dissolved")',
        'CHURNING = ("released", "lapsed", "payment_failure", "dissolved")\nLEFT_OUT = ("dismissed",)',
    ),
    "non-payers stayed": ('CHURNING = ("released", "lapsed", "payment_failure")', 'CHURNING = ("released", "lapsed")'),
    "outcomes not yet known": ("while day + WINDOW <= company.as_of:", "while day < company.as_of:"),
    "signals without history": ("if day >= company.history_starts_on + WINDOW:", "if day > company.history_starts_on:"),
    "an odds ratio": (
        "reference = Fraction(self.reference_churned, self.reference_exposures)",
        "reference = Fraction(self.reference_churned, self.exposures)",
    ),
    "an error without the sizes": ("            - Fraction(1, self.exposures)\n", ""),
    "an interval with an empty cell": ("            self.exposures - self.churned,\n", ""),
    "small levels weigh": ("self.level.is_reference or self.is_small or", "self.level.is_reference or"),
    "thirty exposures are small": ("return self.exposures < SMALL", "return self.exposures <= SMALL"),
    "missing values weigh": ("self.is_small or self.level.lower_bound is None or", "self.is_small or"),
    "weights are not shrunk": (" * TAU_SQUARED / (TAU_SQUARED + self.squared_error)", ""),
    "ties by the key downwards": (
        "return score_of(exposure, weights), exposure.client.client_id, exposure.day",
        "return score_of(exposure, weights), exposure.client.client_id[::-1], exposure.day",
    ),
    "the last tiles take the rest": ("size + (tile <= extra)", "size + (tile > parts - extra)"),
    "rates may fall": ("while len(blocks) > 1 and Fraction", "while False and Fraction"),
    "pooled without weights": (
        "blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]",
        "blocks[-1] = [*max(blocks[-1][:2], last[:2]), blocks[-1][2] + last[2]]",
    ),
    "the first twentieth reached": ("probability = reached[-1] if", "probability = reached[0] if"),
    "the least weights come first": (
        "adding = [(-weights[level], signal)",
        "adding = [(weights[level], signal)",
    ),
    "relief is a reason": ("if weights[level] > 0]", "if weights[level] != 0]"),
    "the missing are not named": ('", ".join(exposure.missing)', '""'),
    "weights of all times": (
        "if exposure.day + WINDOW <= quarter]",
        "if exposure.day != quarter]",
    ),
    "outcomes of the quarter itself": ("if exposure.day + WINDOW <= quarter]", "if exposure.day <= quarter]"),
    "deciles from the top": ("above = [exposure for exposure, tile in ranked if tile >= decile]", "above = group"),
    "lift over all quarters": (
        "base = Fraction(sum(exposure.is_churned for exposure in here), len(here))",
        "base = Fraction(sum(exposure.is_churned for exposure in exposures), len(exposures))",
    ),
}


def is_seen(module: ModuleType, right: str, wrong: str, companies, results, monkeypatch) -> bool:
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert right in source, "the rule is written differently by now: bring this list up to date"
    mutant = ModuleType("tests.reference.mutant")
    monkeypatch.setitem(sys.modules, mutant.__name__, mutant)  # dataclasses look their module up
    exec(compile(source.replace(right, wrong), mutant.__name__, "exec"), mutant.__dict__)
    try:
        for company, expected in zip(companies, results, strict=True):
            for name in KEPT:
                company.__dict__.pop(name, None)
            for mart in sorted(module.MARTS, key=lambda name: name == "programme_effect"):  # the slow one is the last
                if mutant.MARTS[mart][0](company) != expected[mart]:
                    return True
        return False
    finally:
        for company in companies:
            for name in KEPT:
                company.__dict__.pop(name, None)


@pytest.mark.parametrize("mistake", VOICE_MISTAKES)
def test_a_mistake_in_any_rule_of_voice_would_be_seen(mistake, companies, results, monkeypatch):
    assert is_seen(voice, *VOICE_MISTAKES[mistake], companies, results, monkeypatch), (
        "no company tells it from the rule"
    )


@pytest.mark.parametrize("mistake", RISK_MISTAKES)
def test_a_mistake_in_any_rule_of_risk_would_be_seen(mistake, companies, results, monkeypatch):
    assert is_seen(risk, *RISK_MISTAKES[mistake], companies, results, monkeypatch), "no company tells it from the rule"

"""The planted truth of leaving: reasons, interviews, fixes and who heard of them, what came before, who was called."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.model import day_of, midnight, to_date
from demo.plan import Plan
from demo.seen import SeenClient, SeenSpell, levels, mature_months, month_of

DEFECTORS = {"released": "active", "lapsed": "passive", "payment_failure": "passive"}
ANSWER_DAYS, BEFORE_EXIT, LANDMARK, YEAR = 14, 90, 30, 365


@dataclass(slots=True)
class Exit:
    """A spell that is over, why, and when the client came back (None: not yet)."""

    client: SeenClient
    spell: SeenSpell
    reason: str
    back_on: int | None

    @property
    def on(self) -> int:
        """The first day without service."""
        return self.spell.ended_on


@dataclass(slots=True)
class Fix:
    """How far the fix of a reason is."""

    owner: str
    planned_on: int
    fixed_on: int | None


def tell(plan: Plan, clients: list[SeenClient], today: int) -> dict[str, Any]:
    """The truth of leaving on a day."""
    months = {month.isoformat(): closing for month, _, closing in mature_months(today)}
    exits = list(_exits(clients, today))
    fixes = _fixes(plan, today)
    return {
        "exit_reasons": _reasons(exits, months),
        "reason_fixes": [
            {
                "reason_code": reason,
                "owner_department": fix.owner,
                "planned_on": to_date(fix.planned_on).isoformat(),
                "fixed_on": None if fix.fixed_on is None else to_date(fix.fixed_on).isoformat(),
                "is_overdue": fix.fixed_on is None and fix.planned_on < today,
            }
            for reason, fix in sorted(fixes.items())
        ],
        "interview_response": _interviews(clients, today),
        "loop": _loop(exits, fixes, months, today),
        "exit_precedents": _precedents(exits, months),
        "win_back": _win_back(exits, months, today),
        "win_back_clients": [
            _whom(exit_, fixes, today) for exit_ in {one.client.client_id: one for one in exits}.values()
        ],
    }


def _exits(clients: list[SeenClient], today: int) -> Iterator[Exit]:
    for client in clients:
        for place, spell in enumerate(client.spells):
            if spell.ended_on is None:
                continue
            interview, reason = spell.planned.interview, "unknown"
            if interview is not None and interview.answered_at is not None and interview.answered_at < midnight(today):
                reason = interview.reason
            back_on = client.spells[place + 1].started_on if place + 1 < len(client.spells) else None
            yield Exit(client, spell, reason, back_on)


def _fixes(plan: Plan, today: int) -> dict[str, Fix]:
    """By reason, the fix that is planned last."""
    found: dict[str, Fix] = {}
    for fact in plan.book.facts["reason_fixes"]:
        if (seen := fact.seen_at(midnight(today))) is None:
            continue
        _, reason, owner, planned_on, fixed_on = seen[1]
        if reason not in found or planned_on > found[reason].planned_on:
            found[reason] = Fix(owner, planned_on, fixed_on)
    return found


def _reasons(exits: list[Exit], months: dict[str, int]) -> list[dict[str, Any]]:
    counts: dict[tuple, list[int]] = defaultdict(lambda: [0, 0])
    for exit_ in exits:
        if (month := month_of(exit_.on)) not in months:
            continue
        defector = DEFECTORS.get(exit_.spell.exit_type, "none")
        for level in levels(exit_.client):
            count = counts[month, exit_.reason, level, defector]
            count[0] += 1
            count[1] += exit_.client.mrr(exit_.on - 1)
    keys = ("month", "reason_code", "segment", "defector")
    return [
        dict(zip(keys, key, strict=True)) | {"exits": number, "mrr_lost": str(Decimal(lost).scaleb(-2))}
        for key, (number, lost) in sorted(counts.items())
    ]


def _interviews(clients: list[SeenClient], today: int) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for spell in (spell for client in clients for spell in client.spells):
        interview = spell.planned.interview
        if interview is None or day_of(interview.invited_at) + ANSWER_DAYS >= today:
            continue
        answered = interview.answered_at
        in_time = answered is not None and day_of(answered) - day_of(interview.invited_at) <= ANSWER_DAYS
        key = month_of(day_of(interview.invited_at)), DEFECTORS.get(spell.exit_type, "none")
        counts[key].update(invited=1, answered=int(in_time))
    return [
        {"month": month, "defector": defector, "invited": count["invited"], "answered": count["answered"]}
        for (month, defector), count in sorted(counts.items())
    ]


def _loop(exits: list[Exit], fixes: dict[str, Fix], months: dict[str, int], today: int) -> list[dict[str, Any]]:
    rows = []
    for reason, fix in sorted(fixes.items()):
        if fix.fixed_on is None or month_of(fix.fixed_on) not in months:
            continue
        fixed_on = fix.fixed_on
        leavers = [
            exit_
            for exit_ in exits
            if exit_.reason == reason and exit_.on <= fixed_on and (exit_.back_on is None or exit_.back_on >= fixed_on)
        ]
        rows.append(
            {
                "month": month_of(fixed_on),
                "reason_code": reason,
                "leavers": len(leavers),
                "told": sum(one.client.count("outbound fix_notice", fixed_on, today) > 0 for one in leavers),
                "invited": sum(one.client.count("outbound invitation", fixed_on, today) > 0 for one in leavers),
                "returned": sum(one.back_on is not None for one in leavers),
            }
        )
    return rows


def _precedents(exits: list[Exit], months: dict[str, int]) -> list[dict[str, Any]]:
    least = {
        "with_fee": ("fee", 1),
        "with_price_rise": ("price_rise", 1),
        "with_dispute": ("dispute", 1),
        "with_refusal": ("refund_refused", 1),
        "with_upsell": ("outbound upsell", 3),
        "with_unsubscription": ("unsubscribed", 1),
    }
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for exit_ in exits:
        if (month := month_of(exit_.on)) not in months:
            continue
        found = {
            column: int(exit_.client.count(what, exit_.on - BEFORE_EXIT, exit_.on) >= times)
            for column, (what, times) in least.items()
        }
        for level in levels(exit_.client):
            counts[month, level].update(exits=1, **found)
    return [
        {"month": month, "segment": level, "exits": count["exits"]} | {column: count[column] for column in least}
        for (month, level), count in sorted(counts.items())
    ]


def _whom(exit_: Exit, fixes: dict[str, Fix], today: int) -> dict[str, Any]:
    """The last exit of a client, and whether it is one to invite: its reason is mended, and nobody has told it yet."""
    client, fix = exit_.client, fixes.get(exit_.reason)
    is_mended = fix is not None and fix.fixed_on is not None and fix.fixed_on >= exit_.on
    consents, is_closed = False, False
    if client.life.client.fact is not None:
        *_, closed_at, consent = client.life.client.fact.seen_at(midnight(today))[1]
        consents, is_closed = consent is True, closed_at is not None
    is_invited = is_mended and client.count("outbound invitation", fix.fixed_on, exit_.back_on or today) > 0
    is_lost_for_good = is_closed or exit_.spell.exit_type in ("dismissed", "dissolved")
    return {
        "client_id": client.client_id,
        "exit_type": exit_.spell.exit_type,
        "ended_on": to_date(exit_.on).isoformat(),
        "reason_code": exit_.reason,
        "fixed_on": to_date(fix.fixed_on).isoformat() if is_mended else None,
        "returned_on": None if exit_.back_on is None else to_date(exit_.back_on).isoformat(),
        "is_to_invite": is_mended and not is_invited and exit_.back_on is None and consents and not is_lost_for_good,
    }


def _win_back(exits: list[Exit], months: dict[str, int], today: int) -> list[dict[str, Any]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for exit_ in exits:
        landmark = exit_.on + LANDMARK
        is_back = exit_.back_on is not None and exit_.back_on <= landmark
        if exit_.spell.exit_type != "lapsed" or is_back or landmark >= today or month_of(exit_.on) not in months:
            continue
        group = "contacted" if exit_.client.count("outbound win_back", exit_.on, landmark + 1) else "uncontacted"
        returns = exit_.back_on is not None and exit_.back_on - landmark <= YEAR
        counts[month_of(exit_.on)].update({group: 1, f"{group}_returned": int(returns)})
    rows = []
    for month, count in sorted(counts.items()):
        is_mature = months[month] + LANDMARK + YEAR < today
        rows.append(
            {
                "month": month,
                "contacted": count["contacted"],
                "returned": count["contacted_returned"] if is_mature else None,
                "uncontacted": count["uncontacted"],
                "uncontacted_returned": count["uncontacted_returned"] if is_mature else None,
            }
        )
    return rows

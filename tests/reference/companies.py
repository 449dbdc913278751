"""The companies on which the product is compared with the reference: nasty ones, under different vars."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.reference import nasty_life
from tests.reference.nasty import Nasty
from tests.reference.reading import Config


@dataclass(frozen=True)
class Case:
    """One company and the vars that it is read with. `vars` are overrides by the names of the definitions page."""

    name: str
    seed: int
    as_of: date
    clients: int
    vars: dict[str, Any]
    # Seeds of the company's own; an empty calendar stands for one that is made for it.
    own_seeds: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        return (
            Nasty(
                self.seed,
                self.as_of,
                clients=self.clients,
                zone=self.vars.get("company_timezone", "Europe/Moscow"),
                currency=self.vars.get("company_currency", "RUB"),
                lapse_days=self.vars.get("lapse_days", 90),
                **{name: self.vars[name] for name in ("working_days", "opens_at", "closes_at") if name in self.vars},
                own_seeds=dict(self.own_seeds),
            )
            .build()
            .write(folder)
        )

    def config(self) -> Config:
        given = dict(self.vars)
        if "history_starts_on" in given:
            given["history_starts_on"] = date.fromisoformat(given["history_starts_on"])
        return Config(self.as_of, **given)


CASES = [
    Case("defaults on the first of a month", 11, date(2025, 3, 1), 250, {}),
    Case(
        "short lapse and grace in Berlin, in euros",
        2,
        date(2024, 11, 14),
        120,
        {
            "lapse_days": 30,
            "grace_days": 3,
            "obstruction_days": 5,
            "refund_window_days": 10,
            "min_at_risk": 1,
            "margin_share": "0.335",
            "company_timezone": "Europe/Berlin",
            "company_currency": "EUR",
            # The hour that a clock change skips or repeats is worked here.
            "working_days": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sun"],
            "opens_at": "01:30",
            "closes_at": "24:00",
        },
        {"calendar_exceptions": []},
    ),
    Case(
        "no grace and a history that starts late in New York, in dollars",
        3,
        date(2025, 1, 1),
        120,
        {
            "grace_days": 0,
            "min_at_risk": 3,
            "history_starts_on": "2023-02-15",
            "company_timezone": "America/New_York",
            "company_currency": "USD",
            "working_days": ["Mon", "Tue", "Wed", "Thu", "Sun"],
            "opens_at": "10:00",
            "closes_at": "19:30",
        },
        {
            "calendar_exceptions": [],
            "sla_targets": [
                {"sla_class": "ours", "metric": "first_response", "target_minutes": "90"},
                {"sla_class": "third_party", "metric": "first_response", "target_minutes": "540"},
                {"sla_class": "ours", "metric": "resolution", "target_minutes": "1000"},
                {"sla_class": "third_party", "metric": "resolution", "target_minutes": "1620"},
            ],
            "satisfaction_weights": [
                {"part": "operator_rating", "weight": "2"},
                {"part": "review", "weight": "0.5"},
                {"part": "survey", "weight": "0"},
            ],
            "targets": [
                {"metric": "satisfaction_index", "target": "3.5"},
                {"metric": "interview_response", "target": "0.2"},
                {"metric": "first_response_attainment", "target": "0.9"},
                {"metric": "resolution_attainment", "target": "0.9"},
            ],
            "driver_levels": nasty_life.driver_levels(),
            "driver_texts": nasty_life.driver_texts(),
            "unit_costs": nasty_life.unit_costs(),
        },
    ),
]

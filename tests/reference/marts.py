"""Every mart of the reference, put together from its families."""

from pathlib import Path
from typing import Any

from tests.reference import model, risk, service, voice
from tests.reference.reading import Config, Row

# Mart → (how it is made from a company, the columns of its grain).
MARTS: dict[str, Any] = {**model.MARTS, **service.MARTS, **voice.MARTS, **risk.MARTS}


def compute(folder: Path, config: Config) -> dict[str, list[Row]]:
    """Every mart as rows, and `quarantine` and `pipeline_health`, for one folder of canonical CSV files."""
    company = model.load_company(folder, config)
    marts = {name: build(company) for name, (build, _) in MARTS.items()}
    marts["quarantine"] = model.quarantine(company)
    marts["pipeline_health"] = model.pipeline_health(company)
    return marts

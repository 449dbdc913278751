"""A published demo company and the canonical files it was made from."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.docs import demo_company


@dataclass(frozen=True)
class Published:
    """The files that went in and the marts that came out."""

    files: Path
    database: Path
    as_of: pd.Timestamp

    def csv(self, entity: str) -> pd.DataFrame:
        """The rows of an entity as they were delivered, every column as text."""
        return pd.read_csv(self.files / f"{entity}.csv", dtype=str)

    @property
    def first_month(self) -> pd.Timestamp:
        """Months before the first contract or prepaid event do not exist."""
        facts = [pd.to_datetime(self.csv("contracts").started_on).min()]
        moments = pd.to_datetime(self.csv("prepaid_events").occurred_at, utc=True, format="ISO8601")
        facts.append(moments.dt.tz_convert("Europe/Moscow").dt.tz_localize(None).min())
        return min(facts).normalize().replace(day=1)

    def mart(self, name: str) -> pd.DataFrame:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.sql(f"select * from marts.{name}").df()


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """The demo company that other folders of tests use too, run through the product."""
    settings = demo_company.published(tmp_path_factory)
    return Published(settings.home.parent / "files", settings.published_file, pd.Timestamp(demo_company.AS_OF))

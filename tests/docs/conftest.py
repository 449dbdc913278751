"""A published build of the demo company, made once for the folder."""

from pathlib import Path

import pytest

from retention.settings import Settings
from tests.docs import demo_company


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with a published build of a small demo company."""
    folder: Path = tmp_path_factory.mktemp("analysts")
    return demo_company.publish(folder, clients=400)

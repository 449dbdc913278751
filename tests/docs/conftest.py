"""A published build of the demo company."""

import pytest

from retention.settings import Settings
from tests.docs import demo_company


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with a published build of a small demo company."""
    return demo_company.published(tmp_path_factory)

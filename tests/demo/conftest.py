"""Small demo companies, drawn once for the folder."""

import pytest

from demo import plan as plans


@pytest.fixture(scope="session")
def small_plan() -> plans.Plan:
    return plans.build(seed=11, clients=60)


@pytest.fixture(scope="session")
def default_plan() -> plans.Plan:
    """The company that `make demo` makes."""
    from demo.model import DEFAULT_CLIENTS, DEFAULT_SEED

    return plans.build(DEFAULT_SEED, DEFAULT_CLIENTS)

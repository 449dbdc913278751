"""A published build of a small company, and a Superset that shows it; both made once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from typer.testing import CliRunner

from local import envfile, postgres, processes, superset
from local.stack import Stack
from retention.cli import app
from retention.dashboards import push, read_assets
from retention.settings import Settings, load_settings
from tests.dashboards import company
from tests.dashboards.api import Api
from tests.dashboards.browser import browser


def publish(files: Path, home: Path) -> None:
    """Run the pipeline without Airflow over a folder of canonical files."""
    arguments = ["run", "--files", str(files), "--as-of", company.AS_OF.isoformat(), "--home", str(home)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A home with a published build, its own PostgreSQL and a running Superset."""
    folder = tmp_path_factory.mktemp("dashboards")
    home = folder / "home"
    publish(company.write(folder / "files"), home)
    stack = Stack(home)
    with pytest.MonkeyPatch.context() as environment:
        # Not the usual ports: somebody may be starting a stack of his own meanwhile.
        for place, name in enumerate(("POSTGRES", "SUPERSET")):
            port = processes.free_port(20_000 + 2 * (os.getpid() % 10_000) + place)
            environment.setenv(f"LOCAL_{name}_PORT", str(port))
        stack.prepare(demo=False)
    server = postgres.Server(stack.port("postgres"), stack.values["LOCAL_POSTGRES_PASSWORD"])
    try:
        postgres.start(stack.home / "postgres", server, run=stack.run, log=stack.log(postgres.NAME), durable=False)
        postgres.ensure_role(server, "superset", stack.values["LOCAL_SUPERSET_DATABASE_PASSWORD"])
        postgres.ensure_database(server, "superset", "superset")
        superset.prepare(stack)
        superset.start(stack)
        superset.wait(stack)
        yield stack
    finally:
        processes.stop(stack.run, superset.NAME)
        postgres.stop(stack.run)


@pytest.fixture(scope="session")
def settings(stack: Stack) -> Settings:
    """Settings of that home; the dashboards are pushed."""
    settings = load_settings(stack.home)
    push(settings)
    return settings


@pytest.fixture(scope="session")
def people(settings: Settings) -> dict[str, str]:
    """One user of each role: name of the role → password. The user is called like the role, in small letters."""
    api = Api(settings)
    passwords = {}
    for role in ("Leadership", "Analyst", "Retention team"):
        passwords[role] = envfile.secret()
        api.add_user(user_of(role), passwords[role], role)
    return passwords


def user_of(role: str) -> str:
    return role.lower().replace(" ", "_")


def titles_of(dashboard: str) -> set[str]:
    """The titles of the charts that a dashboard shows, by the name of its file."""
    assets = read_assets()
    titles = {asset["uuid"]: asset["slice_name"] for path, asset in assets.items() if path.startswith("charts/")}
    parts = assets[f"dashboards/{dashboard}.yaml"]["position"].values()
    return {titles[part["meta"]["uuid"]] for part in parts if isinstance(part, dict) and part.get("type") == "CHART"}


def swap(link: Path, target: Path) -> None:
    """Point the published link at another build, as a publish does."""
    new = link.with_suffix(".new")
    new.symlink_to(target)
    new.replace(link)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium

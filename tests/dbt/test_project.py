"""Harm prevented: unit tests that nobody runs, a model nobody understands, two copies of the contract that disagree."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from retention import landing
from retention.duck import connect
from retention.settings import Settings, load_settings
from retention.sources.contract import CANONICAL

PROJECT = Path(__file__).parents[2] / "dbt_project"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which the models exist, over an empty landing zone."""
    settings = load_settings(tmp_path_factory.mktemp("project"), sources=["files"])
    settings.build_dir.mkdir(parents=True)
    with connect(settings.extensions, settings.build_file) as connection:
        landing.create_landing_views(connection, settings)
    return settings


def dbt(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"),
            *arguments,
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(settings.dbt_target), "--log-path", str(settings.dbt_logs)),
            *("--vars", json.dumps({"as_of": "2024-01-01"})),
        ],
        env={**os.environ, "RETENTION_BUILD_FILE": str(settings.build_file)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_company_gives_empty_marts_and_every_unit_test_of_the_rules_passes(settings: Settings) -> None:
    result = dbt(settings, "build")
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    outcomes = json.loads((settings.dbt_target / "run_results.json").read_text())["results"]
    assert sum(1 for outcome in outcomes if outcome["unique_id"].startswith("unit_test.")) >= 3


def test_every_model_says_what_it_is_and_its_grain_and_every_mart_column_is_described(settings: Settings) -> None:
    nodes = json.loads((settings.dbt_target / "manifest.json").read_text())["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    assert len(models) > 90
    silent = [node["name"] for node in models if "grain:" not in node["description"].lower()]
    assert silent == []
    marts = [node for node in models if node["schema"] in ("marts", "restricted")]
    assert len(marts) >= 16
    for node in marts:
        assert node["config"]["contract"]["enforced"], node["name"]
        assert [name for name, column in node["columns"].items() if not column["description"]] == [], node["name"]


def test_marts_read_intermediate_models_and_never_staging_or_sources(settings: Settings) -> None:
    nodes = json.loads((settings.dbt_target / "manifest.json").read_text())["nodes"]
    # The health page is about what arrived, so it alone looks at the layers before the rules.
    reaching = {
        node["name"]
        for node in nodes.values()
        if node["resource_type"] == "model"
        and node["schema"] in ("marts", "restricted")
        and any(
            parent.startswith("source.") or nodes.get(parent, {}).get("schema") in ("staging", "quarantine")
            for parent in node["depends_on"]["nodes"]
        )
    }
    assert reaching == {"pipeline_health"}


def test_models_stay_free_of_the_clock_of_the_machine() -> None:
    clock = re.compile(r"\b(current_date|current_timestamp|now\s*\(|today\s*\()", re.IGNORECASE)
    files = [*PROJECT.glob("models/**/*.sql"), *PROJECT.glob("macros/**/*.sql")]
    assert len(files) > 90
    assert [path.name for path in files if clock.search(path.read_text(encoding="utf-8"))] == []
    assert clock.search("where day < CURRENT_DATE")


def test_the_contract_is_the_same_for_files_and_for_the_warehouse() -> None:
    text = (PROJECT / "macros" / "canonical_entities.sql").read_text(encoding="utf-8")
    blocks = re.findall(r"^        '(\w+)': \{\n(.*?)^        \},", text, re.MULTILINE | re.DOTALL)
    in_dbt = {
        entity: (
            [name for name, _ in re.findall(r"\['(\w+)', '\w+', (required|optional)\]", block)],
            [
                name
                for name, need in re.findall(r"\['(\w+)', '\w+', (required|optional)\]", block)
                if need == "required"
            ],
            re.findall(r"'(\w+)'", re.search(r"'key': \[(.*?)\]", block)[1]),
        )
        for entity, block in blocks
    }
    assert in_dbt == {
        name: (
            [column for column in entity.columns if column != "updated_at"],
            [column for column in entity.columns if column in entity.required],
            list(entity.key),
        )
        for name, entity in CANONICAL.items()
    }

"""The documents that are made from dbt's files: `python -m retention.docs page | site`, or `make docs` for both.

`page` writes docs/metrics.md, one row per metric, from the doc blocks. `site` lets dbt write its own documentation
(every model and column, lineage, exposures) as one static page into the run-time folder.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from retention import landing
from retention.build import effective_vars
from retention.duck import connect
from retention.lock import LockError, writer_lock
from retention.mart_texts import MartTextsError, Metric, metrics_of, read_marts
from retention.settings import PROJECT_ROOT, Settings, load_settings

PAGE = PROJECT_ROOT / "docs" / "metrics.md"
HEAD = """\
# The metrics

Generated from the doc blocks of `dbt_project/models/marts` by `make docs`; do not edit. The same texts stand in
`marts.metric_definitions` and in Superset. *Formula* names columns of the mart. Where it is a quotient, sum both parts
over the rows you want before dividing; filter `segment` (`all` is one of its levels) instead of summing over it. The
rows are those of the brief that the project was built from.

| metric | mart | formula | what it says | rows |
|---|---|---|---|---|
"""


class DocsError(RuntimeError):
    """A document cannot be made; the message says what to do."""


def metrics_page(metrics: list[Metric]) -> str:
    """docs/metrics.md: the metrics in the order of their marts and names."""
    rows = [
        f"| {_cell(metric.name)} | `{metric.mart}` | `{_cell(metric.formula)}` | {_cell(metric.text)} "
        f"| {', '.join(metric.mission_rows)} |"
        for metric in sorted(metrics, key=lambda metric: (metric.mart, metric.name))
    ]
    return HEAD + "".join(f"{row}\n" for row in rows)


def write_site(settings: Settings) -> Path:
    """Write dbt's documentation as one page into `<home>/docs`, and return its path.

    Types and sizes of tables are those of the home's build; without one, those of an empty build. Raises DocsError.
    """
    folder = settings.home / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
        build_file = _build_file(settings, Path(scratch))
        target = Path(scratch) / "target"
        result = subprocess.run(
            [
                str(Path(sys.executable).parent / "dbt"),
                *("--no-use-colors", "--no-send-anonymous-usage-stats", "--quiet"),
                *("docs", "generate", "--static"),
                *("--vars", json.dumps(_vars(settings), default=str)),
                *("--project-dir", str(settings.dbt_project), "--profiles-dir", str(settings.dbt_project)),
                *("--target-path", str(target), "--log-path", str(Path(scratch) / "logs")),
            ],
            env={**os.environ, "RETENTION_BUILD_FILE": str(build_file)},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise DocsError("dbt could not write its documentation:\n" + (result.stdout + result.stderr)[-2000:])
        page = folder / "index.html"
        (target / "static_index.html").replace(page)
    return page


def _build_file(settings: Settings, scratch: Path) -> Path:
    """A copy of the home's build that nobody else writes to, else an empty build over the home's landing zone."""
    copy = scratch / "retention.duckdb"
    try:
        with writer_lock(settings):
            if settings.build_file.exists():
                shutil.copyfile(settings.build_file, copy)
                return copy
    except LockError as error:
        raise DocsError(str(error)) from error
    with connect(settings.extensions, copy) as connection:
        landing.create_landing_views(connection, settings)
    return copy


def _vars(settings: Settings) -> dict[str, object]:
    given = {**effective_vars(settings), "as_of": settings.as_of, "sources": settings.sources}
    return {name: value for name, value in given.items() if value is not None}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m retention.docs", description=__doc__)
    parser.add_argument("what", choices=("page", "site"))
    what = parser.parse_args().what
    settings = load_settings()
    try:
        if what == "page":
            text = metrics_page(list(metrics_of(read_marts(settings.dbt_project)).values()))
            PAGE.write_text(text, encoding="utf-8")
            print(f"the metrics: {PAGE}")
        else:
            print(f"models, columns and lineage: {write_site(settings).as_uri()}")
    except (DocsError, MartTextsError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()

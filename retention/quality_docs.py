"""The results of a gate as one self-contained HTML page: no script, no style sheet or font from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from retention.build import Build
from retention.settings import Settings

if TYPE_CHECKING:
    from retention.quality import Outcome

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin: 2rem 0 .2rem; font-size: 1.1rem } p { margin: .2rem 0 .6rem; color: #556 }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #dde; padding: .3rem .5rem; vertical-align: top }
td:first-child { width: 5rem; font-weight: 600 } .good { color: #17693a } .bad { color: #a8201a }
"""


def write(settings: Settings, boundary: str, build: Build, outcomes: list[Outcome]) -> Path:
    """Write `<home>/quality/<boundary>.html`, broken suites first. Returns its path."""
    failed = [outcome for outcome in outcomes if not outcome.success]
    verdict = (
        f"{len(failed)} of {len(outcomes)} expectations are broken"
        if failed
        else f"all {len(outcomes)} expectations hold"
    )
    suites = [list(group) for _, group in groupby(outcomes, key=lambda outcome: outcome.suite.name)]
    suites.sort(key=lambda group: all(outcome.success for outcome in group))
    page = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Expectations on {boundary}</title>"
        f"<style>{STYLE}</style>"
        f"<h1>Expectations on {boundary}: <span class='{'bad' if failed else 'good'}'>{verdict}</span></h1>"
        f"<p>Build {build.build_id}, data up to {build.as_of}, checked {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.</p>"
        + "".join(_section(group) for group in suites)
        + "</html>"
    )
    settings.quality.mkdir(parents=True, exist_ok=True)
    path = settings.quality / f"{boundary}.html"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)
    return path


def _section(outcomes: Iterable[Outcome]) -> str:
    rows, suite = "", None
    for outcome in outcomes:
        suite = outcome.suite
        text = outcome.rule.words if outcome.success else outcome.sentence()
        mark = "<td class='good'>holds" if outcome.success else "<td class='bad'>broken"
        rows += f"<tr>{mark}<td>{html.escape(text)}"
    return f"<h2>{html.escape(suite.name)}</h2><p>{html.escape(suite.guards)}</p><table>{rows}</table>" if suite else ""

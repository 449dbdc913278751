"""Takes the pictures for the README from a running stack: `python -m tests.dashboards.screenshot [HOME]`.

HOME is the folder of the stack (default: RETENTION_HOME, else var/). Writes docs/images/, fails when a chart is broken
or empty.
"""

import sys
from pathlib import Path

from retention.settings import PROJECT_ROOT, load_settings
from tests.dashboards.browser import browser, log_in, look, picture

IMAGES = PROJECT_ROOT / "docs" / "images"


def main(home: Path | None) -> None:
    settings = load_settings(home)
    if not settings.superset_url or not settings.superset_user or not settings.superset_password:
        raise SystemExit(f"{settings.home} has no running stack: `make demo` first.")
    with browser() as chromium:
        password = settings.superset_password.get_secret_value()
        page = log_in(chromium, settings.superset_url, settings.superset_user, password)
        seen = look(page, settings.superset_url, "retention-overview", ("Data health",))
        pictures = [picture(page, IMAGES / "data-health.png")]
        page.get_by_role("tab", name="Overview").click()
        page.wait_for_timeout(2000)
        pictures.append(
            picture(page, IMAGES / "retention-overview.png", last="What moved the monthly recurring revenue")
        )
        cohorts = "Who is still with us, by month of the start"
        pictures.append(picture(page, IMAGES / "retention-cohorts.png", only=cohorts))
    print(*pictures, sep="\n")
    if seen.wrong or seen.empty:
        raise SystemExit(f"broken: {seen.wrong}; empty: {sorted(seen.empty)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

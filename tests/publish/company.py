"""A tiny company in canonical files: just enough months, releases and returns for every mart to be made."""

import atexit
import csv
import shutil
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from retention import pipeline
from retention.settings import Settings, load_settings

FIRST_DAY = date(2023, 1, 10)
AS_OF = date(2024, 7, 1)


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows as canonical CSV; None is an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def clients(number: int = 40) -> list[dict[str, object]]:
    """Clients C000, C001, … in two segments."""
    return [
        {
            "client_key": f"C{index:03}",
            "name": f"Client {index}",
            "segment": ("retail", "finance")[index % 2],
            "size_band": "",
            "region": "",
            "acquisition_channel": "",
            "registered_at": f"{FIRST_DAY + timedelta(days=index)}T09:00:00+03:00",
            "closed_at": "",
            "marketing_consent": "true",
        }
        for index in range(number)
    ]


def contracts(number: int = 40) -> list[dict[str, object]]:
    """A contract per client; every fourth client asks to leave after 120 days, half of these return in 20."""
    rows = []
    for index in range(number):
        start = FIRST_DAY + timedelta(days=index)
        leaves = index % 4 == 0
        rows.append(_contract(f"K{index:03}", index, start, start + timedelta(days=120) if leaves else None))
        if index % 8 == 0:
            rows.append(_contract(f"K{index:03}-2", index, start + timedelta(days=140), None))
    return rows


def _contract(key: str, index: int, start: date, end: date | None) -> dict[str, object]:
    return {
        "contract_key": key,
        "client_key": f"C{index:03}",
        "plan": "standard",
        "price": "1000.00",
        "currency": "",
        "billing_period": "month",
        "started_on": start.isoformat(),
        "ended_on": end.isoformat() if end else "",
        "end_reason": "request" if end else "",
        "is_trial": "false",
    }


def write_company(folder: Path, number: int = 40) -> Path:
    """Write clients.csv and contracts.csv: the least that a company must bring."""
    write_csv(folder / "clients.csv", clients(number))
    write_csv(folder / "contracts.csv", contracts(number))
    return folder


@cache
def built_home() -> Path:
    """The home of one whole run on the tiny company, made once per test process. Copy it (`copy_home`) to change it."""
    home = Path(mkdtemp(prefix="retention-test-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    files = write_company(home / "files")
    settings = load_settings(home, sources=["files"], files_dir=files, as_of=AS_OF)
    pipeline.run(settings, lambda text: None)
    return home


def copy_home(target: Path) -> Settings:
    """A home of one's own with everything that `built_home` has, and its settings."""
    shutil.copytree(built_home(), target, symlinks=True)
    return load_settings(target, sources=["files"], files_dir=target / "files", as_of=AS_OF)

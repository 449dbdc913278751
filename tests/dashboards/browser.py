"""Looks at a dashboard as a person does: logs in, opens it, waits until everything is drawn, takes pictures."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Error, Page, Playwright, Response, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHART = "[data-test-chart-id]"
# Tall enough that every chart of a tab is in view: Superset draws what can be seen.
TALL = {"width": 1500, "height": 4400}
NOTHING = re.compile(r"No results were returned|No data|No Results", re.IGNORECASE)


@dataclass
class Seen:
    """What a look at a dashboard brought: per chart its text, what is wrong with it, and the answers behind it."""

    texts: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    answers: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium: the one of this machine, else one that Playwright can install.

    Raises RuntimeError saying how to get one.
    """
    with sync_playwright() as playwright:
        chromium = _launch(playwright)
        try:
            yield chromium
        finally:
            chromium.close()


def _launch(playwright: Playwright) -> Browser:
    chosen = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if chosen:
        return playwright.chromium.launch(executable_path=chosen, args=FLAGS)
    try:
        return playwright.chromium.launch(args=FLAGS)
    except Error:
        command = [sys.executable, "-m", "playwright", "install", "chromium"]
        installed = subprocess.run(command, capture_output=True, text=True)
    try:
        return playwright.chromium.launch(args=FLAGS)
    except Error as error:
        raise RuntimeError(
            "There is no Chromium to look at the dashboard with, and none could be installed. Install the package "
            "`chromium` of your system, or name a Chromium or Chrome: CHROMIUM=/path/to/chromium make test. "
            f"`{' '.join(command[1:])}` said: {(installed.stdout + installed.stderr)[-400:]}"
        ) from error


def log_in(chromium: Browser, url: str, user: str, password: str) -> Page:
    """Log in by the form, as a person would, and return the page."""
    page = chromium.new_page(viewport=TALL)
    page.goto(f"{url}/login/")
    page.locator("#username").fill(user)
    page.locator("input[type=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "/login" not in address, timeout=60_000)
    return page


def look(page: Page, url: str, slug: str, tabs: tuple[str, ...] = (), period: str = "") -> Seen:
    """Open a dashboard, go through its tabs (the first is open already), wait until all is drawn.

    `period` sets the filter Period, as `2024-01-01 : 2025-01-01` (the second day is not part of it).
    """
    address = f"{url}/superset/dashboard/{slug}/"
    if period:
        state = f"(extraFormData:(time_range:'{period}'),filterState:(value:'{period}'),id:NATIVE_FILTER-period)"
        address += f"?native_filters={quote(f'(NATIVE_FILTER-period:{state})')}"
    with _answers(page) as answers:
        page.goto(address)
        seen = read(page, Seen(), answers)
        for tab in tabs:
            page.get_by_role("tab", name=tab).click()
            read(page, seen, answers)
    return seen


def choose(page: Page, segment: str) -> Seen:
    """Set the segment filter of the open dashboard, apply it, and read the charts when they are drawn anew."""
    with _answers(page) as answers:
        box = page.locator("#NATIVE_FILTER-segment")
        box.click(force=True)  # the present choice lies over it
        box.fill(segment)
        page.locator(".ant-select-item-option", has_text=re.compile(f"^{segment}$")).click()
        page.locator("[data-test=filter-bar__apply-button]").click()
        page.wait_for_timeout(1000)
        return read(page, Seen(), answers)


@contextmanager
def _answers(page: Page) -> Iterator[list[Response]]:
    answers: list[Response] = []

    def note(response: Response) -> None:
        if "/api/v1/chart/data" in response.url:
            answers.append(response)

    page.on("response", note)
    yield answers
    page.remove_listener("response", note)


def read(page: Page, seen: Seen, answers: list[Response], seconds: float = 90) -> Seen:
    """Wait until the visible charts are drawn, or have said why they are not, and note what they show."""
    page.locator(f"{CHART}:visible").first.wait_for(timeout=60_000)
    # Polled from here: the page's own content policy forbids a browser to evaluate the waiting as text.
    deadline, before = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        states = _states(page)
        if states == before and all(state["state"] != "waiting" for state in states):
            break
        before = states
        page.wait_for_timeout(700)
    data = {}
    for answer in answers:
        if (number := re.search(r"slice_id%22%3A(\d+)", answer.url)) and answer.ok:
            data[number.group(1)] = [query["data"] for query in answer.json()["result"]]
    for state in _states(page):
        name = state["name"]
        seen.texts[name] = state["text"]
        if state["number"] in data:
            seen.answers[name] = data[state["number"]]
        if state["state"] == "empty":
            seen.empty.add(name)
        elif state["state"] != "drawn":
            seen.wrong[name] = state["error"] or f"not drawn within {seconds:.0f} s"
    return seen


def _states(page: Page) -> list[dict[str, str]]:
    found = page.eval_on_selector_all(
        CHART,
        """charts => charts.filter(chart => chart.offsetParent !== null).map(chart => ({
            number: chart.getAttribute('data-test-chart-id'),
            name: chart.getAttribute('data-test-chart-name'),
            text: chart.innerText,
            error: [...chart.querySelectorAll('[role=alert], .ant-alert')].map(alert => alert.innerText).join(' '),
            loading: chart.querySelectorAll('.loading, [data-test=loading-indicator]').length,
            drawn: chart.querySelectorAll('canvas, .header-line, td').length,
        }))""",
    )
    states = []
    for chart in found:
        state = "waiting"
        if chart["error"]:
            state = "broken"
        elif not chart["loading"] and NOTHING.search(chart["text"]):
            state = "empty"
        elif not chart["loading"] and chart["drawn"]:
            state = "drawn"
        states.append({**{key: chart[key] for key in ("number", "name", "text", "error")}, "state": state})
    return states


def picture(page: Page, path: Path, last: str | None = None, only: str | None = None) -> Path:
    """Save the page from its top to the end of the chart `last` (default: of the last chart), or one chart alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if only:
        page.locator(_titled(only)).screenshot(path=path)
        return path
    boxes = [chart.bounding_box() for chart in page.locator(_titled(last) if last else f"{CHART}:visible").all()]
    end = max(box["y"] + box["height"] for box in boxes if box)
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": TALL["width"], "height": min(end + 24, TALL["height"])})
    return path


def _titled(title: str) -> str:
    return f'[data-test-chart-name="{title}"]'

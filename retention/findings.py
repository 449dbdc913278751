"""What a look at an installation brings: findings, each good, worth a look, or wrong with what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table


class Level(StrEnum):
    """How a finding is meant; only WRONG makes a command fail."""

    GOOD = "ok"
    WARNING = "look"
    WRONG = "wrong"


COLOURS = {Level.GOOD: "green", Level.WARNING: "yellow", Level.WRONG: "bold red"}


@dataclass(frozen=True)
class Finding:
    """`subject`: what was looked at; `text`: what was found and, unless all is well, what to do."""

    level: Level
    subject: str
    text: str


def good(subject: str, text: str) -> Finding:
    return Finding(Level.GOOD, subject, text)


def warning(subject: str, text: str) -> Finding:
    return Finding(Level.WARNING, subject, text)


def wrong(subject: str, text: str) -> Finding:
    return Finding(Level.WRONG, subject, text)


def show(findings: Iterable[Finding], title: str) -> bool:
    """Print the findings as a table with their count; returns whether nothing is wrong."""
    found = list(findings)
    table = Table(title=title, title_justify="left", show_lines=False, header_style="bold")
    table.add_column("")
    table.add_column("what", overflow="fold")
    table.add_column("found", overflow="fold")
    for finding in found:
        table.add_row(f"[{COLOURS[finding.level]}]{finding.level}[/]", finding.subject, _plain(finding.text))
    Console().print(table)
    counts = {level: sum(finding.level == level for finding in found) for level in Level}
    Console().print(f"{counts[Level.GOOD]} ok, {counts[Level.WARNING]} to look at, {counts[Level.WRONG]} wrong")
    return not counts[Level.WRONG]


def _plain(text: str) -> str:
    return text.replace("[", r"\[")

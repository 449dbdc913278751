"""`retention template`: empty canonical files with a line of comment per column, to be filled in."""

from pathlib import Path

import yaml

from retention.settings import PROJECT_ROOT
from retention.sources.contract import CANONICAL, CanonicalEntity
from retention.sources.files import COMMENT

TEXTS = PROJECT_ROOT / "retention" / "sources" / "contract.yml"
KINDS = {
    "text": "text",
    "timestamp": "day and time, 2024-12-31T18:30:00+03:00 or 31.12.2024 18:30 by the company's clock",
    "date": "day, 2024-12-31 or 31.12.2024",
    "money": "amount, 1234.50 or 1234,50",
    "score": "score from 1 to 5",
    "boolean": "true or false",
    "integer": "whole number",
    "currency": "code of three letters, empty = the company's currency",
    "reason": "reason code of the seed reason_codes",
}


class TemplateError(RuntimeError):
    """The files cannot be written where they were asked for."""


def write(folder: Path) -> list[Path]:
    """Write one file per entity into `folder` and return them. Raises TemplateError rather than overwrite one."""
    there = [path.name for name in CANONICAL if (path := folder / f"{name}.csv").exists()]
    if there:
        raise TemplateError(
            f"{folder} already has {', '.join(there)}. Nothing was written: give a folder without them."
        )
    folder.mkdir(parents=True, exist_ok=True)
    texts = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    written = []
    for name, entity in CANONICAL.items():
        path = folder / f"{name}.csv"
        # With a byte order mark, or a spreadsheet takes the file for another encoding.
        path.write_text("\n".join(_lines(entity, texts)) + "\n", encoding="utf-8-sig")
        written.append(path)
    return written


def _lines(entity: CanonicalEntity, texts: dict[str, dict[str, str]]) -> list[str]:
    about = texts["entities"][entity.name]
    lines = [f"{COMMENT} {entity.name}: {about}. Rows are told apart by {', '.join(entity.key)}."]
    for column in entity.columns:
        meaning = texts["columns"].get(f"{entity.name}.{column}") or texts["columns"][column]
        kind = " | ".join(entity.codes[column]) if column in entity.codes else KINDS[entity.types[column]]
        needed = "may be empty" if column in entity.optional else "required"
        lines.append(f"{COMMENT} {column}: {meaning} ({kind}; {needed})")
    return [*lines, ",".join(entity.columns)]

"""What a source offers now against what is needed and what it offered before."""

import logging
import re

from retention.landing import is_read_as_before, loads
from retention.settings import Settings
from retention.sources.entity import Entity, SourceError

log = logging.getLogger(__name__)

# A wider type holds every value of the narrower one: nothing that was landed becomes wrong.
_INTEGER_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}


def check_schema(settings: Settings, entity: Entity, schema: dict[str, str]) -> None:
    """Compare what the source offers now (column -> type) with what is needed and with the last manifest.

    Added columns are logged. Raises SourceError when a needed column is gone or has another type.
    """
    gone = sorted(column for column in entity.required if column not in schema)
    if gone:
        raise SourceError(
            f"{entity.label}: the column {', '.join(gone)} is gone from the source. Nothing was landed from this "
            f"table. Bring the column back (or a view of the old shape), or, when it was renamed, write its new name "
            f"into {entity.described_in}."
        )
    if not is_read_as_before(settings, entity):
        return
    previous = next(
        (
            load.manifest["source_schema"]
            for load in reversed(loads(settings, entity.source, entity.name))
            if load.manifest["source_schema"]
        ),
        None,
    )
    if previous is None:
        return
    for column in entity.columns:
        before, after = previous.get(column), schema.get(column)
        if before and after and not _holds(before, after):
            folder = settings.landing / entity.source / entity.name
            raise SourceError(
                f"{entity.label}: the column {column} was {before} and is now {after}. Nothing was landed from this "
                f"table. Change it back, or, when it is meant, adapt {entity.described_in} and move {folder} away: "
                f"the table is then landed anew."
            )
    added = sorted(set(schema) - set(previous))
    if added:
        log.info("%s: new at the source and not read: %s", entity.label, ", ".join(added))
    lost = sorted(set(previous) - set(schema))
    if lost:
        log.warning("%s: no longer at the source: %s", entity.label, ", ".join(lost))


def _holds(before: str, after: str) -> bool:
    """Whether type `after` holds every value of type `before` with the same meaning."""
    # A database's list of words is text, however long the list is.
    before, after = ("VARCHAR" if kind.startswith("ENUM(") else kind for kind in (before, after))
    if before == after:
        return True
    bits, more_bits = (_INTEGER_BITS.get(kind.removeprefix("U")) for kind in (before, after))
    if bits and more_bits:
        is_unsigned, stays_unsigned = before.startswith("U"), after.startswith("U")
        return more_bits >= bits if is_unsigned == stays_unsigned else is_unsigned and more_bits > bits
    narrow, wide = (re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind) for kind in (before, after))
    if narrow and wide:
        digits, scale = (int(group) for group in narrow.groups())
        more_digits, more_scale = (int(group) for group in wide.groups())
        return more_scale >= scale and more_digits - more_scale >= digits - scale
    return False

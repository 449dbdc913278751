"""`sources/bitrix24.yml`: where a portal keeps what the warehouse asks for, and what it calls it."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from retention.settings import Settings
from retention.sources.contract import CANONICAL
from retention.sources.entity import SourceError
from retention.sources.mapping import Mapping as Part
from retention.sources.mapping import MappingFile, Place, TimeZone

# Roles that a user field may have, by entity. Those that an entity is nothing without are marked with a star, those
# that the connector itself fills with a tilde.
ROLES: Mapping[str, tuple[str, ...]] = {
    "companies": (
        "segment", "size_band", "region", "acquisition_channel", "billing_key", "helpdesk_key", "closed_on",
        "marketing_consent",
    ),
    "users": ("left_on",),
    "termination_requests": ("*requested_at", "completed_at", "bonus_offered", "obstacle", "~moved_at"),
    "dismissals": ("*dismissed_at", "*reason", "decided_by"),
    "exit_interviews": ("*invited_at", "*channel", "answered_at", "reason_code", "would_return"),
    "reason_fixes": ("*reason_code", "*owner_department", "planned_on", "fixed_on"),
    "manager_assignments": ("*employee", "*role", "*valid_from", "valid_to"),
    "mailings": ("*sent_at", "opened_at", "unsubscribed_at"),
}  # fmt: skip
# What the portal's codes are translated into: role -> canonical codes; None = any code of the seed reason_codes.
CODES: Mapping[tuple[str, str], list[str] | None] = {
    ("termination_requests", "outcome"): ["released", "retained", "withdrawn"],
    ("dismissals", "reason"): ["illegal_use", "abuse", "blackmail", "unprofitable"],
    ("exit_interviews", "channel"): CANONICAL["contacts"].codes["channel"],
    ("exit_interviews", "reason_code"): None,
    ("reason_fixes", "reason_code"): None,
    ("manager_assignments", "role"): CANONICAL["manager_assignments"].codes["role"],
}


class UserFields(Part):
    """User fields of companies or users: role -> name of the field in the portal."""

    fields: dict[str, str] = Field(default_factory=dict)


class Deals(Part):
    """`closed_at`: the instant at which a deal was won or lost is known from the history of stages, or only its day."""

    closed_at: Literal["closedate", "stage_history"] = "closedate"


class Items(Part):
    """Where the items of an entity are, which fields hold what, and what their codes mean."""

    entity_type: int | None = None
    pipeline: int | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str | int, str | None]] = Field(default_factory=dict)


class Bitrix24Mapping(Part):
    """A mapping file; a part that is left out is one that the portal does not have."""

    timezone: TimeZone | None = None
    companies: UserFields = UserFields()
    users: UserFields = UserFields()
    deals: Deals = Deals()
    termination_requests: Items | None = None
    dismissals: Items | None = None
    exit_interviews: Items | None = None
    reason_fixes: Items | None = None
    manager_assignments: Items | None = None
    mailings: Items | None = None

    @property
    def parts(self) -> dict[str, Items | None]:
        """The parts that are smart processes or pipelines, by entity."""
        return {entity: getattr(self, entity) for entity in ROLES if entity not in ("companies", "users")}

    @property
    def reads_stage_history(self) -> bool:
        """Whether the stage history of deals is needed: for their closing, or for that of requests in a pipeline."""
        requests = self.termination_requests
        is_needed = requests is not None and requests.pipeline is not None and "completed_at" not in requests.fields
        return is_needed or self.deals.closed_at == "stage_history"

    @property
    def pipelines(self) -> list[int]:
        """Deal pipelines that hold something else than sales."""
        return sorted(part.pipeline for part in self.parts.values() if part and part.pipeline is not None)


def roles(entity: str) -> tuple[str, ...]:
    """The roles of an entity's user fields."""
    return tuple(role.strip("*~") for role in ROLES.get(entity, ()))


@cache
def _read(path: Path, modified_ns: int) -> tuple[MappingFile, Bitrix24Mapping]:
    file = MappingFile(path)
    mapping = file.read(Bitrix24Mapping)
    problems = [problem for entity in ROLES for problem in _problems(entity, getattr(mapping, entity))]
    problems += _shared(mapping)
    if problems:
        raise file.error(problems)
    return file, mapping


def read_mapping(settings: Settings) -> tuple[MappingFile, Bitrix24Mapping]:
    """The mapping of the portal and the file it stands in. Raises SourceError with every mistake in it."""
    path = settings.sources_dir / "bitrix24.yml"
    if not path.is_file():
        raise SourceError(
            f"bitrix24: its mapping file {path} is missing. Copy the one that is delivered in sources/ and fill it in; "
            f"or take bitrix24 out of RETENTION_SOURCES."
        )
    return _read(path, path.stat().st_mtime_ns)


def _problems(entity: str, part: UserFields | Items | None) -> Iterator[tuple[Place, str]]:
    if part is None:
        return
    known = [role.strip("*") for role in ROLES[entity] if not role.startswith("~")]
    for role in part.fields:
        if role not in known:
            yield (entity, "fields", role), f"there is no such field of {entity}. Known are: {', '.join(known)}"
    for role in ROLES[entity]:
        if role.startswith("*") and role.strip("*") not in part.fields:
            yield (entity, "fields"), f"the field {role.strip('*')} is needed"
    if isinstance(part, UserFields):
        return
    if (part.entity_type is None) == (part.pipeline is None):
        yield (entity,), "say either entity_type (of a smart process) or pipeline (of deals)"
    for role, codes in part.values.items():
        if (entity, role) not in CODES:
            translated = [name for of, name in CODES if of == entity]
            yield (entity, "values", role), f"{role} has no codes. Known are: {', '.join(translated) or 'none'}"
            continue
        allowed = CODES[entity, role]
        for code, canonical in codes.items():
            if allowed is not None and canonical is not None and canonical not in allowed:
                yield (entity, "values", role, str(code)), f"{canonical} is none of {', '.join(allowed)}"


def _shared(mapping: Bitrix24Mapping) -> Iterator[tuple[Place, str]]:
    """Parts that name the items of another part: each of those would be two things at once."""
    taken: dict[tuple[str, int], str] = {}
    for entity, part in mapping.parts.items():
        if part is None:
            continue
        for where in ("entity_type", "pipeline"):
            number = getattr(part, where)
            if number is None:
                continue
            other = taken.setdefault((where, number), entity)
            if other != entity:
                yield (entity, where), f"{number} is what {other} names already"


def dbt_vars(settings: Settings) -> dict[str, Any]:
    """What the staging models need: the meaning of codes, the zone, and the pipelines that are no sales."""
    _, mapping = read_mapping(settings)
    parts = mapping.parts
    return {
        "bitrix24": {
            "timezone": mapping.timezone,
            "pipelines": mapping.pipelines,
            "deals": mapping.deals.model_dump(),
            "left_out": [entity for entity, part in parts.items() if part is None],
            "values": {
                entity: {
                    role: {str(code): canonical for code, canonical in codes.items()}
                    for role, codes in part.values.items()
                }
                for entity, part in parts.items()
                if part
            },
        }
    }

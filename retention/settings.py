"""The one typed settings object. Nothing else in the package reads the environment or a file of settings."""

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DOTENV = PROJECT_ROOT / ".env"
# Sources with a connector of their own. Every other mapping file in the folder of sources describes an SQL database.
CONNECTORS = ("bitrix24", "znuny", "files")
DEFAULT_HOME = PROJECT_ROOT / "var"
# Settings that dbt needs too, as vars of the same name: an override of either reaches both.
SETTINGS_THAT_ARE_VARS = ("company_timezone", "znuny_timezone", "working_days", "opens_at", "closes_at")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class _Home(BaseSettings):
    """Only the run-time folder: it must be known before the settings file inside it can be read."""

    model_config = SettingsConfigDict(env_prefix="RETENTION_", extra="ignore", hide_input_in_errors=True)
    home: Path = DEFAULT_HOME


def _home_from_environment() -> Path:
    return _Home(_env_file=DOTENV).home  # type: ignore[call-arg]


class _SourceUrls(PydanticBaseSettingsSource):
    """`RETENTION_<SOURCE>_URL` of any source: a mapping file may add one of any name, which no field can foresee."""

    def __init__(self, settings_cls: type[BaseSettings], files: list[Path]) -> None:
        super().__init__(settings_cls)
        self._files = files

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # the base class asks for it, and __call__ does without

    def __call__(self) -> dict[str, Any]:
        values: dict[str, str | None] = {}
        for file in self._files:
            values |= dotenv_values(file)
        values |= os.environ
        found = {name: re.fullmatch(r"RETENTION_(\w+)_URL", name, re.IGNORECASE) for name in values}
        return {f"{match.group(1).lower()}_url": values[name] for name, match in found.items() if match}


class Settings(BaseSettings):
    """Settings of one installation.

    Read, first found wins: arguments, environment (`RETENTION_…`), `<home>/retention.env`, `.env` of the checkout.
    """

    model_config = SettingsConfigDict(env_prefix="RETENTION_", extra="ignore", hide_input_in_errors=True)

    home: Path = Field(DEFAULT_HOME, description="Folder of everything made at run time.")
    sources: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["bitrix24", "billing", "znuny"],
        description="Enabled source systems, as JSON list or comma-separated.",
    )
    sources_dir: Path = Field(PROJECT_ROOT / "sources", description="Folder of mapping files, <source>.yml.")
    files_dir: Path | None = Field(None, description="Folder of canonical CSV/Parquet files (source `files`).")
    as_of: date | None = Field(None, description="Pins the clock: data is taken as complete for every day before it.")
    vars: dict[str, Any] = Field(default_factory=dict, description="Overrides of dbt vars, as JSON.")
    company_timezone: str = Field("Europe/Moscow", description="Zone of the company's days (IANA name).")
    company_country: str = Field("RU", description="Whose public holidays `retention calendar` writes (two letters).")
    working_days: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["Mon", "Tue", "Wed", "Thu", "Fri"],
        description="Days of the regular working week, as JSON list or comma-separated.",
    )
    opens_at: str = Field("09:00", description="When a working day begins, by the company's clock.")
    closes_at: str = Field("18:00", description="When a working day ends (24:00 = midnight).")
    keep_builds: int = Field(5, ge=1, description="Published builds that are kept for rollback.")

    znuny_url: SecretStr | None = Field(None, description="postgresql://user:password@host:port/database or mysql://")
    znuny_timezone: str = Field("UTC", description="Zone of Znuny's naive timestamps (IANA name).")
    urls: dict[str, SecretStr] = Field(
        default_factory=dict, description="Addresses of the SQL sources, by name: RETENTION_<SOURCE>_URL each."
    )
    bitrix24_url: SecretStr | None = Field(None, description="Inbound webhook, https://host/rest/<user>/<code>/")

    superset_url: str | None = None
    superset_user: str | None = None
    superset_password: SecretStr | None = None

    notify: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Who is told of failed tasks: email:<address>, slack, telegram:<chat id> (Airflow Connections).",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = init_settings().get("home")
        home = _absolute(given if given is not None else _home_from_environment())
        # Later files of the list win: what was generated for this home beats the checkout's defaults.
        paths = [DOTENV, home / "retention.env"]
        files = DotEnvSettingsSource(settings_cls, env_file=paths)
        return init_settings, env_settings, _SourceUrls(settings_cls, paths), files

    @field_validator("sources", "notify", "working_days", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [name.strip().strip("\"'") for name in value.strip().strip("[]").split(",") if name.strip()]

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("no source is given")
        return list(dict.fromkeys(value))

    @field_validator("notify")
    @classmethod
    def _known_channels(cls, value: list[str]) -> list[str]:
        for channel in value:
            kind, _, address = channel.partition(":")
            if kind not in ("email", "slack", "telegram") or (kind == "email" and "@" not in address):
                raise ValueError(f"unknown channel {channel!r}; known: email:<address>, slack, telegram:<chat id>")
        return value

    @field_validator("home", "files_dir", "sources_dir")
    @classmethod
    def _absolute_path(cls, value: Path | None) -> Path | None:
        return None if value is None else _absolute(value)

    @field_validator("company_timezone", "znuny_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone name such as Europe/Moscow")
        return value

    @field_validator("working_days")
    @classmethod
    def _known_weekdays(cls, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in WEEKDAYS]
        if unknown or not value:
            raise ValueError(f"unknown day {', '.join(unknown) or '(none given)'}; known: {', '.join(WEEKDAYS)}")
        return [name for name in WEEKDAYS if name in value]

    @field_validator("opens_at", "closes_at")
    @classmethod
    def _time_of_day(cls, value: str) -> str:
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", value):
            raise ValueError(f"{value!r} is not a time of day such as 09:00")
        return value

    @model_validator(mode="before")
    @classmethod
    def _addresses_of_sql_sources(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        addresses = [name for name in given if name.endswith("_url") and name not in cls.model_fields]
        urls = {name.removesuffix("_url"): given[name] for name in addresses if given[name]}
        rest = {name: value for name, value in given.items() if name not in addresses}
        return rest | {"urls": urls | given.get("urls", {})}

    @model_validator(mode="before")
    @classmethod
    def _one_value_for_setting_and_var(cls, given: Any) -> Any:
        overrides = given.get("vars") if isinstance(given, dict) else None
        if not isinstance(overrides, dict):
            return given
        return given | {name: overrides[name] for name in SETTINGS_THAT_ARE_VARS if name in overrides}

    @field_validator("sources")
    @classmethod
    def _plain_names(cls, value: list[str]) -> list[str]:
        if odd := [name for name in value if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)]:
            raise ValueError(f"{odd[0]!r} is no name for a source: use small letters, digits and single underscores")
        if taken := [name for name in value if name in ("crm", "tickets")]:
            raise ValueError(f"{taken[0]!r} is taken by the DAG of a connector: give the source another name")
        return value

    @model_validator(mode="after")
    def _sources_are_known(self) -> Self:
        if unknown := [name for name in self.sources if name not in self.known_sources]:
            raise ValueError(
                f"sources: unknown source {', '.join(unknown)}; known: {', '.join(self.known_sources)}. "
                f"A further SQL database is known by its mapping file {self.sources_dir / (unknown[0] + '.yml')}."
            )
        return self

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens_at >= self.closes_at:
            raise ValueError(f"a working day must open before it closes, not at {self.opens_at} and {self.closes_at}")
        return self

    @property
    def known_sources(self) -> tuple[str, ...]:
        """Every source that could be enabled."""
        described = sorted(path.stem for path in self.sources_dir.glob("*.yml"))
        return tuple(dict.fromkeys((*CONNECTORS, *described)))

    def url(self, source: str) -> SecretStr | None:
        """The address of a source system, where it is configured: the setting `<source>_url`, of any name."""
        found = getattr(self, f"{source}_url", None) or self.urls.get(source)
        return found if found and found.get_secret_value() else None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.company_timezone)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def build_dir(self) -> Path:
        return self.home / "build"

    @property
    def build_file(self) -> Path:
        """The private DuckDB file that dbt writes; made anew by each build."""
        return self.build_dir / "retention.duckdb"

    @property
    def build_project(self) -> Path:
        """The copy of the dbt project that a build runs, with the company's own seeds laid over it."""
        return self.build_dir / "dbt_project"

    @property
    def dbt_target(self) -> Path:
        return self.build_dir / "target"

    @property
    def dbt_logs(self) -> Path:
        return self.build_dir / "logs"

    @property
    def published(self) -> Path:
        """The folder of published builds."""
        return self.home / "published"

    @property
    def published_file(self) -> Path:
        """Symlink to the marts of the current build: what Superset and analysts open."""
        return self.published / "retention.duckdb"

    @property
    def restricted_file(self) -> Path:
        """Symlink to the names of the current build."""
        return self.published / "retention_restricted.duckdb"

    @property
    def quality(self) -> Path:
        """The folder of Data Docs."""
        return self.home / "quality"

    @property
    def extensions(self) -> Path:
        """What DuckDB would otherwise keep in the user's own home."""
        return self.home / "duckdb_extensions"

    @property
    def demo(self) -> Path:
        return self.home / "demo"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """The folder of pid files."""
        return self.home / "run"

    @property
    def dbt_project(self) -> Path:
        return PROJECT_ROOT / "dbt_project"

    @property
    def expectations(self) -> Path:
        return PROJECT_ROOT / "expectations"


def load_settings(home: Path | str | None = None, **overrides: Any) -> Settings:
    """Read the settings of `home` (default: `RETENTION_HOME`, else `var/` of the checkout).

    Overrides that are None are left to the environment and the files. Raises pydantic.ValidationError.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    if home is not None:
        given["home"] = Path(home)
    else:
        given["home"] = _home_from_environment()
    return Settings(**given)


def _absolute(path: Path | str) -> Path:
    return Path(path).expanduser().absolute()

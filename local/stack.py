"""The settings of one local stack: its folder, its ports, its secrets, and the environment its processes get."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from local import envfile, processes
from local.processes import LocalError

CHECKOUT = Path(__file__).resolve().parent.parent
PIPELINE_BIN = CHECKOUT / ".venvs" / "pipeline" / "bin"
BI_BIN = CHECKOUT / ".venvs" / "bi" / "bin"
HOST = "127.0.0.1"
# What may lie in a home that has no retention.env yet: the command line was used in it before.
OWN_FOLDERS = {"landing", "build", "published", "quality", "duckdb_extensions", "run", "logs", "demo"}
NEEDED_DISK_BYTES = 3 * 1024**3

# name -> (what it is, usual port). A port that was asked for by LOCAL_<NAME>_PORT in the environment is used or
# refused; a usual port that is busy is replaced by the next free one.
PORTS = {
    "postgres": ("PostgreSQL", 55432),
    "airflow": ("Airflow", 8080),
    "superset": ("Superset", 8088),
    "bitrix24": ("the demo's Bitrix24", 8990),
}
PROCESS_OF_PORT = {"postgres": "postgres", "airflow": "airflow-api", "superset": "superset", "bitrix24": "bitrix24"}
SECRETS = (
    "LOCAL_POSTGRES_PASSWORD",
    "LOCAL_AIRFLOW_PASSWORD",
    "LOCAL_AIRFLOW_DATABASE_PASSWORD",
    "LOCAL_AIRFLOW_SECRET_KEY",
    "LOCAL_AIRFLOW_JWT_SECRET",
    "LOCAL_SUPERSET_DATABASE_PASSWORD",
    "LOCAL_SUPERSET_SECRET_KEY",
    "RETENTION_SUPERSET_PASSWORD",
)
DEMO_SECRETS = (
    "LOCAL_BILLING_OWNER_PASSWORD",
    "LOCAL_BILLING_READER_PASSWORD",
    "LOCAL_ZNUNY_OWNER_PASSWORD",
    "LOCAL_ZNUNY_READER_PASSWORD",
    "LOCAL_BITRIX24_CODE",
)


class Stack:
    """One home folder and what `retention.env` in it says."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self.env_file = self.home / "retention.env"
        self.values = envfile.read(self.env_file)

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def is_demo(self) -> bool:
        return self.values.get("LOCAL_DEMO") == "1"

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def port(self, name: str) -> int:
        return int(self.values[f"LOCAL_{name.upper()}_PORT"])

    def address(self, name: str) -> str:
        return f"http://{HOST}:{self.port(name)}"

    def set(self, **values: str | None) -> None:
        """Write values into `retention.env` (None removes one)."""
        # Another program (the demo, the retention program) may have written to the file since it was read.
        self.values = envfile.update(self.env_file, values)

    def alive(self, name: str) -> bool:
        return processes.alive(self.run, name)

    def prepare(self, *, demo: bool) -> list[str]:
        """Make folders, secrets and ports where they are missing; return remarks for the user."""
        if not self.env_file.exists() and self.home.exists():
            # `make clean` deletes the whole home, so it must never have been somebody else's folder.
            foreign = sorted(path.name for path in self.home.iterdir() if path.name not in OWN_FOLDERS)
            if foreign:
                raise LocalError(
                    f"{self.home} holds things that are not this program's ({', '.join(foreign[:5])}). "
                    "Choose a new folder: RETENTION_HOME=/some/new/folder make demo"
                )
        for folder in ("run", "logs", "landing", "build", "published"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.home.chmod(self.home.stat().st_mode & ~0o022)  # nobody else may place files here
        free = shutil.disk_usage(self.home).free
        if free < NEEDED_DISK_BYTES:
            raise LocalError(
                f"only {free / 1024**3:.1f} GB are free on the disk of {self.home}, "
                f"{NEEDED_DISK_BYTES / 1024**3:.0f} GB are needed. "
                "Make room, or choose another disk: RETENTION_HOME=/some/folder make demo"
            )
        if demo and not self.is_demo and any((self.home / "landing").iterdir()):
            raise LocalError(
                f"{self.home} already holds landed data that is not the demo's. Give the demo a folder of its own: "
                "RETENTION_HOME=/some/folder make demo"
            )
        new: dict[str, str | None] = {"LOCAL_DEMO": "1"} if demo else {}
        wanted = SECRETS + (DEMO_SECRETS if demo or self.is_demo else ())
        new |= {name: envfile.secret() for name in wanted if name not in self.values}
        if "LOCAL_AIRFLOW_FERNET_KEY" not in self.values:
            new["LOCAL_AIRFLOW_FERNET_KEY"] = _fernet_key()
        ports, remarks = self._ports()
        self.set(**new, **{f"LOCAL_{name.upper()}_PORT": str(port) for name, port in ports.items()})
        self.set(RETENTION_SUPERSET_URL=self.address("superset"), RETENTION_SUPERSET_USER="admin")
        if self.is_demo:
            self.set(
                RETENTION_SOURCES="bitrix24,billing,znuny",
                RETENTION_BILLING_URL=self.database_url("billing", "reader"),
                RETENTION_ZNUNY_URL=self.database_url("znuny", "reader"),
                RETENTION_BITRIX24_URL=f"{self.address('bitrix24')}/rest/1/{self.values['LOCAL_BITRIX24_CODE']}/",
            )
        return remarks

    def database_url(self, database: str, role: str) -> str:
        """URL of a demo source database for its `owner` or its `reader`."""
        password = self.values[f"LOCAL_{database.upper()}_{role.upper()}_PASSWORD"]
        return f"postgresql://{database}_{role}:{password}@{HOST}:{self.port('postgres')}/{database}"

    def environment(self, **extra: str) -> dict[str, str]:
        """The caller's environment without settings of other Airflows, Supersets and PostgreSQLs, plus ours."""
        foreign = ("AIRFLOW", "SUPERSET", "PG", "PYTHON", "VIRTUAL_ENV", "FLASK_", "GUNICORN")
        if self.is_demo:
            # The demo reads its own company, whatever real systems the caller's environment names.
            foreign += ("RETENTION_",)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **kept,
            "RETENTION_HOME": str(self.home),
            "PATH": f"{PIPELINE_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            # Nothing reports home, and nothing but the virtualenvs' own packages is imported.
            "PYTHONNOUSERSITE": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "GX_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            **extra,
        }

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold off a second start or stop of the same home meanwhile."""
        self.run.mkdir(parents=True, exist_ok=True)
        with (self.run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalError(
                    f"another start or stop of {self.home} is under way; let it finish, or end it with Ctrl-C"
                ) from None
            yield

    def _ports(self) -> tuple[dict[str, int], list[str]]:
        chosen: dict[str, int] = {}
        remarks = []
        for name, (label, usual) in PORTS.items():
            variable = f"LOCAL_{name.upper()}_PORT"
            asked = os.environ.get(variable)
            stored = self.values.get(variable)
            preferred = int(asked or stored or usual)
            if self.alive(PROCESS_OF_PORT[name]) and stored:
                if asked and asked != stored:
                    raise LocalError(f"{label} already runs on port {stored}; `make stop` first to move it to {asked}")
                chosen[name] = int(stored)
                continue
            if asked and not processes.port_is_free(preferred):
                raise LocalError(
                    f"port {preferred} for {label} is busy{processes.port_holder(preferred)}. "
                    f"Free it, or name another: {variable}={preferred + 1} make demo"
                )
            chosen[name] = processes.free_port(preferred, taken=list(chosen.values()))
            if chosen[name] != preferred:
                holder = processes.port_holder(preferred)
                remarks.append(f"port {preferred} is busy{holder}: {label} takes {chosen[name]}")
        return chosen, remarks


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()

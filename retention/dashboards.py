"""Pushes the assets under dashboards/ into Superset, and makes its roles.

The YAML files hold what does not change between machines. At push time three things are filled in: the folder of
the published files, the columns and metrics of each dataset with the texts that dbt keeps for them, and the number that
Superset gave to a chart that another chart refers to.
"""

import copy
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from retention.mart_texts import Mart, MartTextsError, Metric, metrics_of, read_marts
from retention.settings import PROJECT_ROOT, Settings

ASSETS = PROJECT_ROOT / "dashboards"
FOLDERS = ("databases", "datasets", "charts", "dashboards")
CHART_ID = re.compile(r"^\{\{ chart_id (?P<uuid>[0-9a-f-]{36}) \}\}$")
DBT_TEXT = "{{ dbt }}"
DBT_METRIC = re.compile(r"\{\{ dbt metric (?P<key>\w+) \}\}")
PUBLISHED = "{{ published }}"

Assets = dict[str, dict[str, Any]]
Permission = tuple[str, str]

# What it takes to look at a dashboard and to turn its filters, and nothing else: no data browser, no SQL, no export of
# definitions. Which data it shows is a permission on a database.
LOOK: frozenset[Permission] = frozenset(
    {
        ("can_read", "Dashboard"),
        ("can_read", "Chart"),
        ("can_dashboard", "Superset"),
        ("can_slice", "Superset"),
        ("can_explore_json", "Superset"),
        ("can_dashboard_permalink", "Superset"),
        ("can_read", "DashboardPermalinkRestApi"),
        ("can_write", "DashboardPermalinkRestApi"),
        ("can_read", "DashboardFilterStateRestApi"),
        ("can_write", "DashboardFilterStateRestApi"),
        ("can_time_range", "Api"),
        ("can_query_form_data", "Api"),
        ("can_query", "Api"),
        ("can_read", "CssTemplate"),
        ("can_read", "Theme"),
        ("can_read", "EmbeddedDashboard"),
        ("can_read", "CurrentUserRestApi"),
        ("can_get", "Datasource"),
        ("can_external_metadata", "Datasource"),
        ("can_read", "Annotation"),
        ("can_read", "AnnotationLayerRestApi"),
        ("can_userinfo", "UserDBModelView"),
        ("resetmypassword", "UserDBModelView"),
        ("can_this_form_get", "ResetMyPasswordView"),
        ("can_this_form_post", "ResetMyPasswordView"),
        ("can_recent_activity", "Log"),
        ("can_log", "Superset"),
        ("can_read", "SecurityRestApi"),
        ("can_csv", "Superset"),
        ("menu_access", "Dashboards"),
    }
)


@dataclass(frozen=True)
class Role:
    """A role: permissions by name, roles of Superset's own whose permissions it takes over, databases it may read."""

    name: str
    permissions: frozenset[Permission]
    like: tuple[str, ...]
    databases: tuple[str, ...]


ROLES = (
    Role("Leadership", LOOK, (), ("Retention",)),
    Role("Analyst", LOOK, ("Gamma", "sql_lab"), ("Retention",)),
    Role("Retention team", LOOK, ("Gamma", "sql_lab"), ("Retention", "Retention, restricted")),
)


class DashboardsError(RuntimeError):
    """Something that the reader of the message can put right: the message says what."""


def push(settings: Settings, assets: Path = ASSETS) -> list[str]:
    """Send every asset to Superset, overwriting what is there, and make the roles; twice is the same as once.

    Returns the titles of the dashboards pushed. Raises DashboardsError with what to do when Superset or the
    published file is missing, when it refuses the login, or when it rejects an asset.
    """
    log_in = _client(settings)
    if not settings.published_file.exists():
        raise DashboardsError(
            f"Nothing is published yet ({settings.published_file} does not exist): run `retention run` first."
        )
    raw = read_assets(assets)
    try:
        filled = fill_in(raw, settings, read_marts(settings.dbt_project))
    except MartTextsError as error:
        raise DashboardsError(str(error)) from error
    client = log_in()

    client.import_assets(_zip(filled))
    _restore_layers(client, raw)
    client.make_roles(ROLES)
    return sorted(asset["dashboard_title"] for path, asset in raw.items() if path.startswith("dashboards/"))


def databases(settings: Settings) -> list[str]:
    """Names of the databases that Superset knows. Raises DashboardsError as `push`."""
    return [row["database_name"] for row in _client(settings)().all_rows("/api/v1/database/")]


def _client(settings: Settings) -> Callable[[], "_Client"]:
    """What logs in to Superset. Raises DashboardsError when it is not configured."""
    url, user, password = settings.superset_url, settings.superset_user, settings.superset_password
    if url is None or user is None or password is None:
        raise DashboardsError(
            "Superset is not configured: set RETENTION_SUPERSET_URL, RETENTION_SUPERSET_USER and "
            "RETENTION_SUPERSET_PASSWORD in the environment, in .env or in <home>/retention.env."
        )
    return lambda: _Client(url, user, password.get_secret_value())


def read_assets(folder: Path = ASSETS) -> Assets:
    """Read the YAML files of dashboards/ as they stand: relative path → content. Raises DashboardsError."""
    assets: Assets = {}
    for kind in FOLDERS:
        for path in sorted((folder / kind).rglob("*.yaml")):
            try:
                assets[path.relative_to(folder).as_posix()] = yaml.safe_load(path.read_text(encoding="utf-8"))
            except yaml.YAMLError as error:
                raise DashboardsError(f"{path} is not readable YAML: {error}") from error
    if not assets:
        raise DashboardsError(f"No assets in {folder}: expected the folders {', '.join(FOLDERS)}.")
    return assets


def fill_in(assets: Assets, settings: Settings, marts: dict[str, Mart]) -> Assets:
    """Give the assets as Superset is to receive them.

    Raises DashboardsError for a dataset whose mart dbt does not describe, that names a column it does not have, or a
    metric that dbt does not know.
    """
    metrics = metrics_of(marts)
    filled: Assets = {}
    for path, raw in assets.items():
        asset = copy.deepcopy(raw)
        if path.startswith("databases/"):
            asset["sqlalchemy_uri"] = asset["sqlalchemy_uri"].replace(PUBLISHED, str(settings.published))
        elif path.startswith("datasets/"):
            _fill_dataset(path, asset, marts)
            _fill_metrics(path, asset, metrics)
        filled[path] = asset
    return filled


def _fill_dataset(path: str, dataset: dict[str, Any], marts: dict[str, Mart]) -> None:
    mart = marts.get(dataset["table_name"])
    if mart is None:
        if dataset.get("sql"):
            return
        raise DashboardsError(
            f"{path} reads the mart {dataset['table_name']}, which no YAML file of dbt_project/models/marts describes."
        )
    if dataset.get("description") == DBT_TEXT:
        dataset["description"] = mart.description
    said = {column["column_name"]: column for column in dataset.get("columns") or []}
    columns = []
    for column in mart.columns:
        is_time = column["type"].startswith(("DATE", "TIMESTAMP"))
        columns.append(
            {
                **column,
                "verbose_name": _sentence(column["column_name"]),
                "is_dttm": is_time,
                "is_active": True,
                "groupby": True,
                "filterable": True,
                **said.pop(column["column_name"], {}),
            }
        )
    unknown = [name for name, column in said.items() if not column.get("expression")]
    if unknown:
        raise DashboardsError(f"{path} names columns that {mart.name} does not have: {', '.join(unknown)}.")
    dataset["columns"] = columns + list(said.values())


def _fill_metrics(path: str, dataset: dict[str, Any], metrics: dict[str, Metric]) -> None:
    def text(call: re.Match[str]) -> str:
        if call["key"] not in metrics:
            raise DashboardsError(f"{path} wants the text of the metric {call['key']}, which no mart of dbt anchors.")
        return metrics[call["key"]].text

    for metric in dataset.get("metrics") or []:
        metric["description"] = DBT_METRIC.sub(text, metric.get("description") or "")


def _restore_layers(client: "_Client", assets: Assets) -> None:
    # The import drops every layer that is not a formula, because such a layer names a chart by its number, which
    # differs between installations. So the layers are put back afterwards, with the number of this installation.
    for path, chart in assets.items():
        layers = path.startswith("charts/") and chart["params"].get("annotation_layers")
        if not layers:
            continue
        filled = []
        for layer in layers:
            match = CHART_ID.match(str(layer["value"]))
            filled.append({**layer, "value": client.chart(match["uuid"])["id"]} if match else layer)
        stored = client.chart(chart["uuid"])
        client.update_chart(stored["id"], {**json.loads(stored["params"]), "annotation_layers": filled})


def _zip(assets: Assets) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle/metadata.yaml", yaml.safe_dump({"version": "1.0.0", "type": "assets"}))
        for path, asset in assets.items():
            archive.writestr(f"bundle/{path}", yaml.safe_dump(asset, sort_keys=False, allow_unicode=True))
    return buffer.getvalue()


class _Client:
    """A logged-in connection to Superset's API."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        # Otherwise Superset answers an error with a web page that does not say what is wrong.
        self.session.headers["Accept"] = "application/json"
        answer = self._call(
            "POST",
            "/api/v1/security/login",
            json={"username": user, "password": password, "provider": "db", "refresh": False},
            allowed=(401,),
        )
        if answer.status_code == 401:
            raise DashboardsError(
                f"Superset at {self.url} refuses the login of {user!r}: RETENTION_SUPERSET_PASSWORD must be the "
                "password that `superset fab create-admin` was given (`superset fab reset-password` sets a new one)."
            )
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        token = self._call("GET", "/api/v1/security/csrf_token/").json()["result"]
        self.session.headers.update({"X-CSRFToken": token, "Referer": self.url})

    def chart(self, uuid: str) -> dict[str, Any]:
        """What Superset stores of a chart; raises DashboardsError when it has none of that uuid."""
        answer = self._call("GET", f"/api/v1/chart/{uuid}", allowed=(404,))
        if answer.status_code == 404:
            raise DashboardsError(f"A chart refers to the chart {uuid}, which is not among dashboards/charts/.")
        return answer.json()["result"]

    def update_chart(self, number: int, params: dict[str, Any]) -> None:
        self._call("PUT", f"/api/v1/chart/{number}", json={"params": json.dumps(params)})

    def import_assets(self, bundle: bytes) -> None:
        try:
            self._call("POST", "/api/v1/assets/import/", files={"bundle": ("assets.zip", bundle, "application/zip")})
        except DashboardsError as error:
            # Its answer names neither the file nor the field; only its log does.
            raise DashboardsError(
                f"{error}. Nothing was changed. Superset's own log (logs/superset.log in the home) names the file and "
                "the field in a line that begins with `Schema validation failed`."
            ) from error

    def make_roles(self, roles: Iterable[Role]) -> None:
        """Make each role have exactly its permissions, whatever it had before."""
        ids = {role["name"]: role["id"] for role in self.all_rows("/api/v1/security/roles/")}
        permissions = {
            (row["permission"]["name"], row["view_menu"]["name"]): row["id"]
            for row in self.all_rows("/api/v1/security/permissions-resources/")
        }
        for role in roles:
            wanted = {permissions[permission] for permission in role.permissions if permission in permissions}
            for name in role.like:
                if name not in ids:
                    raise DashboardsError(f"Superset at {self.url} has no role {name}: run `superset init`.")
                rows = self._call("GET", f"/api/v1/security/roles/{ids[name]}/permissions/").json()["result"]
                wanted |= {row["id"] for row in rows}
            for database in role.databases:
                wanted |= {
                    number
                    for (permission, view), number in permissions.items()
                    if permission == "database_access" and view.startswith(f"[{database}].(id:")
                }
            if role.name not in ids:
                answer = self._call("POST", "/api/v1/security/roles/", json={"name": role.name})
                ids[role.name] = answer.json()["id"]
            self._call(
                "POST",
                f"/api/v1/security/roles/{ids[role.name]}/permissions",
                json={"permission_view_menu_ids": sorted(wanted)},
            )

    def all_rows(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            answer = self._call("GET", path, params={"q": f"(page:{len(rows) // 100},page_size:100)"}).json()
            rows += answer["result"]
            if not answer["result"] or len(rows) >= answer["count"]:
                return rows

    def _call(self, method: str, path: str, allowed: tuple[int, ...] = (), **arguments: Any) -> requests.Response:
        try:
            answer = self.session.request(method, self.url + path, timeout=120, **arguments)
        except requests.ConnectionError as error:
            raise DashboardsError(
                f"Superset does not answer at {self.url}: start it, or correct RETENTION_SUPERSET_URL."
            ) from error
        except requests.Timeout as error:
            raise DashboardsError(f"Superset at {self.url} did not answer {path} within 120 s; see its log.") from error
        if not answer.ok and answer.status_code not in allowed:
            raise DashboardsError(f"Superset answered {method} {path} with {answer.status_code}: {_reasons(answer)}")
        return answer


def _reasons(answer: requests.Response) -> str:
    """What Superset says is wrong, file by file where it names files."""
    try:
        content = answer.json()
    except ValueError:
        return answer.text[:500]
    lines = []
    for error in content.get("errors", []):
        extra = {name: text for name, text in error.get("extra", {}).items() if name != "issue_codes"}
        lines.append(f"{error.get('message', '')} {extra or ''}".strip())
    return "; ".join(lines) or str(content.get("message", content))[:500]


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize()

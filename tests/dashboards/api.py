"""What the tests ask of Superset's API."""

from typing import Any

import requests

from retention.settings import Settings


class Api:
    """A login; by default the administrator's."""

    def __init__(self, settings: Settings, user: str | None = None, password: str | None = None) -> None:
        assert settings.superset_url and settings.superset_user and settings.superset_password
        self.url = settings.superset_url
        self.session = requests.Session()
        login = {
            "username": user or settings.superset_user,
            "password": password or settings.superset_password.get_secret_value(),
            "provider": "db",
        }
        token = self.session.post(f"{self.url}/api/v1/security/login", json=login, timeout=60).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        csrf = self.get("security/csrf_token/").json()["result"]
        self.session.headers.update({"X-CSRFToken": csrf, "Referer": self.url})

    def get(self, path: str) -> requests.Response:
        return self.session.get(f"{self.url}/api/v1/{path}", timeout=60)

    def post(self, path: str, content: dict[str, Any]) -> requests.Response:
        return self.session.post(f"{self.url}/api/v1/{path}", json=content, timeout=60)

    def all(self, path: str) -> list[dict[str, Any]]:
        answer = self.get(f"{path}?q=(page_size:100)")
        assert answer.ok, answer.text
        return answer.json()["result"]

    def database(self, name: str) -> int:
        return next(row["id"] for row in self.all("database/") if row["database_name"] == name)

    def sql(self, database: int, query: str) -> requests.Response:
        return self.post("sqllab/execute/", {"database_id": database, "sql": query, "runAsync": False})

    def add_user(self, name: str, password: str, role: str) -> None:
        roles = {row["name"]: row["id"] for row in self.all("security/roles/")}
        user = {
            "username": name,
            "first_name": role,
            "last_name": "Test",
            "email": f"{name}@localhost",
            "active": True,
            "password": password,
            "roles": [roles[role]],
        }
        answer = self.post("security/users/", user)
        assert answer.ok, answer.text

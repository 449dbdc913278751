"""A portal on loopback that answers as Bitrix24 documents it, and fails when it is told to.

The demo company has a whole one; this one exists to go wrong on request.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from retention.settings import PROJECT_ROOT, load_settings
from retention.sources.bitrix24 import entities

# The portal of the mapping file that is delivered.
ENTITIES = entities(load_settings(sources=["bitrix24"], sources_dir=PROJECT_ROOT / "sources"), "bitrix24")
NAMES = {entity.entity_type: entity.name for entity in ENTITIES if entity.method == "crm.item.list"}
TIME = {"start": 0, "finish": 0, "duration": 0, "processing": 0, "date_start": "", "date_finish": ""}


class Portal:
    """`items`: entity -> rows. `failures`: answers (status, code) given before the next real ones, oldest first.
    `batch_failures`: codes with which the first command of the next batches fails."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {entity.name: [] for entity in ENTITIES}
        self.fields = {
            entity.name: {entity.portal_name(name): {"type": "string"} for name in entity.columns}
            for entity in ENTITIES
        }
        self.failures: list[tuple[int, str]] = []
        self.batch_failures: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    def answer(self, method: str, parameters: dict[str, Any]) -> Any:
        if method.endswith(".fields"):
            name = self._entity(method, parameters)
            fields = self.fields[name]
            return {"fields": fields} if method == "crm.item.fields" else fields
        name = self._entity(method, parameters)
        rows = sorted(self.items[name], key=lambda row: int(row.get("id", row.get("ID"))))
        for condition, value in (parameters.get("filter") or {}).items():
            operator, field = re.fullmatch(r"([><=]*)(\w+)", condition).groups()
            if operator == ">":
                rows = [row for row in rows if int(row[field]) > int(value)]
            elif operator == ">=":
                as_id = int if field.lower() == "id" else str
                rows = [row for row in rows if as_id(row[field]) >= as_id(value)]
            elif operator == "<":
                rows = [row for row in rows if row[field] < str(value)]
            else:
                rows = [row for row in rows if str(row[field]) == str(value)]
        if parameters.get("select"):
            rows = [{field: row.get(field) for field in parameters["select"]} for row in rows]
        page = rows[:50]
        return {"items": page} if method in ("crm.item.list", "crm.stagehistory.list") else page

    def batch(self, commands: dict[str, str]) -> dict[str, Any]:
        if self.batch_failures:
            code = self.batch_failures.pop(0)
            error = {"1": {"error": code, "error_description": "as ordered"}}
            return {"result": [], "result_error": error, "result_total": [], "result_next": [], "result_time": []}
        results: dict[str, Any] = {}
        for key, command in commands.items():
            method, _, query = command.partition("?")
            parameters = _nested(parse_qsl(query, keep_blank_values=True))
            for condition, value in (parameters.get("filter") or {}).items():
                reference = re.fullmatch(r"\$result\[(\w+)\](?:\[items\])?\[(\d+)\]\[(\w+)\]", str(value))
                if reference:
                    page = results[reference.group(1)]
                    page = page["items"] if isinstance(page, dict) else page
                    place = int(reference.group(2))
                    parameters["filter"][condition] = page[place][reference.group(3)] if place < len(page) else 10**12
            results[key] = self.answer(method, parameters)
        return {"result": results, "result_error": [], "result_total": [], "result_next": [], "result_time": []}

    def _entity(self, method: str, parameters: dict[str, Any]) -> str:
        if method == "crm.stagehistory.list":
            return "deal_stages"
        if method.startswith("crm.item."):
            return NAMES[int(parameters["entityTypeId"])]
        return {"crm.activity": "activities", "user": "users", "department": "departments"}[method.rsplit(".", 1)[0]]


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """a[b][c]=1 as {"a": {"b": {"c": "1"}}}; select[0], select[1] as a list."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        parts = re.findall(r"[^\[\]]+", name)
        branch = tree
        for part in parts[:-1]:
            branch = branch.setdefault(part, {})
        branch[parts[-1]] = value
    if "select" in tree:
        tree["select"] = list(tree["select"].values())
    return tree


@contextmanager
def running() -> Iterator[Portal]:
    """Serve a portal until the end of the block."""
    portal = Portal()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            method = urlsplit(self.path).path.removesuffix(".json").rsplit("/", 1)[-1]
            parameters = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}") or {}
            if method != "server.time":
                portal.requests.append((method, parameters))
            if method == "server.time":
                self._send(200, {"result": datetime.now(UTC).isoformat(timespec="seconds"), "time": TIME})
            elif portal.failures:
                status, code = portal.failures.pop(0)
                self._send(status, {"error": code, "error_description": f"as ordered by {self.path}"})
            elif method == "batch":
                self._send(200, {"result": portal.batch(parameters["cmd"]), "time": TIME})
            else:
                answer = portal.answer(method, parameters)
                extra = {"total": len(answer)} if isinstance(answer, list) else {}
                self._send(200, {"result": answer, "time": TIME, **extra})

        def _send(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    portal.url = f"http://127.0.0.1:{server.server_port}/rest/1/s3cr3tcode/"
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()

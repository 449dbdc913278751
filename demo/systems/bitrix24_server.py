"""A Bitrix24 REST server on loopback: the documented protocol over the state in a SQLite file.

Pages of 50 with `next` and `total`; `start=-1` counts nothing and offers no next page; `batch` runs up to 50 commands,
later ones may refer to the results of earlier ones (`$result[first][items][49][id]`), and answers 200 even when parts
fail; requests fill a leaky bucket; empty maps are written as []. Errors are {"error": CODE, "error_description": text}.

A method that has worked for too long within ten minutes is refused until they are over (429).

It can be told to misbehave: `POST /demo/trouble` with {"method": "crm.item.list", "status": 503,
"error": "QUERY_LIMIT_EXCEEDED", "times": 3} answers so the next three calls of that method ("*": of any; "batch": of a
whole batch). Other kinds of trouble:
    "kind": "cut"      the connection ends in the middle of the answer
    "kind": "dates"    instants come as 24.08.2023 13:19:39
    "kind": "change"   just before the answer is made, somebody works in the portal: "delete" (a list of [kind, id]) and
                       "put" (a list of [kind, id, fields]) say what
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from demo.systems.bitrix24_store import ACTIVITY, DEPARTMENT, USER, kind_of

PAGE = 50
BATCH = 50
CLOUD_RATE, CLOUD_BURST = 2.0, 50
"""Requests per second that leak from the bucket, and its size, on the tariffs below Enterprise."""

FIELDS = yaml.safe_load(Path(__file__).with_name("bitrix24_fields.yml").read_text(encoding="utf-8"))
ENTITY_TYPES: dict[int, dict[str, Any]] = {item["entityTypeId"]: item for item in FIELDS["items"].values()}
CAMEL = {name: spec["camel"] for item in ENTITY_TYPES.values() for name, spec in item.get("user_fields", {}).items()}
ORIGINAL = {camel: name for name, camel in CAMEL.items()}
COMMON_FIELDS = {
    "id": "integer",
    "title": "string",
    "createdTime": "datetime",
    "updatedTime": "datetime",
    "createdBy": "user",
    "updatedBy": "user",
    "assignedById": "user",
    "companyId": "crm_company",
    "stageId": "crm_status",
}
DEAL_FIELDS = {
    "categoryId": "crm_category",
    "opportunity": "double",
    "currencyId": "crm_currency",
    "closedate": "date",
    "closed": "boolean",
}
ACTIVITY_FIELDS = {
    "ID": "integer",
    "OWNER_ID": "integer",
    "OWNER_TYPE_ID": "crm_enum_ownertype",
    "TYPE_ID": "crm_enum_activitytype",
    "PROVIDER_ID": "string",
    "DIRECTION": "crm_enum_activitydirection",
    "RESPONSIBLE_ID": "user",
    "ORIGIN_ID": "string",
    "SUBJECT": "string",
    "DESCRIPTION": "string",
    "COMMUNICATIONS": "crm_activity_communication",
    "SETTINGS": "object",
    "COMPLETED": "char",
    "START_TIME": "datetime",
    "END_TIME": "datetime",
    "CREATED": "datetime",
    "LAST_UPDATED": "datetime",
}
USER_FIELDS = {
    "ID": "ID",
    "XML_ID": "External ID",
    "ACTIVE": "Active",
    "NAME": "First name",
    "LAST_NAME": "Last name",
    "EMAIL": "E-mail",
    "PERSONAL_MOBILE": "Mobile",
    "UF_DEPARTMENT": "Departments",
    "UF_EMPLOYMENT_DATE": "Employed since",
    "UF_USR_LEFT_ON": "Left on",
    "DATE_REGISTER": "Registered",
    "TIMESTAMP_X": "Changed",
}
DEPARTMENT_FIELDS = {"ID": "ID", "NAME": "Name", "SORT": "Sorting", "PARENT": "Parent", "UF_HEAD": "Head"}


class RestError(Exception):
    """An error as the protocol tells it."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status, self.code, self.description = status, code, description

    def body(self) -> dict[str, str]:
        return {"error": self.code, "error_description": self.description}


@dataclass
class Bucket:
    """A leaky bucket of requests."""

    rate: float
    size: float
    clock: Callable[[], float] = time.monotonic
    level: float = 0.0
    seen_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        """Put one request in; False when the bucket is full."""
        with self.lock:
            now = self.clock()
            self.level = max(0.0, self.level - (now - self.seen_at) * self.rate)
            self.seen_at = now
            if self.level + 1 > self.size:
                return False
            self.level += 1
            return True


@dataclass
class OperatingTime:
    """The other limit: seconds that a method may work within a window; beyond them it is refused until the window ends.

    `cost` is added to every call, so that a test need not wait for real work.
    """

    limit: float = 480.0
    window: float = 600.0
    cost: float = 0.0
    clock: Callable[[], float] = time.monotonic
    spent: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, method: str) -> bool:
        with self.lock:
            if self.clock() - self.began.get(method, float("-inf")) >= self.window:
                self.began[method], self.spent[method] = self.clock(), 0.0
            return self.spent[method] < self.limit

    def add(self, method: str, seconds: float) -> None:
        with self.lock:
            self.spent[method] = self.spent.get(method, 0.0) + seconds + self.cost


@dataclass
class Trouble:
    """What the next `times` calls of a method run into: see the module's text for the kinds."""

    method: str
    status: int = 200
    error: str = ""
    description: str = "as told"
    times: int = 1
    kind: str = "error"
    delete: list[tuple[str, int]] = field(default_factory=list)
    put: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)


class CutOff(Exception):
    """The connection ends in the middle of the answer."""


class Bitrix24Server(ThreadingHTTPServer):
    """The server; `code` is the secret part of the webhook address, user 1 its owner."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        store: Path,
        code: str,
        *,
        rate: float = CLOUD_RATE,
        burst: float = CLOUD_BURST,
        expired_codes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(address, Handler)
        self.store, self.code, self.expired_codes = store, code, expired_codes
        self.bucket = Bucket(rate, burst)
        self.operating = OperatingTime()
        self.troubles: list[Trouble] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """The webhook address."""
        return f"http://{self.server_address[0]}:{self.server_address[1]}/rest/1/{self.code}/"

    def trouble_for(self, method: str, kind: str) -> Trouble | None:
        """The trouble that a call of a method runs into, counted down. `kind`: change, dates, or error for the rest."""
        with self.lock:
            for trouble in self.troubles:
                is_meant = trouble.times > 0 and trouble.method in ("*", method)
                # What changes the portal or the spelling of an answer comes beside an error, not instead of it.
                is_of_kind = trouble.kind == kind if {"change", "dates"} & {trouble.kind, kind} else True
                if is_meant and is_of_kind:
                    trouble.times -= 1
                    return trouble
        return None


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Bitrix24Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold the secret code."""

    def _serve(self) -> None:
        started = time.time()
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length) if length else b""
        try:
            if urlsplit(self.path).path == "/demo/trouble":
                self._plan_trouble(sent)
                return
            body = self._answer(sent)
            body["time"] = time_block(started)
            self._send(200, body)
        except CutOff:
            self._send(200, {"result": []}, cut=True)
        except RestError as error:
            self._send(error.status, error.body())
        except (BrokenPipeError, ConnectionResetError):
            pass
        except Exception as error:
            self._send(500, {"error": "INTERNAL_SERVER_ERROR", "error_description": repr(error)})

    def _plan_trouble(self, sent: bytes) -> None:
        planned = json.loads(sent or b"[]")
        with self.server.lock:
            self.server.troubles = [Trouble(**one) for one in (planned if isinstance(planned, list) else [planned])]
        self._send(200, {"result": True})

    def _answer(self, sent: bytes) -> dict[str, Any]:
        address = urlsplit(self.path)
        match = re.fullmatch(r"/rest/(\d+)/([^/]+)/([\w.]+?)(\.json)?/?", address.path)
        if match is None:
            if re.match(r"/rest/[\w.]+$", address.path):
                raise RestError(401, "NO_AUTH_FOUND", "Wrong authorization data")
            raise RestError(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        user, code, method = match.group(1), match.group(2), match.group(3).lower()
        if code in self.server.expired_codes:
            raise RestError(401, "expired_token", "The access token provided has expired.")
        if user != "1" or code != self.server.code:
            raise RestError(401, "INVALID_CREDENTIALS", "Invalid request credentials")
        if not self.server.bucket.take():
            raise RestError(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
        params = _unfold(parse_qsl(address.query, keep_blank_values=True))
        if sent:
            if "json" in (self.headers.get("Content-Type") or ""):
                try:
                    given = json.loads(sent)
                except ValueError:
                    raise RestError(400, "INVALID_REQUEST", "The request is not valid JSON") from None
                params |= given if isinstance(given, dict) else {}
            else:
                params |= _unfold(parse_qsl(sent.decode(), keep_blank_values=True))
        _run_into_trouble(self.server, "change", method)
        if method == "batch":
            _run_into_trouble(self.server, "error", method)
        with closing(sqlite3.connect(f"file:{self.server.store}?mode=ro", uri=True, timeout=30)) as connection:
            connection.execute("begin")  # one request sees one state
            if method == "batch":
                return _batch(self.server, connection, params)
            return call(self.server, connection, method, params)

    def _send(self, status: int, body: dict[str, Any], cut: bool = False) -> None:
        # PHP cannot tell an empty map from an empty list, so an empty one is always a list.
        data = json.dumps(body, ensure_ascii=False, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or cut


def time_block(started: float) -> dict[str, Any]:
    """The `time` part of an answer."""
    finished = time.time()
    zone = timedelta(hours=3)

    def wall(instant: float) -> str:
        return f"{datetime.fromtimestamp(instant, UTC) + zone:%Y-%m-%dT%H:%M:%S}+03:00"

    spent = finished - started
    return {
        "start": started,
        "finish": finished,
        "duration": spent,
        "processing": spent,
        "date_start": wall(started),
        "date_finish": wall(finished),
        "operating_reset_at": int(finished) + 600,
        "operating": 0 if spent < 0.1 else spent,
    }


# Methods
def call(server: Bitrix24Server, connection: sqlite3.Connection, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run one method; the answer without its `time`. Raises RestError."""
    _run_into_trouble(server, "error", method)
    if not server.operating.allows(method):
        raise RestError(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
    started = time.monotonic()
    try:
        answer = _answer_of(connection, method, params)
        return _with_other_dates(answer) if server.trouble_for(method, "dates") else answer
    finally:
        server.operating.add(method, time.monotonic() - started)


def _with_other_dates(answer: Any) -> Any:
    """The same answer with its instants in the other documented shape, by the portal's clock and without a zone."""
    if isinstance(answer, dict):
        return {name: _with_other_dates(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_with_other_dates(value) for value in answer]
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)\+03:00", answer) if isinstance(answer, str) else None
    return f"{found[3]}.{found[2]}.{found[1]} {found[4]}" if found else answer


def _run_into_trouble(server: Bitrix24Server, kind: str, method: str) -> None:
    """What was ordered for the next call of a method. `kind`: `change`, or `error` for everything else."""
    trouble = server.trouble_for(method, kind)
    if trouble is None:
        return
    if trouble.kind == "cut":
        raise CutOff
    if trouble.kind == "error":
        raise RestError(trouble.status, trouble.error, trouble.description)
    with closing(sqlite3.connect(server.store, timeout=30)) as connection, connection:
        for kind_of_element, number in trouble.delete:
            connection.execute("delete from element where kind = ? and id = ?", (kind_of_element, number))
        for kind_of_element, number, fields in trouble.put:
            row = connection.execute(
                "select body from element where kind = ? and id = ?", (kind_of_element, number)
            ).fetchone()
            body = (json.loads(row[0]) if row else {"id": number}) | fields
            cursor = _in_portal_zone(str(body.get("updatedTime") or body.get("LAST_UPDATED")))
            connection.execute(
                "insert or replace into element values (?, ?, ?, ?)",
                (kind_of_element, number, cursor, json.dumps(body, ensure_ascii=False)),
            )


def _answer_of(connection: sqlite3.Connection, method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "crm.item.list":
        return _item_list(connection, params)
    if method == "crm.item.fields":
        return {"result": {"fields": item_fields(_entity_type(params), _asks_original(params))}}
    if method == "crm.stagehistory.list":
        answer = _list(connection, f"stagehistory:{params.get('entityTypeId')}", params, "CREATED_TIME")
        return {**answer, "result": {"items": answer["result"]}}
    if method == "crm.activity.list":
        return _list(connection, ACTIVITY, params, "LAST_UPDATED")
    if method == "crm.activity.fields":
        return {"result": {name: {"type": kind, "title": name} for name, kind in ACTIVITY_FIELDS.items()}}
    if method == "user.get":
        return _list(connection, USER, _flat(params), "TIMESTAMP_X")
    if method == "user.fields":
        return {"result": USER_FIELDS}
    if method == "department.get":
        return _list(connection, DEPARTMENT, _flat(params), "")
    if method == "department.fields":
        return {"result": DEPARTMENT_FIELDS}
    if method == "server.time":
        return {"result": time_block(time.time())["date_start"]}
    if method == "profile":
        return {"result": {"ID": "1", "ADMIN": True, "NAME": "Integration", "LAST_NAME": "Webhook"}}
    if method in ("scope", "methods"):
        return {"result": ["crm", "user", "user_basic", "department"]}
    raise RestError(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")


def _batch(server: Bitrix24Server, connection: sqlite3.Connection, params: dict[str, Any]) -> dict[str, Any]:
    commands = params.get("cmd") or {}
    if isinstance(commands, list):
        commands = {str(place): command for place, command in enumerate(commands)}
    if not isinstance(commands, dict):
        raise RestError(400, "INVALID_REQUEST", "cmd must be a list or a map of commands")
    if len(commands) > BATCH:
        raise RestError(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    is_halting = str(params.get("halt", "0")).lower() not in ("0", "false", "", "n")
    parts: dict[str, dict[str, Any]] = {
        name: {} for name in ("result", "result_error", "result_total", "result_next", "result_time")
    }
    for name, command in commands.items():
        method, _, query = str(command).partition("?")
        started = time.time()
        try:
            pairs = [(key, _refer(value, parts["result"])) for key, value in parse_qsl(query, keep_blank_values=True)]
            if method.lower() == "batch":
                raise RestError(400, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
            answer = call(server, connection, method.lower().removesuffix(".json"), _unfold(pairs))
        except RestError as error:
            parts["result_error"][name] = error.body()
            if is_halting:
                break
            continue
        parts["result"][name] = answer["result"]
        parts["result_time"][name] = time_block(started)
        for extra in ("total", "next"):
            if extra in answer:
                parts[f"result_{extra}"][name] = answer[extra]
    return {"result": {name: part or [] for name, part in parts.items()}}


def _refer(value: str, results: dict[str, Any]) -> str:
    """Replace `$result[name][...]` by what an earlier command of the batch gave; nothing found is empty."""

    def found(match: re.Match[str]) -> str:
        place: Any = results
        for step in re.findall(r"\[([^\]]*)\]", match.group(0)):
            if isinstance(place, list) and step.isdigit() and int(step) < len(place):
                place = place[int(step)]
            elif isinstance(place, dict) and step in place:
                place = place[step]
            else:
                return ""
        return str(place)

    return re.sub(r"\$result(\[[^\]]*\])+", found, value)


def _entity_type(params: dict[str, Any]) -> int:
    try:
        entity_type = int(params.get("entityTypeId", ""))
    except (TypeError, ValueError):
        raise RestError(400, "100", "Could not find value for parameter {entityTypeId}") from None
    if entity_type not in ENTITY_TYPES:
        raise RestError(400, "NOT_FOUND", "SPA not found")
    return entity_type


def _asks_original(params: dict[str, Any]) -> bool:
    return str(params.get("useOriginalUfNames", "N")).upper() == "Y"


def item_fields(entity_type: int, use_original: bool) -> dict[str, Any]:
    """The answer of crm.item.fields: field name -> description."""
    item = ENTITY_TYPES[entity_type]
    plain = COMMON_FIELDS | (DEAL_FIELDS if entity_type == 2 else {})
    if entity_type == 4:
        plain = {name: kind for name, kind in plain.items() if name not in ("companyId", "stageId")}
        plain |= {"phone": "crm_multifield", "email": "crm_multifield", "opened": "boolean"}
    fields: dict[str, Any] = {
        name: {"type": kind, "isRequired": False, "isReadOnly": name == "id", "title": name, "upperName": _upper(name)}
        for name, kind in plain.items()
    }
    for name, spec in item.get("user_fields", {}).items():
        field_of = {"type": spec["type"], "isRequired": False, "isReadOnly": False, "title": name, "upperName": name}
        options = item.get("enums", {}).get(name)
        if options:
            field_of["items"] = [{"ID": str(number), "VALUE": value} for number, value in options.items()]
        fields[name if use_original else spec["camel"]] = field_of
    return fields


def _upper(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def _item_list(connection: sqlite3.Connection, params: dict[str, Any]) -> dict[str, Any]:
    entity_type = _entity_type(params)
    use_original = _asks_original(params)
    known = set(item_fields(entity_type, True)) | {"id", "ID"}
    select = params.get("select") or ["*"]
    select = list(select.values()) if isinstance(select, dict) else list(select)
    wanted = None
    if not {"*", "uf_*", "UF_*"} & set(select):
        # A field that does not exist is left out of the answer without a word, as the portal does.
        wanted = {ORIGINAL.get(name, "id" if name == "ID" else name) for name in select} & known | {"id"}
    filters = {}
    for key, value in (params.get("filter") or {}).items() if isinstance(params.get("filter"), dict) else ():
        operator, name = _operator(key)
        name = ORIGINAL.get(name, "id" if name == "ID" else name)
        if name not in known:
            raise RestError(400, "INVALID_ARG_VALUE", f"Invalid filter: field '{name}' is not allowed in filter")
        filters[operator + name] = value
    answer = _list(connection, kind_of(entity_type), {**params, "filter": filters, "select": None}, "updatedTime", "id")
    items = [
        {
            name if use_original else CAMEL.get(name, name): value
            for name, value in item.items()
            if wanted is None or name in wanted
        }
        for item in answer["result"]
    ]
    return {**answer, "result": {"items": items}}


def _flat(params: dict[str, Any]) -> dict[str, Any]:
    """user.get and department.get take filter fields at the top, and SORT with ORDER."""
    fields = params.get("filter") or params.get("FILTER") or {}
    fields = dict(fields) if isinstance(fields, dict) else {}
    for key, value in params.items():
        if key.upper() not in ("FILTER", "SORT", "ORDER", "START", "ADMIN_MODE", "SELECT"):
            fields[key] = value
    sort = params.get("SORT") or params.get("sort") or "ID"
    order = params.get("ORDER") or params.get("order") or "ASC"
    order = order if isinstance(order, dict) else {str(sort): str(order)}
    return {"filter": fields, "order": order, "start": params.get("start", params.get("START", 0))}


def _list(
    connection: sqlite3.Connection, kind: str, params: dict[str, Any], cursor: str, id_name: str = "ID"
) -> dict[str, Any]:
    """One page of elements; `next` and `total` unless start is -1."""
    try:
        start = int(params.get("start") or 0)
    except (TypeError, ValueError):
        raise RestError(400, "INVALID_ARG_VALUE", "start must be a number") from None
    filters = params.get("filter") or {}
    filters = dict(filters) if isinstance(filters, dict) else {}
    order = params.get("order") or {}
    order = dict(order) if isinstance(order, dict) else {}
    condition, arguments, rest = _as_sql(filters, cursor, id_name)
    rows = connection.execute(
        f"select body from element where kind = ? {condition} order by {_order(order, cursor)}", (kind, *arguments)
    )
    found = _matching((json.loads(body) for (body,) in rows), rest)
    skip = max(start, 0)
    if start < 0:
        page = [element for element, _ in zip(found, range(PAGE), strict=False)]
        return {"result": _selected(page, params)}
    everything = list(found)
    page = everything[skip : skip + PAGE]
    answer: dict[str, Any] = {"result": _selected(page, params)}
    if skip + PAGE < len(everything):
        answer["next"] = skip + PAGE
    answer["total"] = len(everything)
    return answer


def _selected(page: list[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, Any]]:
    select = params.get("select")
    if not select:
        return page
    names = set(select.values() if isinstance(select, dict) else select)
    if "*" in names:
        return page
    return [{name: value for name, value in element.items() if name in names or name == "ID"} for element in page]


def _order(order: dict[str, Any], cursor: str) -> str:
    for name, direction in order.items():
        way = "desc" if str(direction).upper() == "DESC" else "asc"
        if name == cursor:
            return f"cursor {way}, id {way}"
        return f"id {way}"
    return "id asc"


OPERATORS = (">=", "<=", "!=", ">", "<", "=", "@", "!")


def _operator(key: str) -> tuple[str, str]:
    for operator in OPERATORS:
        if key.startswith(operator):
            return operator, key[len(operator) :]
    return "", key


def _as_sql(filters: dict[str, Any], cursor: str, id_name: str) -> tuple[str, list[Any], list[tuple[str, str, Any]]]:
    """Conditions on the id and the cursor as SQL; the others are left to be checked one by one."""
    condition, arguments, rest = "", [], []
    for key, value in filters.items():
        operator, name = _operator(key)
        comparison = {"": "=", "=": "=", ">": ">", ">=": ">=", "<": "<", "<=": "<=", "!": "<>", "!=": "<>"}.get(
            operator
        )
        if name == id_name and comparison and not isinstance(value, list | dict):
            # An empty reference to an earlier page compares with 0, as in the portal.
            condition += f" and id {comparison} ?"
            arguments.append(int(value) if str(value).lstrip("-").isdigit() else 0)
        elif name == cursor and cursor and comparison and not isinstance(value, list | dict):
            condition += f" and cursor {comparison} ?"
            arguments.append(_in_portal_zone(str(value)))
        else:
            rest.append((operator, name, value))
    return condition, arguments, rest


def _in_portal_zone(text: str) -> str:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise RestError(400, "INVALID_ARG_VALUE", f"Invalid date: {text}") from None
    if instant.tzinfo is not None:
        instant = (instant.astimezone(UTC) + timedelta(hours=3)).replace(tzinfo=None)
    return f"{instant:%Y-%m-%dT%H:%M:%S}+03:00"


def _matching(elements: Iterator[dict[str, Any]], rest: list[tuple[str, str, Any]]) -> Iterator[dict[str, Any]]:
    for element in elements:
        if all(_passes(element.get(name), operator, wanted) for operator, name, wanted in rest):
            yield element


def _passes(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        wanted = list(wanted.values())
    if isinstance(wanted, list) or operator == "@":
        many = wanted if isinstance(wanted, list) else [wanted]
        is_in = str(value) in {str(one) for one in many}
        return not is_in if operator in ("!", "!=") else is_in
    left, right = _comparable(value), _comparable(wanted)
    if operator in ("", "="):
        return left == right
    if operator in ("!", "!="):
        return left != right
    if type(left) is not type(right):
        return False
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def _comparable(value: Any) -> float | str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    text = "" if value is None else str(value)
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


# Forms and query strings: filter[>ID]=5&select[]=ID
def _unfold(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Nested maps and lists from PHP-style names."""
    result: dict[str, Any] = {}
    for name, value in pairs:
        head, *steps = [name.split("[", 1)[0], *re.findall(r"\[([^\]]*)\]", name)]
        place: dict[str, Any] = result
        for key, _ in zip([head, *steps], steps, strict=False):
            key = key or str(len(place))
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        last = steps[-1] if steps else head
        place[last or str(len(place))] = value
    return {name: _listed(value) for name, value in result.items()}


def _listed(value: Any) -> Any:
    """Maps with the keys 0, 1, 2, ... are lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(one) for key, one in value.items()}
    if inner and list(inner) == [str(place) for place in range(len(inner))]:
        return list(inner.values())
    return inner

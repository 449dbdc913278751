"""What the methods of the interface deliver, read from the store."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from demo.systems.bitrix24.protocol import RestError, time_block
from demo.systems.bitrix24.store import ACTIVITY, DEPARTMENT, USER, in_portal_zone, kind_of, steps_of

PAGE = 50

FIELDS = yaml.safe_load(Path(__file__).with_name("fields.yml").read_text(encoding="utf-8"))
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
    "movedTime": "datetime",
}
DEAL_FIELDS = {
    "stageSemanticId": "string",
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
    "USER_TYPE": "User type",
    "UF_DEPARTMENT": "Departments",
    "UF_EMPLOYMENT_DATE": "Employed since",
    "UF_USR_LEFT_ON": "Left on",
    "DATE_REGISTER": "Registered",
    "TIMESTAMP_X": "Changed",
}
DEPARTMENT_FIELDS = {"ID": "ID", "NAME": "Name", "SORT": "Sorting", "PARENT": "Parent", "UF_HEAD": "Head"}


def answer_of(connection: sqlite3.Connection, method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "crm.item.list":
        return _item_list(connection, params)
    if method == "crm.item.fields":
        return {"result": {"fields": item_fields(_entity_type(params), _asks_original(params))}}
    if method == "crm.stagehistory.list":
        answer = _list(connection, steps_of(_entity_type(params)), params, "CREATED_TIME")
        return {**answer, "result": {"items": answer["result"]}}
    if method == "crm.activity.list":
        return _list(connection, ACTIVITY, params, "LAST_UPDATED")
    if method == "crm.activity.fields":
        return {"result": {name: {"type": kind, "title": name} for name, kind in ACTIVITY_FIELDS.items()}}
    if method == "user.get":
        return _list(connection, USER, _flat(params), "")
    if method == "user.fields":
        return {"result": USER_FIELDS}
    if method == "department.get":
        return _list(connection, DEPARTMENT, _only_equal(_flat(params)), "")
    if method == "department.fields":
        return {"result": DEPARTMENT_FIELDS}
    if method == "server.time":
        return {"result": time_block(time.time())["date_start"]}
    if method == "profile":
        return {"result": {"ID": "1", "ADMIN": True, "NAME": "Integration", "LAST_NAME": "Webhook"}}
    if method == "scope":
        return {"result": ["crm", "user", "user_basic", "department"]}
    raise RestError(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")


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
        plain = {name: kind for name, kind in plain.items() if name not in ("companyId", "stageId", "movedTime")}
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
    start = params.get("start", params.get("START", 0))
    select = params.get("select") or params.get("SELECT")
    return {"filter": fields, "order": order, "start": start, "select": select}


def _only_equal(params: dict[str, Any]) -> dict[str, Any]:
    """department.get compares for equality only: it passes over other conditions, always counts and selects nothing."""
    filters = {name: value for name, value in params["filter"].items() if name in DEPARTMENT_FIELDS}
    return {**params, "filter": filters, "start": max(int(params["start"] or 0), 0), "select": None}


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
            arguments.append(_instant(str(value)))
        else:
            rest.append((operator, name, value))
    return condition, arguments, rest


def _instant(text: str) -> str:
    try:
        return in_portal_zone(text)
    except ValueError:
        raise RestError(400, "INVALID_ARG_VALUE", f"Invalid date: {text}") from None


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

"""A Bitrix24 REST server on loopback: the documented protocol over the state in a SQLite file.

Pages of 50 with `next` and `total`; `start=-1` counts nothing and offers no next page; `batch` runs up to 50 commands,
later ones may refer to the results of earlier ones (`$result[first][items][49][id]`), and answers 200 even when parts
fail; requests fill a leaky bucket; empty maps are written as []. Errors are {"error": CODE, "error_description": text}.
A method that has worked for too long within ten minutes is refused until they are over (429).

It misbehaves when it is told to (troubles.py).
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from demo.systems.bitrix24.limits import CLOUD_BURST, CLOUD_RATE, Bucket, OperatingTime
from demo.systems.bitrix24.methods import answer_of
from demo.systems.bitrix24.protocol import RestError, time_block, unfold
from demo.systems.bitrix24.troubles import CutOff, GatewayPage, Trouble, Troubles

BATCH = 50


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
        self.troubles = Troubles(store)

    @property
    def url(self) -> str:
        """The webhook address."""
        return f"http://{self.server_address[0]}:{self.server_address[1]}/rest/1/{self.code}/"


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
            self._send(200, {"time": time_block(started), **self._answer(sent)})
        except CutOff:
            self._send(200, {"result": []}, cut=True)
        except GatewayPage as page:
            self._write(page.status, "text/html", f"<html><h1>{page.status}</h1></html>".encode())
        except RestError as error:
            self._send(error.status, error.body())
        except (BrokenPipeError, ConnectionResetError):
            pass
        except Exception as error:
            self._send(500, {"error": "INTERNAL_SERVER_ERROR", "error_description": repr(error)})

    def _plan_trouble(self, sent: bytes) -> None:
        try:
            planned = json.loads(sent or b"[]")
            self.server.troubles.plan(
                *(Trouble(**one) for one in (planned if isinstance(planned, list) else [planned]))
            )
        except (TypeError, ValueError) as error:
            raise RestError(400, "INVALID_REQUEST", f"This is no trouble: {error}") from None
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
        params = unfold(parse_qsl(address.query, keep_blank_values=True))
        if sent:
            if "json" in (self.headers.get("Content-Type") or ""):
                try:
                    given = json.loads(sent)
                except ValueError:
                    raise RestError(400, "INVALID_REQUEST", "The request is not valid JSON") from None
                params |= given if isinstance(given, dict) else {}
            else:
                params |= unfold(parse_qsl(sent.decode(), keep_blank_values=True))
        self.server.troubles.change(method)
        if method == "batch":
            self.server.troubles.fail(method)
        with closing(sqlite3.connect(f"file:{self.server.store}?mode=ro", uri=True, timeout=30)) as connection:
            connection.execute("begin")  # one request sees one state
            if method == "batch":
                return _batch(self.server, connection, params)
            return call(self.server, connection, method, params)

    def _send(self, status: int, body: dict[str, Any], cut: bool = False) -> None:
        # PHP cannot tell an empty map from an empty list, so an empty one is always a list.
        data = json.dumps(body, ensure_ascii=False, default=str).encode()
        self._write(status, "application/json; charset=utf-8", data, cut)

    def _write(self, status: int, content_type: str, data: bytes, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or cut


def call(server: Bitrix24Server, connection: sqlite3.Connection, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run one method. Raises RestError."""
    server.troubles.fail(method)
    if not server.operating.allows(method):
        raise RestError(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
    started = time.time()
    try:
        answer = server.troubles.spell(method, answer_of(connection, method, params))
    finally:
        server.operating.add(method, time.time() - started)
    return {**answer, "time": time_block(started, *server.operating.told(method))}


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
        try:
            pairs = [(key, _refer(value, parts["result"])) for key, value in parse_qsl(query, keep_blank_values=True)]
            if method.lower() == "batch":
                raise RestError(400, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
            answer = call(server, connection, method.lower().removesuffix(".json"), unfold(pairs))
        except RestError as error:
            parts["result_error"][name] = error.body()
            if is_halting:
                break
            continue
        parts["result"][name] = answer["result"]
        parts["result_time"][name] = answer["time"]
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

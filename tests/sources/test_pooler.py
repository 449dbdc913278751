"""Harm: many a PostgreSQL is only reached through a pooler, which refuses what a plain connection may ask for."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local import processes
from retention.extract import extract_source, reconcile_source
from retention.sources.database import connect_database

HOW_TO_GET_ONE = "There is no pgbouncer on this machine: install it (Debian, Ubuntu: apt install pgbouncer)."


@contextmanager
def pooler(url: str, folder: Path, mode: str) -> Iterator[str]:
    """A PgBouncer in front of the database of an address; gives the address through it."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    assert program, HOW_TO_GET_ONE
    parts, port = urlsplit(url), processes.free_port(36_400)
    users, settings = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{parts.username}" "{parts.password}"\n')
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={parts.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nauth_type = plain\nauth_file = {users}\npool_mode = {mode}\nunix_socket_dir =\n"
    )
    # It refuses to run as root.
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    with (folder / "pgbouncer.log").open("w") as log:
        process = subprocess.Popen([program, *user, str(settings)], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < deadline, (
                        folder / "pgbouncer.log"
                    ).read_text()
                    time.sleep(0.05)
            yield url.replace(f":{parts.port}/", f":{port}/")
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_database_behind_a_pooler_is_read_like_any_other(billing, settings_for, landed_rows, tmp_path, mode):
    owner, direct = billing
    owner.execute(
        "insert into payment (payment_no, customer_no, amount, state, paid_at, modified_at) "
        "select 'p' || n, 'C1', 10, 'ok', now(), now() from generate_series(1, 500) as n"
    )
    with pooler(direct.url("billing").get_secret_value(), tmp_path, mode) as url:
        settings = settings_for(sources=["billing"], billing_url=url)
        with connect_database(settings, "billing") as opened:
            assert opened.native("it", "select current_setting('transaction_read_only')") == [("on",)]
        rows = {landed.entity: landed.rows for landed in extract_source(settings, "billing")}
        reconcile_source(settings, "billing")
    assert rows["payments"] == 500
    assert len(landed_rows(settings, "billing__payments", "payment_key")) == 500

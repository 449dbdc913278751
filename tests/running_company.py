"""The demo company with its three source systems running, for tests that read them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from demo import state as states
from demo.systems.bitrix24.server import Bitrix24Server
from retention.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
SOURCES = ["bitrix24", "billing", "znuny"]


class Company:
    """The demo company in a home, with its systems running."""

    def __init__(self, home: Path, billing, znuny, bitrix24_url: str) -> None:
        self.home = home
        self._billing, self._znuny, self._bitrix24_url = billing, znuny, bitrix24_url

    def demo(self, *arguments: str) -> None:
        urls = []
        if arguments[0] in ("load", "advance"):
            urls = ["--billing-url", self._billing.owner_url, "--znuny-url", self._znuny.owner_url]
        subprocess.run(
            [sys.executable, "-m", "demo", *arguments, *urls, "--home", str(self.home)],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )

    @property
    def as_of(self) -> date | None:
        return load_settings(self.home).as_of

    @property
    def settings(self) -> Settings:
        return self.settings_of(self.home)

    def settings_of(self, home: Path) -> Settings:
        """Settings that read this company's systems into a home."""
        return load_settings(
            home,
            sources=SOURCES,
            as_of=self.as_of,
            billing_url=self._billing.reader_url,
            znuny_url=self._znuny.reader_url,
            bitrix24_url=self._bitrix24_url,
        )


@contextmanager
def running(postgres_server, home: Path, *, clients: int, rate: float, burst: int) -> Iterator[Company]:
    """A new company of a number of clients in `home`. `rate` and `burst` are what its Bitrix24 lets through."""
    billing, znuny = postgres_server.database("billing"), postgres_server.database("znuny")
    server = Bitrix24Server(("127.0.0.1", 0), states.folder(home) / "bitrix24.sqlite", "s3cr3t", rate=rate, burst=burst)
    company = Company(home, billing, znuny, server.url)
    company.demo("generate", "--clients", str(clients))
    company.demo("load")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield company
    finally:
        server.shutdown()
        server.server_close()

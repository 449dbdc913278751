"""A real Znuny for tests: Debian's package, unpacked into a folder, on a database of the test, with its web service.

Nothing of it is installed into the system but its Perl modules, which `.ci/run` brings. Each call of the web service is
one run of Znuny's own CGI program, as a web server would start it.
"""

import json
import os
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import psycopg
import pymysql

# Znuny 6.5 is in the section non-free of Debian 13; the package keeps the name of its ancestor.
PACKAGE, SUITE, SECTION = "otrs2", "trixie", "non-free"
HOW_TO_GET_ONE = (
    "These tests read a real Znuny and need Debian or Ubuntu with apt, and the Perl modules that .ci/run installs. "
    "Elsewhere leave them out: make test would be `pytest --ignore tests/sources/test_real_znuny.py`."
)
SERVICE = "GenericTicketConnectorREST"
# Scheme of a database's address, as in the names of Znuny's own SQL files -> Perl's driver. MariaDB is read through the
# driver of MySQL: Znuny knows its dialect by that name.
DRIVERS = {"postgresql": "Pg", "mysql": "mysql"}
AGENT, CUSTOMER, COMPANY, PASSWORD = "a.agent", "c.customer", "HD-1", "Only4Tests-9"


def fetch(folder: Path) -> Path:
    """Download the package into `folder` by name, with a configuration of apt's own; returns the .deb."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise RuntimeError(HOW_TO_GET_ONE)
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    source = f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {_mirror()} {SUITE} {SECTION}\n"
    (folder / "sources.list").write_text(source)
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'Dir::State::lists "{folder}/lists";\nDir::Cache "{folder}/cache";\nAPT::Sandbox::User "root";\n'
    )
    environment = os.environ | {"APT_CONFIG": str(folder / "apt.conf")}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "download", "-qq", PACKAGE]):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{HOW_TO_GET_ONE} {' '.join(command)} said: {done.stderr[-500:]}")
    return next(folder.glob(f"{PACKAGE}_*.deb"))


def _mirror() -> str:
    """The mirror that this machine takes its packages from."""
    for path in sorted(Path("/etc/apt").rglob("*")):
        if path.suffix in (".sources", ".list"):
            for line in path.read_text().splitlines():
                words = line.replace("URIs:", "deb ").split()
                address = next((word for word in words if "://" in word), "")
                if words[:1] == ["deb"] and "debian" in address and "security" not in address:
                    return address
    raise RuntimeError(HOW_TO_GET_ONE)


@dataclass(frozen=True)
class Znuny:
    """One instance. `home` is its program folder."""

    home: Path

    def console(self, *arguments: str) -> str:
        """Run one of Znuny's own console commands."""
        return self._perl("bin/otrs.Console.pl", *arguments, "--allow-root", "--no-ansi")

    def perl(self, code: str) -> str:
        """Run Perl with Znuny's objects at hand, for what its web service has no operation for (a merge)."""
        begin = "use Kernel::System::ObjectManager; local $Kernel::OM = Kernel::System::ObjectManager->new();"
        return self._perl("-e", f"use strict; use warnings; {begin} {code}")

    def _perl(self, *arguments: str) -> str:
        command = ["perl", "-I", str(self.home), "-I", str(self.home / "Kernel" / "cpan-lib"), *arguments]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{arguments[:2]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """A request to the web service as the agent; returns its answer. Raises RuntimeError on an error in it."""
        content = {"UserLogin": AGENT, "Password": PASSWORD} | content
        body = b"" if method == "GET" else json.dumps(content).encode()
        query = f"?{urlencode(content)}" if method == "GET" else ""
        environment = {
            "PATH": os.environ["PATH"],
            "PERL5LIB": f"{self.home}:{self.home}/Kernel/cpan-lib",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "/otrs/nph-genericinterface.pl",
            "PATH_INFO": f"/Webservice/{SERVICE}{path}",
            "REQUEST_URI": f"/otrs/nph-genericinterface.pl/Webservice/{SERVICE}{path}{query}",
            "QUERY_STRING": query.removeprefix("?"),
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        program = self.home / "bin" / "cgi-bin" / "nph-genericinterface.pl"
        done = subprocess.run(["perl", str(program)], input=body, env=environment, cwd=self.home, capture_output=True)
        head, _, text = done.stdout.decode().partition("\r\n\r\n")
        if " 200 " not in head.split("\n")[0]:
            raise RuntimeError(f"{method} {path}: {head} {text[:2000]} {done.stderr.decode()[-2000:]}")
        answer = json.loads(text)
        if "Error" in answer:
            raise RuntimeError(f"{method} {path}: {answer['Error']}")
        return answer


def install(folder: Path, package: Path, database_url: str) -> Znuny:
    """Unpack the package and set it up on an empty database: schema, configuration, people, web service.

    `database_url` is that of its owner, on PostgreSQL (`postgresql://`) or MariaDB (`mysql://`), there in
    the character set utf8.
    """
    subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
    home = folder / "usr" / "share" / "otrs"
    # Links into /etc and /var of a system in which it is installed: here all of it lies in one folder.
    _relink(home / "var", folder / "var" / "lib" / "otrs")
    _relink(home / "Kernel" / "Config" / "Files", home / "var" / "Config" / "Files")
    for name in ("run", "spool"):
        (home / "var" / name).unlink()
        (home / "var" / name).mkdir()
    for name in ("tmp", "log", "article", "sessions"):
        (home / "var" / name).mkdir(exist_ok=True)
    (home / "Kernel" / "Config.pm").unlink()
    (home / "Kernel" / "Config.pm").write_text(_configuration(home, database_url))
    znuny = Znuny(home)
    _fill_database(home, database_url)
    znuny.console("Maint::Config::Rebuild")
    znuny.console("Admin::WebService::Add", "--name", SERVICE, "--source-path", _service_file(home))
    znuny.console(
        *("Admin::User::Add", "--user-name", AGENT, "--first-name", "A", "--last-name", "Agent"),
        *("--email-address", "agent@example.org", "--password", PASSWORD, "--group", "users", "--group", "admin"),
    )
    znuny.console("Admin::CustomerCompany::Add", "--customer-id", COMPANY, "--name", "Example")
    znuny.console(
        *("Admin::CustomerUser::Add", "--user-name", CUSTOMER, "--first-name", "C", "--last-name", "Customer"),
        *("--email-address", "customer@example.org", "--customer-id", COMPANY, "--password", PASSWORD),
    )
    return znuny


def _relink(link: Path, target: Path) -> None:
    link.unlink()
    link.symlink_to(target)


def _service_file(home: Path) -> str:
    return str(home / "scripts" / "test" / "sample" / "Webservice" / f"{SERVICE}.yml")


def _configuration(home: Path, database_url: str) -> str:
    parts = urlsplit(database_url)
    place = f"host={parts.hostname};port={parts.port}"
    return f"""
package Kernel::Config;
use strict;
use warnings;
use utf8;
sub Load {{
    my $Self = shift;
    $Self->{{Home}} = '{home}';
    $Self->{{DatabaseUser}} = '{parts.username}';
    $Self->{{DatabasePw}} = '{unquote(parts.password or "")}';
    $Self->{{DatabaseDSN}} = 'DBI:{DRIVERS[parts.scheme]}:database={parts.path.strip("/")};{place}';
    $Self->{{SecureMode}} = 1;
    $Self->{{CheckEmailAddresses}} = 0;
    $Self->{{CheckMXRecord}} = 0;
    $Self->{{SendmailModule}} = 'Kernel::System::Email::DoNotSendEmail';
    $Self->{{LogModule}} = 'Kernel::System::Log::File';
    $Self->{{'LogModule::LogFile'}} = '{home}/var/log/znuny.log';
    return 1;
}}
use Kernel::Config::Defaults;
use parent qw(Kernel::Config::Defaults);
1;
"""


def _fill_database(home: Path, database_url: str) -> None:
    kind = urlsplit(database_url).scheme
    for part in ("schema", "initial_insert", "schema-post"):
        script = (home / "scripts" / "database" / f"{part}.{kind}.sql").read_text(encoding="utf-8")
        _run_script(database_url, script)


def _run_script(database_url: str, script: str) -> None:
    """Run many statements, as the command-line client of the database would."""
    parts = urlsplit(database_url)
    if parts.scheme == "postgresql":
        with psycopg.connect(database_url, autocommit=True) as postgres:
            postgres.execute(script.encode())
        return
    mysql = pymysql.connect(
        host=parts.hostname, port=parts.port, user=parts.username, password=unquote(parts.password or ""),
        database=parts.path.strip("/"), autocommit=True, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
    )  # fmt: skip
    with closing(mysql), mysql.cursor() as cursor:
        cursor.execute(script)
        # The answer of every statement has to be fetched: an error is in that of the one that failed.
        while cursor.nextset():
            pass

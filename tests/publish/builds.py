"""Private builds made by hand: publishing does not care where the tables came from."""

from retention.build import GATE_PASSED, Build
from retention.duck import connect
from retention.settings import Settings

ROWS = 20_000


def make_build(settings: Settings, number: int, *, passed: bool = True) -> Build:
    """A build whose every row says its number, so that a reader can tell a whole build from a mixture."""
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    settings.build_file.unlink(missing_ok=True)
    with connect(settings.extensions, settings.build_file) as connection:
        connection.execute("create schema marts; create schema restricted; create schema staging")
        for table in ("first_mart", "second_mart"):
            connection.execute(
                f"create table marts.{table} as select {number} as build, range as id from range({ROWS})"
            )
        connection.execute("comment on column marts.first_mart.id is 'Number of the row.'")
        connection.execute(
            f"create table restricted.client_names as select 'Client {number}' as name, {number} as build"
        )
        connection.execute("create table staging.secret as select 1 as id")
    build = Build(
        f"20250101T00000000000{number}Z",
        f"2025-01-0{number}",
        f"fingerprint {number}",
        {"lapse_days": 90},
        [GATE_PASSED] if passed else [],
    )
    build.save(settings)
    return build

"""Harm prevented: a director who looks at the dashboard during a publish and sees an error, or half of two builds."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from retention import publish
from retention.duck import connect
from retention.publish import PublishError
from retention.settings import Settings, load_settings
from tests.publish.builds import ROWS, make_build

# Reads as a dashboard does: a new connection each time, two marts in one query. Prints how many queries it made.
READER = """
import sys, duckdb
link, stop, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
import os
queries, seen = 0, set()
while not os.path.exists(stop) or not queries:
    with duckdb.connect(link, read_only=True) as connection:
        answer = connection.execute(
            "select build, count(*) from (from marts.first_mart union all from marts.second_mart) group by build"
        ).fetchall()
    assert len(answer) == 1 and answer[0][1] == 2 * rows, answer
    seen.add(answer[0][0])
    queries += 1
print(queries, len(seen))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path, keep_builds=3)


def start_reader(link: Path, stop: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", READER, str(link), str(stop), str(ROWS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def publish_build(settings: Settings, number: int) -> str:
    make_build(settings, number)
    return publish.publish(settings).build_id


def seen(settings: Settings) -> tuple[int, int]:
    """The build that a reader sees in the marts and in the names."""
    with connect(settings.extensions, settings.published_file, read_only=True) as connection:
        marts = connection.execute("select any_value(build) from marts.first_mart").fetchone()
    with connect(settings.extensions, settings.restricted_file, read_only=True) as connection:
        names = connection.execute("select build from restricted.client_names").fetchone()
    assert marts and names
    return marts[0], names[0]


def test_readers_in_a_loop_during_five_publishes_see_no_error_and_only_whole_builds(
    settings: Settings, tmp_path: Path
) -> None:
    publish_build(settings, 1)
    stop = tmp_path / "stop"
    readers = [start_reader(settings.published_file, stop) for _ in range(2)]
    for number in range(2, 7):
        publish_build(settings, number)
    stop.touch()
    for reader in readers:
        output, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        queries, builds = map(int, output.split())
        assert queries > 5
        assert builds >= 2


def test_the_reader_of_these_tests_does_notice_half_of_two_builds(settings: Settings, tmp_path: Path) -> None:
    publish_build(settings, 1)
    with connect(settings.extensions, settings.published_file) as connection:
        connection.execute("update marts.second_mart set build = 2")
    reader = start_reader(settings.published_file, tmp_path / "never")
    _, errors = reader.communicate(timeout=60)
    assert reader.returncode != 0
    assert "AssertionError" in errors


def test_only_marts_are_published_with_their_comments_and_what_the_build_is(settings: Settings) -> None:
    publish_build(settings, 1)
    with connect(settings.extensions, settings.published_file, read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() order by 1"
        ).fetchall()
        comment = connection.execute(
            "select comment from duckdb_columns() where table_name = 'first_mart' and column_name = 'id'"
        ).fetchone()
        described = connection.execute("select build_id, as_of::varchar, fingerprint from meta.build").fetchone()
    assert tables == [("marts.first_mart",), ("marts.second_mart",), ("meta.build",)]
    assert comment == ("Number of the row.",)
    assert described == ("20250101T000000000001Z", "2025-01-01", "fingerprint 1")


def test_names_are_in_a_file_of_their_own_that_only_its_owner_may_read(settings: Settings) -> None:
    publish_build(settings, 1)
    assert stat.S_IMODE(settings.restricted_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.published_file.stat().st_mode) & 0o044
    assert settings.published_file.is_symlink()


def test_a_build_that_has_not_passed_the_gate_is_not_published(settings: Settings) -> None:
    publish_build(settings, 1)
    make_build(settings, 2, passed=False)
    with pytest.raises(PublishError, match="not passed the gate"):
        publish.publish(settings)
    assert seen(settings) == (1, 1)


def test_a_build_without_marts_is_not_published(settings: Settings) -> None:
    publish_build(settings, 1)
    make_build(settings, 2)
    with connect(settings.extensions, settings.build_file) as connection:
        connection.execute("drop table marts.first_mart; drop table marts.second_mart")
    with pytest.raises(PublishError, match="no tables in schema marts"):
        publish.publish(settings)
    assert seen(settings) == (1, 1)


def test_only_the_last_builds_are_kept_names_included(settings: Settings) -> None:
    for number in range(1, 6):
        publish_build(settings, number)
    assert [build.as_of[-1] for build in publish.builds(settings)] == ["3", "4", "5"]
    assert len(list(settings.published.glob("retention_restricted_2*"))) == 3


def test_rollback_points_both_files_back_and_an_id_forward_again(settings: Settings) -> None:
    ids = [publish_build(settings, number) for number in (1, 2, 3)]
    assert publish.rollback(settings).build_id == ids[1]
    assert seen(settings) == (2, 2)
    assert publish.rollback(settings).build_id == ids[0]
    with pytest.raises(PublishError, match="oldest build that is kept"):
        publish.rollback(settings)
    assert publish.rollback(settings, ids[2]).build_id == ids[2]
    assert seen(settings) == (3, 3)
    with pytest.raises(PublishError, match=f"There is no build nonsense. Kept are: {', '.join(ids)}"):
        publish.rollback(settings, "nonsense")


def test_rolling_back_before_anything_is_published_is_a_clear_error(settings: Settings) -> None:
    with pytest.raises(PublishError, match="Nothing has been published"):
        publish.rollback(settings)


def test_a_build_that_was_rolled_back_is_not_published_again_by_the_next_run(settings: Settings) -> None:
    for number in (1, 2):
        publish_build(settings, number)
    publish.rollback(settings)
    assert publish.unchanged_since(settings, "fingerprint 2") is not None
    assert publish.unchanged_since(settings, "fingerprint 3") is None
    publish_build(settings, 3)
    assert seen(settings) == (3, 3)
    assert [build.as_of[-1] for build in publish.builds(settings)] == ["1", "2", "3"]


def test_returning_to_an_earlier_clock_is_a_new_build_and_not_nothing_new(settings: Settings) -> None:
    for number in (1, 2):
        publish_build(settings, number)
    assert publish.unchanged_since(settings, "fingerprint 1") is None


def publish_and_be_killed(settings: Settings, patch: str) -> None:
    """Publish in another process that kills itself with SIGKILL where `patch` says."""
    program = (
        "import os, signal, sys\n"
        "from retention import publish\n"
        "from retention.settings import load_settings\n"
        "def die(*args): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{patch}\n"
        "publish.publish(load_settings(sys.argv[1], keep_builds=3))\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(settings.home)], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr


@pytest.mark.parametrize(
    "patch",
    [
        "publish._copy_table = die",
        "publish._describe_build = die",
        "publish.fsync = die",
        "copy = publish._copy\n"
        "publish._copy = lambda s, b, schema, *rest: die() if schema == 'restricted' else copy(s, b, schema, *rest)",
        "publish._point = die",
        "point = publish._point\npublish._point = lambda link, target: (point(link, target), die())",
        "publish._prune = die",
    ],
    ids=["copying", "describing", "flushing", "before the names", "before the swap", "between the swaps", "pruning"],
)
def test_a_publish_that_is_killed_leaves_a_whole_build_and_the_next_one_finishes(
    settings: Settings, patch: str
) -> None:
    publish_build(settings, 1)
    make_build(settings, 2)
    publish_and_be_killed(settings, patch)
    assert seen(settings)[0] == (2 if "_prune" in patch else 1)
    assert publish.builds(settings)
    # The next run must not take it for done, unless readers were pointed at it.
    assert (publish.unchanged_since(settings, "fingerprint 2") is not None) == ("_prune" in patch)
    publish_build(settings, 3)
    assert seen(settings) == (3, 3)
    # Nothing is left of the killed one but, at most, a build that readers had been pointed at.
    assert not list(settings.published.glob(".tmp*"))
    left = {path.stem[-1 - len("Z") : -1] for path in settings.published.glob("retention_*2*Z.duckdb")}
    assert left == ({"1", "2", "3"} if "_prune" in patch else {"1", "3"})


def test_names_stay_readable_while_the_build_after_a_killed_publish_is_copied(settings: Settings) -> None:
    publish_build(settings, 1)
    make_build(settings, 2)
    publish_and_be_killed(
        settings, "point = publish._point\npublish._point = lambda link, target: (point(link, target), die())"
    )
    publish._sweep(settings)
    assert settings.restricted_file.resolve() == publish._names_file(settings, publish.current_id(settings)).resolve()


def test_builds_survive_the_loss_of_the_link_to_them(settings: Settings) -> None:
    publish_build(settings, 1)
    settings.published_file.unlink()
    publish_build(settings, 2)
    assert [build.build_id[-2] for build in publish.builds(settings)] == ["1", "2"]


def test_two_writers_on_one_home_exclude_each_other_with_a_message_that_names_the_first(settings: Settings) -> None:
    make_build(settings, 1)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\nfrom retention.lock import writer_lock\nfrom retention.settings import load_settings\n"
            "with writer_lock(load_settings(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)",
            str(settings.home),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        from retention.lock import LockError

        with pytest.raises(LockError, match=f"process {holder.pid}.*exclude each other"):
            publish.publish(settings)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert publish.publish(settings).build_id

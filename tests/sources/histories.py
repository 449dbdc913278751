"""What the tests of random histories share: interrupting a load at a chosen point, and reading what stands after it."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from retention import build, landing, landing_merge, landing_writer
from retention.extract import extract_source, reconcile_source
from retention.settings import Settings
from retention.sources import Entity, SourceError, entities

# Where a load may be cut off: reading the difference, before the manifest, before anything is flushed, before the
# rename, between rows and tombstones, before what was written or merged gets its name.
POINTS = ("_copy_changed", "_finish", "fsync", "sha256", "write_tombstones", "write_load", "seal")

# Examples are few and long: each is a life of a system, and every step in it talks to a real one.
bounded = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)


# One long life, for what takes dbt to compare: too slow to look for a shorter one that fails as well.
once = settings(bounded, max_examples=1, derandomize=True, phases=[Phase.generate])


def long_lives(step: SearchStrategy[tuple], shortest: int, longest: int) -> SearchStrategy[list[tuple]]:
    """Lives of many kinds of steps: the first that Hypothesis tries is the dullest, one step again and again."""
    return st.lists(step, min_size=shortest, max_size=longest).filter(
        lambda steps: len({kind for kind, *_ in steps}) > 2
    )


class Interrupted(BaseException):
    """The load was cut off here: nothing on the way may take it for an error of the source."""


@contextmanager
def cut(point: str, times: int) -> Iterator[None]:
    """Raise at the call number `times` of a function of the landing zone."""
    real = getattr(landing_writer, point)
    calls = 0

    def wrapped(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == times:
            raise Interrupted(point)
        return real(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landing_writer, point, wrapped)
        yield


def load(settings: Settings, source: str, *, whole: bool = False, cut_at: tuple[str, int] | None = None) -> None:
    """One extraction (`whole`: one reconciliation), cut off where told; both may find nothing to be cut off at.

    Loads are merged after it, and what was merged is removed, as early as can be: a life has few.
    """
    work = reconcile_source if whole else extract_source
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landing_merge, "MANY", 2)
        patch.setattr(landing_merge, "GRACE_SECONDS", 0)
        if cut_at is None:
            work(settings, source)
            merge(settings, source)
            return
        with cut(*cut_at), suppress(Interrupted):
            work(settings, source)
            merge(settings, source)


def merge(settings: Settings, source: str) -> None:
    """Merge the loads of a source where there are many; every row must be there as before."""
    for entity in entities(settings, source):
        kinds = [landing.folders(settings, source, entity.name, kind) for kind in ("rows", "deleted")]
        if max(map(len, kinds)) < landing_merge.MANY:
            continue
        with landing_writer.locked(settings, source), duckdb.connect() as connection:
            query = f"select * from ({landing.relation_sql(settings, entity)}) order by all"
            before = connection.execute(query).fetchall()
            landing_merge.merge_loads(connection, settings, entity)
            query = f"select * from ({landing.relation_sql(settings, entity)}) order by all"
            assert connection.execute(query).fetchall() == before


def go_through(
    settings: Settings,
    source: str,
    steps: Iterable[tuple],
    do: Callable[[tuple], None],
    *,
    refusals: Iterable[str] = (),
) -> None:
    """Load where a step of a life says so, and give `do` every other step.

    `refusals`: what a load may be told by a source that was ordered to refuse it.
    """
    for step in steps:
        match step:
            case ("load", whole, cut_at):
                try:
                    load(settings, source, whole=whole, cut_at=cut_at)
                except SourceError as error:
                    assert any(refusal in str(error) for refusal in refusals)
            case _:
                do(step)


def killed_load(settings: Settings, source: str, point: str, times: int) -> bool:
    """An extraction in a process of its own that is ended by kill -9 at a point; returns whether it came to it."""
    child = os.fork()
    if child == 0:
        real = getattr(landing_writer, point)
        calls = 0

        def wrapped(*arguments, **named):
            nonlocal calls
            calls += 1
            if calls == times:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        setattr(landing_writer, point, wrapped)
        status = 1
        try:
            extract_source(settings, source)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, (
        "the extraction failed before it was killed"
    )
    return os.WIFSIGNALED(status)


def present(settings: Settings, entity: Entity, columns: str) -> list[tuple]:
    """The rows that stand after all loads: per key the last that landed, without what was deleted."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        query = f"select {columns} from ({landing.present_sql(settings, entity)}) order by all"
        return connection.execute(query).fetchall()


def canonical(settings: Settings, entity: str, columns: str) -> list[tuple]:
    """The rows of a canonical table as a build makes it from what has landed."""
    build.prepare(settings)
    build.run_dbt(settings, "check")
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        query = f"select {columns} from staging.stg_canonical__{entity} order by all"
        return connection.execute(query).fetchall()


def leftovers(home: Path) -> list[Path]:
    """Temporary folders in the landing zone: none may be seen as a load, and the next load sweeps them."""
    return list((home / "landing").glob(f"*/*/{landing.TEMPORARY}*"))

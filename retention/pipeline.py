"""A whole run from the sources to a published build, for the command line. The DAGs call the same steps one by one."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from retention import build, publish
from retention.extract import Landed, Reread, extract_source, reconcile_source
from retention.lock import writer_lock
from retention.publish import Published
from retention.settings import Settings
from retention.sources import SourceError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What readers see after a run. `is_new` is false when nothing had changed and nothing was published."""

    published: Published
    is_new: bool


def run(settings: Settings, say: Say) -> Result:
    """Land what changed at the enabled sources, then build, check and publish.

    Raises SourceError, BuildError, GateError or PublishError; what readers see changes only at the very end.
    """
    with writer_lock(settings):
        # A mistake in the settings should show before a long extraction, not after it.
        build.effective_vars(settings)
        build.seed_files(settings)
        extract(settings, settings.sources, say)
        return build_and_publish(settings, say)


def extract(settings: Settings, sources: Iterable[str], say: Say, reread: Reread | None = None) -> None:
    """Land what changed at each source, or what `reread` asks for.

    A source that fails does not keep the others from landing. Raises SourceError for those that failed, at the end.
    """
    doing = "reading what changed" if reread is None else "reading again"
    _each_source(sources, say, doing, lambda source: extract_source(settings, source, say, reread))


def reconcile(settings: Settings, sources: Iterable[str], say: Say) -> None:
    """Compare all keys of each source with what has landed. Raises as `extract`."""
    _each_source(sources, say, "comparing all keys", lambda source: reconcile_source(settings, source, say))


def _each_source(sources: Iterable[str], say: Say, doing: str, work: Callable[[str], list[Landed]]) -> None:
    failed: list[str] = []
    for source in sources:
        say(f"{source}: {doing}")
        try:
            say(f"{source}: {_summary(work(source))}")
        except SourceError as error:
            say(f"{source}: failed")
            failed.append(str(error))
    if failed:
        raise SourceError("\n".join(failed))


def build_and_publish(settings: Settings, say: Say) -> Result:
    """Build from what has landed, check it and publish it; nothing of this when nothing is new."""
    with writer_lock(settings):
        as_of = build.resolve_as_of(settings)
        same = publish.unchanged_since(settings, build.fingerprint(settings, as_of))
        if same:
            held = "" if same.is_current else "; it was rolled back, and readers stay on the build that was chosen"
            say(f"nothing new since build {same.build_id} (data up to {same.as_of}){held}")
            return Result(same, is_new=False)
        # Great Expectations takes seconds to import: not before it is certain that there is something to check.
        from retention import quality

        prepared = build.prepare(settings)
        say(f"build {prepared.build_id}, data up to {prepared.as_of}: checking what has landed")
        outcomes = quality.check_landing(settings)
        say(f"landing gate: all {len(outcomes)} expectations hold")
        say("dbt: building the warehouse")
        say(f"dbt: done in {build.run_dbt(settings, 'all'):.1f} s")
        outcomes = quality.check_marts(settings)
        say(f"marts gate: all {len(outcomes)} expectations hold")
        published = publish.publish(settings)
        say(f"published build {published.build_id}")
        return Result(published, is_new=True)


def stopwatch(write: Callable[[str], None]) -> Say:
    """Turn a writer of lines into one that puts the seconds since now before each."""
    started = time.monotonic()
    return lambda text: write(f"{time.monotonic() - started:7.1f} s  {text}")


def _summary(landed: list[Landed]) -> str:
    read = sum(entity.read for entity in landed)
    rows = sum(entity.rows for entity in landed)
    deleted = sum(entity.deleted for entity in landed)
    changed = ", ".join(f"{entity.entity} {entity.rows:,}" for entity in landed if entity.rows)
    return f"{read:,} rows read, {rows:,} new or changed{f' ({changed})' if changed else ''}, {deleted:,} deleted"

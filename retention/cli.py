"""`retention …`: the pipeline without Airflow. Exit status 0, or 1 with the reason in one paragraph on stderr."""

import functools
import json
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError

from retention import build, business_calendar, files_check, landing, pipeline, publish, template
from retention.doctor import examine
from retention.duck import connect
from retention.extract import Reread
from retention.findings import show
from retention.settings import Settings, load_settings
from retention.source_check import check_source
from retention.sources import SourceError

app = typer.Typer(
    help="Land, build, check and publish the retention warehouse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of everything made at run time (default: var/ of the checkout).")
]
Files = Annotated[
    Path | None,
    typer.Option("--files", help="Folder of canonical CSV or Parquet files to read instead of the systems."),
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Data is complete for every day before this one."),
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Override a variable of dbt_project.yml.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME", help="Only this source, such as billing; may be repeated."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]


# ------------------------------------------------------------------------------------------------- options to settings


def settings_of(
    home: Path | None,
    *,
    files: Path | None = None,
    as_of: datetime | None = None,
    sets: list[str] | None = None,
    sources: list[str] | None = None,
) -> Settings:
    """Settings of a home with the options of a command. Raises ValidationError or BuildError."""
    chosen = list(sources or [])
    if files is not None and "files" not in chosen:
        chosen.append("files")
    settings = load_settings(home, files_dir=files, as_of=as_of.date() if as_of else None, sources=chosen or None)
    if not sets:
        return settings
    overrides = parse_sets(sets, build.project_vars(settings))
    # Read anew instead of copied, so that an override is validated like any other setting.
    return load_settings(
        settings.home,
        files_dir=settings.files_dir,
        as_of=settings.as_of,
        sources=settings.sources,
        vars={**settings.vars, **overrides},
    )


def parse_sets(sets: list[str], defaults: dict[str, Any]) -> dict[str, Any]:
    """Turn `["lapse_days=60"]` into `{"lapse_days": 60}`, typed like the default. Raises BuildError."""
    parsed = {}
    for item in sets:
        name, equals, text = item.partition("=")
        name = name.strip()
        if not equals or name not in defaults:
            raise build.BuildError(
                f"--set {item}: {'unknown variable' if equals else 'write it as NAME=VALUE'}. "
                f"Known variables are: {', '.join(sorted(defaults))}."
            )
        parsed[name] = _typed(name, text.strip(), defaults[name])
    return parsed


def _typed(name: str, text: str, default: Any) -> Any:
    """Read a value: whole number, number, day, list or text, as the variable asks."""
    if text.lower() in ("", "null"):
        if default is None:
            return None
        raise build.BuildError(f"--set {name}: it cannot be empty; the default is {default}.")
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if name.endswith("_on"):
            return date.fromisoformat(text).isoformat()
        if isinstance(default, int):
            return _not_negative(int(text))
        if isinstance(default, float) or name in ("quarantine_limit", "margin_share"):
            share = _not_negative(float(text))
            return share if share <= 1 else _reject()
        if isinstance(default, list | dict):
            value = json.loads(text)
            return value if isinstance(value, type(default)) else _reject()
    except (ValueError, KeyError):
        kinds = {bool: "true or false", int: "a whole number of 0 or more", float: "a number between 0 and 1"}
        kind = (
            "a day such as 2024-01-31" if name.endswith("_on") else kinds.get(type(default), "a number between 0 and 1")
        )
        kind = f"JSON like {json.dumps(default)}" if isinstance(default, list | dict) else kind
        raise build.BuildError(f"--set {name}={text}: it must be {kind}.") from None
    return text


def _not_negative(number: Any) -> Any:
    return number if number >= 0 else _reject()


def _reject() -> NoReturn:
    raise ValueError


# ------------------------------------------------------------------------------------------------------------ errors


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors come out as one paragraph, and which takes its children along when it is stopped."""

    @functools.wraps(function)
    def wrapped(*args: Any, debug: bool = False, **kwargs: Any) -> None:
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        logging.getLogger("retention").setLevel(logging.WARNING)
        # Without this, SIGTERM would end Python on the spot, before the child processes are told.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            function(*args, debug=debug, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            _fail("stopped")
        except ValidationError as error:
            if debug:
                raise
            _fail(
                "; ".join(
                    f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg'].removeprefix('Value error, ')}"
                    for item in error.errors()
                )
            )
        except RuntimeError as error:  # every error of this package is one, and says what to do
            if debug:
                raise
            _fail(str(error))
        except OSError as error:
            if debug:
                raise
            _fail(f"{error.strerror or error} ({error.filename or 'no file'})")
        except Exception as error:
            if debug:
                raise
            _fail(f"{type(error).__name__}: {error}. This was not expected: --debug shows where it came from.")

    return wrapped


def _fail(message: str) -> NoReturn:
    typer.echo(f"retention: {message}", err=True)
    raise typer.Exit(1)


# ---------------------------------------------------------------------------------------------------------- commands


@app.command()
@_command
def run(
    files: Files = None,
    as_of: AsOf = None,
    home: Home = None,
    sets: Sets = None,
    source: Sources = None,
    debug: Debug = False,
) -> None:
    """Land what changed, build, check and publish."""
    settings = settings_of(home, files=files, as_of=as_of, sets=sets, sources=source)
    _report(settings, pipeline.run(settings, pipeline.stopwatch(typer.echo)))


@app.command()
@_command
def extract(
    files: Files = None,
    as_of: AsOf = None,
    home: Home = None,
    source: Sources = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Read again what was stamped on this day or later."),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="Read again what was stamped before this day."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, and find what was deleted.")] = False,
    debug: Debug = False,
) -> None:
    """Land what changed at the sources since the last time; with --from, --until or --full: read again."""
    settings = settings_of(home, files=files, as_of=as_of, sources=source)
    if full and (first or end):
        raise SourceError("--full reads everything again: leave --from and --until out")
    reread = None
    if full or first or end:
        reread = Reread(first.date() if first else None, end.date() if end else None)
    pipeline.extract(settings, settings.sources, pipeline.stopwatch(typer.echo), reread)


@app.command()
@_command
def reconcile(
    files: Files = None, as_of: AsOf = None, home: Home = None, source: Sources = None, debug: Debug = False
) -> None:
    """Find what was deleted at the sources, and what was missed."""
    settings = settings_of(home, files=files, as_of=as_of, sources=source)
    pipeline.reconcile(settings, settings.sources, pipeline.stopwatch(typer.echo))


@app.command("build")
@_command
def build_command(
    files: Files = None,
    as_of: AsOf = None,
    home: Home = None,
    sets: Sets = None,
    source: Sources = None,
    debug: Debug = False,
) -> None:
    """Build from what has landed already, check and publish."""
    settings = settings_of(home, files=files, as_of=as_of, sets=sets, sources=source)
    _report(settings, pipeline.build_and_publish(settings, pipeline.stopwatch(typer.echo)))


@app.command()
@_command
def rollback(
    build_id: Annotated[
        str | None, typer.Argument(help="The build to point readers at (default: the one before the current).")
    ] = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Point readers back at an earlier build (or, with its id, forward again)."""
    published = publish.rollback(settings_of(home), build_id)
    typer.echo(f"Readers see build {published.build_id} now (data up to {published.as_of}).")


@app.command()
@_command
def status(home: Home = None, debug: Debug = False) -> None:
    """Show what is published, what is kept and how far the sources have landed."""
    settings = settings_of(home)
    typer.echo(f"Home     {settings.home}")
    kept = publish.builds(settings)
    typer.echo("Builds" if kept else "Builds   none published yet: run `retention run`")
    for published in reversed(kept):
        mark = "*" if published.is_current else " "
        when = published.published_at.astimezone(settings.zone)
        typer.echo(f"       {mark} {published.build_id}  data up to {published.as_of}  published {when:%Y-%m-%d %H:%M}")
    typer.echo("Sources")
    for name in settings.sources:
        try:
            covered = landing.complete_until(settings, name)
            text = f"complete for every day before {covered}" if covered else "nothing landed yet"
        except SourceError as error:
            text = str(error)
        typer.echo(f"         {name}: {text}")


@app.command()
@_command
def check(
    files: Files = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="With --files: write every fault into this CSV file.")
    ] = None,
    home: Home = None,
    sets: Sets = None,
    source: Sources = None,
    debug: Debug = False,
) -> None:
    """Try the source systems, or a folder of files: says what they are like and what is wrong; lands nothing."""
    if files is not None and source:
        raise typer.BadParameter("--files looks at a folder and --source at systems: give one of them")
    if output is not None and (files is None or not output.absolute().parent.is_dir()):
        raise typer.BadParameter("it is written with --files only, into a folder that is there", param_hint="--output")
    if files is not None:
        settings = settings_of(home, files=files, sets=sets, sources=["files"])
        faults = files_check.find_faults(settings)
        if output is not None:
            files_check.write(faults, output)
        if not faults:
            typer.echo(f"{files}: every row is valid.")
            return
        files_check.show(faults, files)
        raise typer.Exit(1)
    settings = settings_of(home, sets=sets, sources=source)
    found = (finding for name in settings.sources for finding in check_source(settings, name))
    if not show(found, "Source systems"):
        raise typer.Exit(1)


@app.command("template")
@_command
def template_command(
    folder: Annotated[Path, typer.Argument(help="Folder to write the files into; it may not exist yet.")],
    debug: Debug = False,
) -> None:
    """Write empty canonical files, with a line of comment per column, to be filled in."""
    written = template.write(folder)
    typer.echo(
        f"{folder}: {len(written)} files. Fill in clients.csv and contracts.csv or prepaid_events.csv, delete what you "
        f"do not have, then: retention check --files {folder}"
    )


@app.command()
@_command
def doctor(home: Home = None, debug: Debug = False) -> None:
    """Look at the installation itself: programs, disk, rights, landing zone, builds, Superset. Changes nothing."""
    if not show(examine(settings_of(home)), "Installation"):
        raise typer.Exit(1)


@app.command()
@_command
def calendar(
    country: Annotated[
        str | None, typer.Option("--country", help="Code of two letters (default: company_country of the settings).")
    ] = None,
    first_year: Annotated[int, typer.Option("--from", min=1990, max=2100, help="First year.")] = 2022,
    last_year: Annotated[int, typer.Option("--to", min=1990, max=2100, help="Last year.")] = 2027,
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write (default: the seed of this checkout).")
    ] = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Write the seed of public holidays and moved working days, from the holidays package."""
    settings = settings_of(home)
    rows = business_calendar.exceptions(
        country or settings.company_country, range(first_year, last_year + 1), settings.opens_at, settings.closes_at
    )
    path = output or settings.dbt_project / "seeds" / "calendar_exceptions.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(business_calendar.as_csv(rows), encoding="utf-8")
    typer.echo(f"{path}: {len(rows)} days. Check them: the package does not know short days and late decrees.")


def _report(settings: Settings, result: pipeline.Result) -> None:
    if not result.is_new:
        return
    with connect(settings.extensions, settings.published_file, read_only=True) as connection:
        tables, rows = connection.execute(
            "select count(*), sum(estimated_size) from duckdb_tables() where schema_name = 'marts'"
        ).fetchone() or (0, 0)
    typer.echo(
        f"Published build {result.published.build_id}: {tables} marts with {int(rows or 0):,} rows, data up to "
        f"{result.published.as_of}.\n{settings.published_file}"
    )


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        app()

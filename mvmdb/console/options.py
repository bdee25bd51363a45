"""Options and helpers that commands share: the catalog, JSON output, files, executors and exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from mvmdb.console.recorded import RecordedRun
from mvmdb.console.show import say, warn
from mvmdb.console.streams import Ending, end_stuck_run
from mvmdb.errors import UsageError
from mvmdb.exposures.find import ExposurePaths
from mvmdb.records import Policy
from mvmdb.workers.patience import WORKER_TIMEOUT, Patience

if TYPE_CHECKING:
    from mvmdb.catalog.open import Begin, Engine
    from mvmdb.workers.executor import Workers

ATTENTION = 1
"""Exit code of a command that did its work and found something that needs attention."""
_LINES_AT_ONCE = 5000

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """One run of mvmdb: `address` is the catalog's path or SQLAlchemy URL, `run` its place in the history."""

    address: str
    ending: Ending = field(default_factory=Ending)
    run: RecordedRun = field(init=False)

    def __post_init__(self) -> None:
        self.run = RecordedRun(self.address, self.ending)


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value on standard output.")
memory = click.option(
    "--memory", "memory_mb", type=click.IntRange(1), metavar="MB",
    help="Memory limit of each worker: larger mosaics are drizzled in bands, with the same pixels.",
)  # fmt: skip
_jobs = click.option("--jobs", type=click.IntRange(1), metavar="N", help="The same as --executor processes:N.")
_executor = click.option(
    "--executor",
    envvar="MVMDB_EXECUTOR",
    show_envvar=True,
    metavar="WHO",
    help="Who does the work: processes:N (default: one per core), serial, or dask:ADDRESS of a Dask scheduler.",
)
_worker_timeout = click.option(
    "--worker-timeout",
    type=click.FloatRange(0),
    default=WORKER_TIMEOUT,
    envvar="MVMDB_WORKER_TIMEOUT",
    show_default=True,
    show_envvar=True,
    metavar="SECONDS",
    help="Give up a worker that gives no sign of progress for so long; 0: wait for ever.",
)
_cache = click.option(
    "--cache",
    "cache_folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MVMDB_CACHE",
    show_envvar=True,
    metavar="DIR",
    help="Where files elsewhere (https://, s3://) are kept whose pixels are needed. [default: ~/.cache/mvmdb]",
)
_cache_size = click.option(
    "--cache-size", envvar="MVMDB_CACHE_SIZE", show_envvar=True, default="50GB", show_default=True, metavar="SIZE",
    help="The most that is kept there, as 50GB; what was not used for longest goes first.",
)  # fmt: skip
progress = click.option(
    "--progress",
    type=click.Choice(["bar", "json", "none"]),
    default="bar",
    show_default=True,
    help="On standard error: a bar if it is a terminal, one JSON object per line, or nothing.",
)
wait = click.option(
    "--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS",
    help="If another run works on the folder, wait for it as long as this; else the exit code is 2 at once.",
)  # fmt: skip
output = click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="The folder to write to."
)
available = click.option(
    "--available", is_flag=True, help="Make layers that wait for files from those members that have a file."
)
programs = click.option(
    "--program", "programs", multiple=True, metavar="ID",
    help="Only this program, 11359 or B6O (may be repeated).",
)  # fmt: skip
filters = click.option("--filter", "filters", multiple=True, metavar="F", help="Only this filter (may be repeated).")
cells = click.option("--skycell", "cells", multiple=True, metavar="NAME", help="Only this sky cell (may be repeated).")
mark = click.option(
    "--mark",
    type=click.Choice(["layer", "exposure"]),
    default="layer",
    show_default=True,
    help="Mark as NEW every row of a stale layer, or only the exposures that its mosaic does not contain yet.",
)


@dataclass(frozen=True, slots=True)
class Who:
    """Who is to do the work, as --executor, --jobs and --worker-timeout say."""

    executor: str | None
    jobs: int | None
    timeout: float


def who(command: F) -> F:
    """Give a command the options that say who does the work; it gets one argument, `who`."""

    @wraps(command)
    def gathered(
        *arguments: Any, executor: str | None, jobs: int | None, worker_timeout: float, **named: Any
    ) -> object:
        return command(*arguments, who=Who(executor, jobs, worker_timeout), **named)

    return _executor(_jobs(_worker_timeout(cast(F, gathered))))


def cache(command: F) -> F:
    """Give a command the options of the cache of files elsewhere; its worker processes see them in the environment.

    Workers of a Dask cluster have disks of their own, and take the options from their own environment.
    """

    @wraps(command)
    def with_cache(*arguments: Any, cache_folder: Path | None, cache_size: str, **named: Any) -> object:
        from mvmdb.remote.cache import parse_size

        parse_size(cache_size)
        given = {"MVMDB_CACHE": str(cache_folder.absolute()) if cache_folder else None, "MVMDB_CACHE_SIZE": cache_size}
        before = {name: os.environ.get(name) for name in given}
        _set_environment(given)
        try:
            return command(*arguments, **named)
        finally:
            _set_environment(before)

    return _cache(_cache_size(cast(F, with_cache)))


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def emit_json(value: object) -> None:
    """Print one JSON value on standard output."""
    click.echo(json.dumps(value, indent=1))


def emit_lines(lines: Iterable[str]) -> None:
    """Print lines on standard output, thousands at a time, as there may be a million."""
    source = iter(lines)
    while batch := list(islice(source, _LINES_AT_ONCE)):
        say(*batch)


def finish(attention: bool) -> None:
    """End the command with exit code 1 if something needs attention."""
    if attention:
        sys.exit(ATTENTION)


@contextmanager
def catalog(session: Session, *, create: bool = False, check: bool = False) -> Iterator[tuple[Engine, Policy]]:
    """The catalog and its policy, for a command that changes it; a policy changed by the environment is recorded.

    The command is recorded as a run, and the engine's changes as those of this run. After the block the decisions file
    beside the products is brought up to date; where that fails, a line on standard error says so. With `check`, damage
    to the file is an error before anything is written. Raises CatalogError if the catalog cannot be opened, or is
    damaged, and UsageError for an invalid MVM_INCLUDE_SMALL or MVM_ONLY_CTE.
    """
    from mvmdb.catalog.configure import follow_environment
    from mvmdb.catalog.decisions.keep import keep_decisions
    from mvmdb.catalog.open import check_file, open_catalog

    with open_catalog(session.address, create=create) as opened:
        if check:
            check_file(opened)
        engine = session.run.begin(opened)
        with engine.begin() as connection:
            policy = follow_environment(connection)
        yield engine, policy
        note_trouble(keep_decisions(engine))


def note_trouble(words: str) -> None:
    """Warn of what keeps the decisions file from being written, if anything does: the command succeeds nevertheless."""
    if words:
        warn(f"mvmdb: {words}")


@contextmanager
def reading(session: Session) -> Iterator[tuple[Begin, Policy]]:
    """The `begin` of read-only transactions, and the environment's policy, for a command that never looks at products.

    The catalog may be on a disk that cannot be written to. Raises as `catalog`.
    """
    from mvmdb.catalog.open import open_catalog
    from mvmdb.catalog.settings import policy_in

    with open_catalog(session.address, read_only=True) as engine:
        policy, _ = policy_in(engine)
        yield engine.begin, policy


def check_catalog(session: Session) -> None:
    """Check the catalog's file thoroughly. Raises CatalogError where it is damaged."""
    from mvmdb.catalog.open import check_file, open_catalog

    with open_catalog(session.address) as engine:
        check_file(engine, thorough=True)


def cell_keys(names: Sequence[str]) -> tuple[int, ...] | None:
    """The keys of the sky cells with these names, which the catalog need not know; None if there are no names.

    Raises NameFormatError for a text that names no sky cell.
    """
    from mvmdb.names import parse_cell_name

    return tuple(parse_cell_name(name).index for name in names) or None


def chosen_cells(begin: Begin, names: Sequence[str]) -> list[int] | None:
    """The keys of the sky cells with these names; None if there are no names.

    Raises NameFormatError for a text that names no sky cell, and UsageError for a cell that no exposure overlaps.
    """
    from mvmdb.catalog.ask.cells import resolve_cells

    if not names:
        return None
    with begin() as connection:
        return resolve_cells(connection, list(names))


@contextmanager
def claimed(folder: Path, wait: float) -> Iterator[None]:
    """Hold the lock of a folder that is about to be written to, after waiting for it; raises as `claim_folder`."""
    from mvmdb.jobs.lock import claim_folder

    with claim_folder(folder, wait=wait):
        yield


def find_files(paths: Sequence[str], *, quiet_night: bool = False, silent: bool = False) -> ExposurePaths:
    """The exposures that these paths stand for; warns of folders that cannot be read, and of compressed files.

    Raises UsageError if there are no exposures at all, unless it may be a `quiet_night`, which only warns of folders
    without exposures, and not even that if it is to be `silent`. Raises InputError for a path that does not exist.
    """
    from mvmdb.exposures.find import find_exposures

    exposures = find_exposures(paths)
    for folder in exposures.unreadable_folders:
        warn(f"mvmdb: cannot read the folder {folder}; its exposures are left out: make it readable")
    for path in exposures.compressed:
        warn(f"mvmdb: passed over {path}: it is compressed; uncompress it, or move it away")
    if not exposures.paths and not quiet_night:
        raise UsageError(
            f"no exposures in {', '.join(paths)}; expected files named *_flt.fits or *_flc.fits: check the path"
        )
    for folder in exposures.empty_folders:
        if quiet_night and not silent:
            warn(f"mvmdb: no exposures in {folder} (*_flt.fits, *_flc.fits)")
    return exposures


@contextmanager
def open_workers(who: Who, memory_mb: int | None = None) -> Iterator[Workers]:
    """The workers of a command, closed after the block: as --executor or --jobs says, else MVMDB_EXECUTOR.

    Raises UsageError if both options are given or an executor is invalid, WorkersError if it cannot be opened.
    """
    from mvmdb.workers.choice import ExecutorChoice, open_executor, parse_executor
    from mvmdb.workers.executor import Workers

    executor, jobs = who.executor, who.jobs
    if jobs is not None and executor is not None:
        given = click.get_current_context().get_parameter_source("executor")
        if given is not ParameterSource.ENVIRONMENT:
            raise UsageError(f"--jobs {jobs} and --executor {executor} are both given; expected one of them")
        executor = None
    choice = ExecutorChoice(n=jobs) if executor is None else parse_executor(executor)
    with open_executor(choice, Patience(who.timeout), end_stuck_run) as opened:
        yield Workers(opened, memory_mb)

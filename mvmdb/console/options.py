"""Options and helpers that commands share: the catalog, JSON output, files, executors and exit codes."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from mvmdb.console.localpath import LocalPath
from mvmdb.console.recorded import RecordedRun
from mvmdb.console.show import say, warn
from mvmdb.console.streams import Ending, end_stuck_run
from mvmdb.errors import UsageError
from mvmdb.exposures.find import ExposurePaths
from mvmdb.monitor import SILENT, Monitor
from mvmdb.workers.patience import WORKER_TIMEOUT

if TYPE_CHECKING:
    from mvmdb.archive import Archive
    from mvmdb.archive.access import Work

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

    def archive(self, who: Who | None = None, memory_mb: int | None = None, monitor: Monitor = SILENT) -> Archive:
        """The archive, whose methods do what commands do; what changes it is recorded as this command's run."""
        from mvmdb.archive import Archive

        return Archive(self.address, self.run, work_of(who, memory_mb), monitor)


class Duration(click.FloatRange):
    """A number of seconds, 0 or more; `inf` is for ever, and `nan` is no number."""

    name = "seconds"

    def __init__(self) -> None:
        super().__init__(0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises click.BadParameter for what is none."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number of seconds; expected 0 or more.", param, ctx)
        return number


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
    type=Duration(),
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
    type=LocalPath(file_okay=False),
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
    "--wait", type=Duration(), default=0.0, metavar="SECONDS",
    help="If another run works on the folder, wait for it as long as this; else the exit code is 2 at once.",
)  # fmt: skip
output = click.option("-o", "--output", type=LocalPath(file_okay=False), metavar="DIR", help="The folder to write to.")
available = click.option(
    "--available", is_flag=True, help="Make layers that wait for files from those members that have a file."
)
programs = click.option(
    "--program", "programs", multiple=True, metavar="ID",
    help="Only this program, 11359 or B6O (may be repeated).",
)  # fmt: skip
filters = click.option("--filter", "filters", multiple=True, metavar="F", help="Only this filter (may be repeated).")
cells = click.option("--skycell", "cells", multiple=True, metavar="NAME", help="Only this sky cell (may be repeated).")
beside = click.option(
    "--beside", metavar="KINDS",
    help="Keep these files beside products in this run, or none: jpg, thumb, wht, color, exptime, exposures, with "
    "commas between. [default: as init --beside says]",
)  # fmt: skip
mark = click.option(
    "--mark",
    type=click.Choice(["layer", "exposure"]),
    default="layer",
    show_default=True,
    help="Mark as NEW every row of a stale layer, or only the exposures that its mosaic does not contain yet: "
    "drizzlepac would write a mosaic of these alone over the full one.",
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
    """Give a command the options of the cache of files elsewhere; its worker processes see them in the environment."""

    @wraps(command)
    def with_cache(*arguments: Any, cache_folder: Path | None, cache_size: str, **named: Any) -> object:
        from mvmdb.remote.cache import use_cache

        with use_cache(cache_folder, cache_size):
            return command(*arguments, **named)

    return _cache(_cache_size(cast(F, with_cache)))


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


def warn_of(found: ExposurePaths, *, empty: bool = False) -> None:
    """Warn of folders that cannot be read, of compressed files, and, if `empty`, of folders without exposures."""
    for folder in found.unreadable_folders:
        warn(f"mvmdb: cannot read the folder {folder}; its exposures are left out: make it readable")
    for path in found.compressed:
        warn(f"mvmdb: passed over {path}: it is compressed; uncompress it, or move it away")
    if empty:
        for folder in found.empty_folders:
            warn(f"mvmdb: no exposures in {folder} (*_flt.fits, *_flc.fits, *_c0m.fits)")


def work_of(who: Who | None, memory_mb: int | None = None) -> Work:
    """The workers of a command: as --executor or --jobs says, else MVMDB_EXECUTOR. Raises UsageError for both."""
    from mvmdb.archive.access import Work

    if who is None:
        return Work()
    executor, jobs = who.executor, who.jobs
    if jobs is not None and executor is not None:
        given = click.get_current_context().get_parameter_source("executor")
        if given is not ParameterSource.ENVIRONMENT:
            raise UsageError(f"--jobs {jobs} and --executor {executor} are both given; expected one of them")
        executor = None
    return Work(executor, jobs, memory_mb, who.timeout, end_stuck_run)

"""Registers exposure files: unchanged files are skipped, the others read in parallel and written in transactions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

import sqlalchemy as sa

from mvmdb.catalog.decisions.restore import settle_waiting
from mvmdb.catalog.exposures.quarantine import (
    QuarantinedFile,
    forget_gone,
    stamp_files,
    storable_path,
    write_quarantine,
)
from mvmdb.catalog.exposures.read_files import digest_files, read_in_background
from mvmdb.catalog.exposures.read_first import OtherFiles, write_with_files
from mvmdb.catalog.exposures.register import Registered, digests_needed, register
from mvmdb.catalog.layers.growth import Stretching, stretched_by
from mvmdb.catalog.narrow import EVERYTHING, Narrowing
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import read_policy
from mvmdb.errors import ExposureError
from mvmdb.exposures.reading import ReadDataset, Task
from mvmdb.monitor import SILENT, Monitor
from mvmdb.remote.files import stamps_of
from mvmdb.remote.state import Stamp, is_unchanged
from mvmdb.schema import tables as t
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Executor, Workers
from mvmdb.workers.processes import ProcessExecutor

log = logging.getLogger(__name__)

BATCH = 1000
NO_STAMPS: Mapping[str, Stamp] = {}
_WORTH_A_POOL = 500  # files; below, starting processes costs more than it saves


@dataclass(slots=True)
class IngestReport:
    """What an ingest found and did; all counts are of files, except `memberships` (exposures in sky cells).

    `passive` maps files that are not active to the active file of their exposure, `why_passive` to the reason.
    `stretching` are the registered visits that make canvases grow absurdly, the worst first.
    """

    found: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    ineligible: int = 0
    quarantined: int = 0
    memberships: int = 0
    seconds: float = 0.0
    problems: list[QuarantinedFile] = field(default_factory=list)
    passive: dict[str, str] = field(default_factory=dict)
    why_passive: dict[str, str] = field(default_factory=dict)
    stretching: list[Stretching] = field(default_factory=list)
    left_out: int = 0

    @property
    def news(self) -> list[QuarantinedFile]:
        """The problems that need attention: those that no earlier ingest reported."""
        return [file for file in self.problems if file.new]


def ingest_files(
    engine: sa.Engine,
    paths: Sequence[str],
    *,
    narrowing: Narrowing = EVERYTHING,
    stamps: Mapping[str, Stamp] = NO_STAMPS,
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
) -> IngestReport:
    """Register exposure files (absolute paths), in one transaction per 1000 files.

    Files of exposures that are outside the `narrowing` are read and left out: a later ingest reads them again. No
    server is asked for the state of files that have `stamps`, which a listing just told.

    The workers read the files (None: processes, one per core). A file whose size and time are as recorded, or
    elsewhere its size and ETag, is not opened. A file that cannot be read is quarantined with the reason, and the next
    ingest tries it again. Raises WorkersError if no workers can be started.
    """
    started = monotonic()
    report = IngestReport(found=len(paths))
    monitor.files_announced(len(paths))
    tasks = _select_changed(engine, paths, stamps, report)
    monitor.files_read(report.unchanged)
    log.info("%d files: %d unchanged, %d to read", len(paths), report.unchanged, len(tasks))
    with open_workers(workers) as opened:
        executor = opened.executor
        if isinstance(executor, ProcessExecutor) and len(tasks) < _WORTH_A_POOL:
            executor = executor.here
        batches = [tasks[start : start + BATCH] for start in range(0, len(tasks), BATCH)]
        registered = _register_batches(engine, batches, executor, report, monitor, narrowing)
    forget_gone(engine)
    settle_waiting(engine)
    with engine.begin() as connection:
        report.stretching = stretched_by(connection, registered, read_policy(connection))
    report.quarantined = len(report.problems)
    report.seconds = round(monotonic() - started, 3)
    return report


def _select_changed(
    engine: sa.Engine, paths: Sequence[str], told: Mapping[str, Stamp], report: IngestReport
) -> list[Task]:
    """The files that must be read; counts those that are unchanged, and quarantines those with names not in UTF-8.

    A file of a pruned exposure is read though it is unchanged: the exposure returns with it.
    """
    d = t.dataset.c
    returning: set[str] = set()
    unnamed = "its name is not UTF-8, and no catalog can hold it; rename the file or its folder"
    bad = {storable_path(path): ExposureError("unreadable", unnamed) for path in paths if not _is_text(path)}
    stamps = stamp_files(bad)
    named = [path for path in paths if _is_text(path)]
    with engine.begin() as connection:
        recorded = _load_stamps(connection, named)
        for chunk in chunks(named):
            back = (
                sa.select(d.path).select_from(t.dataset.join(t.exposure)).where(d.path.in_(chunk), t.exposure.c.pruned)
            )
            returning.update(connection.scalars(back))
        report.problems += write_quarantine(connection, bad, stamps)
    # The state of a file that is not recorded is of no interest, and asking a server for it takes time.
    asked = stamps_of(path for path in named if path in recorded and path not in told)
    tasks = []
    for path in named:
        stamp = told.get(path) or asked.get(path)  # where it is an error, the reader reports it
        same = isinstance(stamp, tuple) and is_unchanged(path, recorded.get(path), stamp)
        if same and path not in returning:
            report.unchanged += 1
        else:
            tasks.append(Task(path, recorded.get(path)))
    return tasks


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _register_batches(
    engine: sa.Engine,
    batches: Sequence[list[Task]],
    executor: Executor,
    report: IngestReport,
    monitor: Monitor,
    narrowing: Narrowing,
) -> set[str]:
    """Read and write the batches in order: while one is written, the executor reads the next.

    Returns the exposures (ipppssoo) that were registered.
    """
    registered: set[str] = set()
    if not batches:
        return registered
    with read_in_background(executor, monitor) as begin:
        pending = begin(batches[0])
        for batch, following in zip(batches, [*batches[1:], []], strict=True):
            read = dict(zip((task.path for task in batch), pending(), strict=True))
            good = {path: result for path, result in read.items() if isinstance(result, ReadDataset)}
            bad = {path: result for path, result in read.items() if isinstance(result, ExposureError)}
            _leave_out(engine, good, narrowing, report)
            _compare_pixels(engine, good, bad, executor)
            pending = begin(following)
            _write_batch(engine, batch, good, bad, report)
            registered |= {result.dataset.exposure.ipppssoo for result in good.values()}
    return registered


def _leave_out(engine: sa.Engine, good: dict[str, ReadDataset], narrowing: Narrowing, report: IngestReport) -> None:
    """Take the files of exposures that the command does not work on out of what was read."""
    if narrowing.is_everything:
        return
    with engine.begin() as connection:
        rule = read_policy(connection).rule
    taken = narrowing.takes([result.dataset.exposure for result in good.values()], rule)
    for path in [path for path, is_taken in zip(good, taken, strict=True) if not is_taken]:
        del good[path]
        report.left_out += 1


def _write_batch(
    engine: sa.Engine,
    batch: Sequence[Task],
    good: dict[str, ReadDataset],
    bad: dict[str, ExposureError],
    report: IngestReport,
) -> None:
    """Write one batch, and quarantine the files that could not be read, in one transaction.

    Files that another ingest has registered since they were chosen are unchanged.
    """
    stamps = stamp_files(bad)
    overtaken: set[str] = set()

    def write(connection: sa.Connection, others: OtherFiles) -> tuple[Registered, list[QuarantinedFile]]:
        overtaken.update(_registered_meanwhile(connection, batch, good))
        rest = [result for path, result in good.items() if path not in overtaken]
        done = register(connection, rest, read_policy(connection), others)
        for chunk in chunks(good):
            connection.execute(sa.delete(t.quarantine).where(t.quarantine.c.path.in_(chunk)))
        return done, write_quarantine(connection, bad, stamps)

    done, quarantined = write_with_files(engine, write)
    known = {task.path for task in batch if task.known}
    report.new += len(good.keys() - overtaken - known)
    report.changed += len((good.keys() - overtaken) & known)
    report.unchanged += len(overtaken)
    report.ineligible += done.ineligible
    report.memberships += done.memberships
    report.passive.update({path: active for path, active in done.passive.items() if path in good})
    report.why_passive.update({path: why for path, why in done.why.items() if path in good})
    report.problems += quarantined
    log.info("registered %d files, quarantined %d", len(good), len(quarantined))


def _load_stamps(connection: sa.Connection, paths: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The recorded size and time of each of these files that is registered."""
    d = t.dataset.c
    stamps: dict[str, tuple[int, int]] = {}
    for chunk in chunks(paths):
        query = sa.select(d.path, d.size, d.mtime_ns).where(d.path.in_(chunk))
        stamps.update({path: (size, mtime) for path, size, mtime in connection.execute(query)})
    return stamps


def _registered_meanwhile(
    connection: sa.Connection, batch: Sequence[Task], good: Mapping[str, ReadDataset]
) -> Iterator[str]:
    """The files that are recorded as they were read, and were not when they were chosen."""
    before = {task.path: task.stamp for task in batch}
    for path, stamp in _load_stamps(connection, good).items():
        read = good[path].dataset
        if stamp == (read.size, read.mtime_ns) != before[path]:
            yield path


def _compare_pixels(
    engine: sa.Engine, good: dict[str, ReadDataset], bad: dict[str, ExposureError], executor: Executor
) -> None:
    """Digest the pixels of new files of exposures with a known pixel digest; no transaction is open meanwhile."""
    with engine.begin() as connection:
        paths = digests_needed(connection, list(good.values()))
    for path, digest in zip(paths, digest_files(paths, executor), strict=True):
        if isinstance(digest, ExposureError):
            del good[path]
            bad[path] = digest
        else:
            good[path] = ReadDataset(good[path].dataset, digest)

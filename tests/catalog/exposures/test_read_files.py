"""One batch of files is read while another is written: the catalog is as if they had followed each other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from archive import Archive

from mvmdb.catalog.exposures import ingest
from mvmdb.catalog.exposures import read_files as reading
from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.open import open_catalog
from mvmdb.exposures.find import find_exposures
from mvmdb.exposures.reading import Task
from mvmdb.workers.background import BackgroundThread
from mvmdb.workers.choice import ExecutorChoice, open_executor
from mvmdb.workers.executor import Done, Executor, Workers
from mvmdb.workers.patience import Patience
from mvmdb.workers.processes import IN_THIS_PROCESS

BATCH = 3
ROWS = (
    "SELECT id, ipppssoo, pixels, pixel_digest, wcs_digest, s_region, path FROM exposure ORDER BY id",
    "SELECT exposure_id, path, active FROM dataset ORDER BY path",
    "SELECT exposure_id, skycell_id, area_arcmin2 FROM membership ORDER BY exposure_id, skycell_id",
    "SELECT id, name, n_exposures, recipe_digest FROM layer ORDER BY id",
    "SELECT path, reason FROM quarantine ORDER BY path",
)


class NotingExecutor:
    """An executor that works in this process, for others to wait for; it notes which files it was given, and when."""

    def __init__(self) -> None:
        self.patience = Patience()
        self.read: list[str] = []
        self.second_batch = Event()
        self.stopped: Event | None = None
        self.calls = 0
        self.at_once = 0

    def each(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        expected: int,
        name: Callable[[Any], str] = str,
    ) -> Iterator[Done[Any, Any]]:
        self.calls += 1
        self.at_once = max(self.at_once, self.calls)
        for item in items:
            self.read += [task.path for _, task in item if isinstance(task, Task)]
            if len(self.read) > BATCH:
                self.second_batch.set()
                if self.stopped is not None:
                    self.stopped.wait(timeout=60)
            yield Done(item, function(item))
        self.calls -= 1


@pytest.fixture
def stocked(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Seven exposures, and a broken file before and one after them: three batches."""
    monkeypatch.setattr(ingest, "BATCH", BATCH)
    monkeypatch.setattr(ingest, "_WORTH_A_POOL", 0)
    for number in range(7):
        archive.expose(f"ib6o04t{number}q", east=2.0 * number)
    for name in ("aaaa", "zzzz"):
        (archive.inbox / f"{name}_flt.fits").write_bytes(b"no exposure")
    return archive


def take_in(archive: Archive, executor: Executor | None = None) -> IngestReport:
    with open_catalog(archive.address, create=True) as engine:
        workers = IN_THIS_PROCESS if executor is None else Workers(executor)
        return ingest_files(engine, find_exposures([archive.inbox]).paths, workers=workers)


def content(archive: Archive) -> list[list[tuple[Any, ...]]]:
    return [archive.rows(sql) for sql in ROWS]


def told(report: IngestReport) -> tuple[object, ...]:
    return (report.new, report.memberships, report.quarantined, [problem.path for problem in report.problems])


def test_two_processes_write_the_rows_that_one_writes_in_the_same_order(stocked: Archive, tmp_path: Path) -> None:
    alone = Archive(tmp_path, str(tmp_path / "alone.db"))
    expected = take_in(alone)
    with open_executor(ExecutorChoice(n=2)) as executor:
        report = take_in(stocked, executor)
    assert (report.new, report.quarantined) == (7, 2)
    assert told(report) == told(expected)
    assert content(stocked) == content(alone)


def test_the_next_batch_is_read_while_one_is_written(stocked: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    executor, real, begun = NotingExecutor(), ingest._write_batch, []

    def write(*given: Any) -> None:
        begun.append(executor.second_batch.wait(timeout=60))
        real(*given)

    monkeypatch.setattr(ingest, "_write_batch", write)
    assert take_in(stocked, executor).new == 7
    assert begun == [True] * 3


def test_an_error_in_writing_ends_the_reading(stocked: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = NotingExecutor()
    executor.stopped = stopped = Event()
    monkeypatch.setattr(reading, "_CHUNK", 1)
    abandon = BackgroundThread.abandon

    def note_and_abandon(thread: BackgroundThread) -> None:
        thread._abandoned = True  # as is the first thing that it does
        stopped.set()
        abandon(thread)

    monkeypatch.setattr(BackgroundThread, "abandon", note_and_abandon)

    def fail(*given: Any) -> None:
        executor.second_batch.wait(timeout=60)
        raise ZeroDivisionError

    monkeypatch.setattr(ingest, "_write_batch", fail)
    with pytest.raises(ZeroDivisionError):
        take_in(stocked, executor)
    assert len(executor.read) == BATCH + 1
    monkeypatch.undo()
    assert take_in(stocked).new == 7


def test_an_executor_is_never_asked_for_two_things_at_once(stocked: Archive) -> None:
    stocked.ingest()
    with open_catalog(stocked.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE exposure SET pixel_digest = 'd:0'")  # so that new files must be compared
    for number in range(7):
        stocked.expose(f"ib6o04t{number}q", east=2.0 * number, folder=stocked.inbox / "svm", proctime=57700.0)
    executor = NotingExecutor()
    report = take_in(stocked, executor)
    assert (report.new, executor.at_once, executor.calls) == (7, 1, 0)
    digests = {digest for (digest,) in stocked.rows("SELECT pixel_digest FROM exposure")}
    assert len(digests) == 7


def test_workers_load_no_database() -> None:
    script = "import sys, mvmdb.exposures.read_tasks; print({'sqlalchemy', 'shapely', 'healpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"

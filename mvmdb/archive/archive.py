"""An archive of exposures and mosaics: a catalog, and all that can be asked of it and done with it."""

from __future__ import annotations

import os

from mvmdb.archive.access import Work
from mvmdb.archive.aligning import Aligning
from mvmdb.archive.asking import Asking
from mvmdb.archive.companions import Accompanying
from mvmdb.archive.contributing import Contributing
from mvmdb.archive.covering import Covering
from mvmdb.archive.deciding import Deciding
from mvmdb.archive.exporting import Exporting
from mvmdb.archive.fields import Fields
from mvmdb.archive.keeping import Keeping
from mvmdb.archive.paging import Paging
from mvmdb.archive.plotting import Plotting
from mvmdb.archive.recording import CallRecorder
from mvmdb.archive.serving import Serving
from mvmdb.archive.tiling import Tiling
from mvmdb.archive.working import Working
from mvmdb.catalog.open import open_catalog
from mvmdb.monitor import SILENT, Monitor
from mvmdb.remote.address import require_local
from mvmdb.workers.patience import WORKER_TIMEOUT


class Archive(
    Asking, Plotting, Covering, Contributing, Exporting, Fields, Working, Accompanying, Aligning, Deciding, Keeping,
    Paging, Serving, Tiling,
):  # fmt: skip
    """An archive: each method does what the command of its name does, and each command calls its method.

    Methods open the catalog, do their work, and close it: an archive holds no connection and no lock between calls.
    What changes the catalog is recorded as a run of its history. Errors that a user can mend are `MvmdbError`, with
    what was found, what was expected, and the remedy.
    """


def open_archive(
    address: str | os.PathLike[str] = "mvm.db",
    *,
    create: bool = False,
    jobs: int | None = None,
    executor: str | None = None,
    memory_mb: int | None = None,
    worker_timeout: float = WORKER_TIMEOUT,
    cache: str | os.PathLike[str] | None = None,
    cache_size: str | None = None,
    monitor: Monitor = SILENT,
) -> Archive:
    """The archive whose catalog is at a path or SQLAlchemy URL; with `create`, a missing catalog is created.

    `jobs`: the number of worker processes (None: one per core), or `executor`: `serial`, `processes:N` or
    `dask:ADDRESS`. `memory_mb` limits each worker. A worker that gives no sign of progress for `worker_timeout` seconds
    is given up (0: never). `cache`: the folder that files elsewhere (`https://`, `s3://`) are fetched to when their
    pixels are needed (None: MVMDB_CACHE, else `~/.cache/mvmdb`), and `cache_size` the most that it holds, like `50GB`
    (None: MVMDB_CACHE_SIZE, else 50GB); they hold for this process while a method is at work. `monitor` is told how
    work goes on. Raises CatalogError if there is no catalog, or it is one of another schema; InputError for a size that
    is none.

    >>> archive = open_archive("mvm.db")
    >>> archive.status()
    <Status: 10 layers, 10 fresh, 0 stale, 0 orphaned>
    """
    text = os.fspath(address)
    work = Work(
        executor, jobs, memory_mb, worker_timeout,
        cache=None if cache is None else require_local(cache), cache_size=cache_size,
    )  # fmt: skip
    with work.caching(), open_catalog(text, create=create):
        pass
    return Archive(text, CallRecorder(text), work, monitor)

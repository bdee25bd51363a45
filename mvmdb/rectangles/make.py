"""Makes the mosaics of a rectangle in a folder of its own, without overwriting the mosaics of another rectangle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from mvmdb.errors import NothingViableError, ProductError, UsageError
from mvmdb.jobs.lock import claim_folder
from mvmdb.jobs.report import ReconcileReport
from mvmdb.jobs.rounds import make_layers
from mvmdb.monitor import SILENT, Monitor
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.read import holds_nothing, open_product
from mvmdb.mosaic.product.write import sweep_temporaries
from mvmdb.records import Canvas, CellExposure, LayerJob, Policy
from mvmdb.rectangles.estimate import require_memory
from mvmdb.rectangles.geometry import Rectangle, trim_rectangle
from mvmdb.rectangles.plan import RectangleOptions, plan_rectangle
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers
from mvmdb.workers.memory_limit import memory_of_worker


def make_rectangle(
    exposures: Sequence[CellExposure],
    rectangle: Rectangle,
    products: Path,
    policy: Policy,
    options: RectangleOptions,
    *,
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
    wait: float = 0.0,
) -> ReconcileReport:
    """Make the mosaics of a rectangle from the exposures that overlap it, in `products/<rectangle.name>/`.

    There is one mosaic per obsmode (instrument, detector, filter) and scale. Workers make them (None: processes, one
    per core).

    Raises NothingViableError if no exposure overlaps the rectangle; UsageError if another rectangle's mosaic, or any
    other file, already has the name of one of the mosaics, or if one needs more memory than a worker of this machine
    may have; InputError if the folder `products` cannot be written or locked; BusyError if another run still works on
    it after so many seconds of `wait`; WorkersError if the workers are lost.
    """
    started = monotonic()
    report = ReconcileReport()
    folder = products / rectangle.name
    plan = partial(plan_rectangle, exposures, rectangle, folder, policy, options)
    todo = plan(set())
    if not todo:
        raise NothingViableError(
            f"none of {len(exposures)} exposures overlaps {rectangle.canvas} of projection cell "
            f"{rectangle.projection_cell}; choose another rectangle",
            only_small=False,
        )
    with open_workers(workers) as opened, _claim_for(todo, opened, products, wait):
        for job in todo:
            _check_target(job, rectangle)
        monitor.plan_known(len(todo))
        sweep_temporaries(folder)
        make_layers(todo, plan, opened, report, monitor)
        sweep_temporaries(folder)
        write_manifest(folder, rectangle.name)
    report.seconds = round(monotonic() - started, 3)
    return report


@contextmanager
def _claim_for(todo: Sequence[LayerJob], workers: Workers, products: Path, wait: float) -> Iterator[None]:
    """The folder's lock, once it is clear that the workers have the memory for these jobs."""
    require_memory(todo, memory_of_worker(workers.executor), workers.memory_mb)
    with claim_folder(products, wait=wait):
        yield


def _check_target(job: LayerJob, rectangle: Rectangle) -> None:
    """Refuse to overwrite another rectangle's mosaic of the same name, or a file that mvmdb did not make.

    A mosaic of the same rectangle that was trimmed to fewer exposures may be overwritten.
    """
    if not Path(job.target).exists() or holds_nothing(job.target):
        return
    try:
        present = open_product(Path(job.target))
    except ProductError as error:
        raise UsageError(
            f"{job.target} already exists and is not a mosaic made by mvmdb ({error}); give another folder with -o"
        ) from error
    canvas = present.record.canvas
    if canvas != job.canvas and not _is_trimmed(canvas, rectangle, [row.s_region for row in present.rows]):
        raise UsageError(
            f"{job.target} already exists, with the rectangle {canvas}; expected {job.canvas}; "
            "give another folder with -o"
        )


def _is_trimmed(canvas: Canvas, rectangle: Rectangle, regions: Sequence[str]) -> bool:
    """Whether this canvas is that of the same rectangle, trimmed to these footprints."""
    if rectangle.asked is None:
        return False
    return trim_rectangle(Rectangle(rectangle.projection_cell, rectangle.asked), regions).canvas == canvas

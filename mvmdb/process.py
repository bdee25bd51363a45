"""Makes the mosaics of one poller file without a catalog: only its exposures decide what layers are made of."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import get_args

from mvmdb.correction import digest_realigned, format_alternate
from mvmdb.errors import UsageError
from mvmdb.frames import frame_of_alternate
from mvmdb.jobs.drizzle_jobs import drizzle_job
from mvmdb.jobs.lock import claim_folder
from mvmdb.jobs.report import ReconcileReport
from mvmdb.jobs.rounds import make_layers
from mvmdb.jobs.sky_jobs import solve_together
from mvmdb.layers.expect import expect_cell_layers, with_recipe
from mvmdb.monitor import SILENT, Monitor
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.write import sweep_temporaries
from mvmdb.names import parse_cell_name
from mvmdb.parameters.values import Parameters
from mvmdb.pollers.exposures import PollerWork, read_poller_work
from mvmdb.records import MEASURED, Canvas, CellExposure, Dataset, Frames, LayerJob, Policy
from mvmdb.rectangles.geometry import Rectangle
from mvmdb.rectangles.make import make_rectangle
from mvmdb.rectangles.plan import RectangleOptions
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers

_NO_SKIES: Mapping[str, Mapping[str, float]] = MappingProxyType({})

log = logging.getLogger(__name__)

SOLUTION = "aligned"
"""The name of the solutions that `align_first` finds."""


@dataclass(frozen=True, slots=True)
class Align:
    """How exposures are aligned before they are drizzled: to a catalog in a file, or to each other (None)."""

    reference: str | None = None


def process_poller(
    source: Path,
    products: Path,
    policy: Policy,
    *,
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
    limits: tuple[int, int, int, int] | None = None,
    parameters: Parameters | None = None,
    align_first: Align | None = None,
    wait: float = 0.0,
) -> ReconcileReport:
    """Make each layer of a poller file that has a NEW row, from all of its rows, NEW and OLD.

    A basic poller, which names no sky cells, stands for every sky cell that its exposures overlap, with all rows NEW.
    Relative paths in it are relative to its own folder. A path that does not exist, as in a poller of another machine,
    stands for the file of that name in that folder. Products go to `products/<skycell>/`. Workers make the layers
    (None: processes, one per core). With `limits` (X0, X1, Y0, Y1, the first and last fine pixels of a rectangle in the
    projection cell), the mosaics are of that rectangle, from all rows, NEW or OLD. With `parameters`, layers are
    drizzled with the values that these set. With `align_first`, all exposures are aligned together before: one with too
    few matches keeps its own solution, which is logged as a warning. No exposure's file is changed.

    Raises InputError if the file cannot be read, `parameters` must name a layer and does not, or `products` cannot be
    written or locked; ExposureError or NothingViableError if none of its exposures can be used; UsageError for
    impossible limits, and for frames that depend on measured shifts; BusyError if another run still works on `products`
    after so many seconds of `wait`; WorkersError if the workers are lost. A layer that cannot be made is reported as
    failed.
    """
    started = monotonic()
    if policy.frames in MEASURED:
        others = ", ".join(name for name in get_args(Frames) if name not in MEASURED)
        raise UsageError(
            f"frames is {policy.frames}; expected {others}: measured shifts are kept in a catalog; use mvmdb reconcile"
        )
    work = read_poller_work(source, policy)
    exposures = {name: CellExposure.of(dataset) for name, dataset in work.datasets.items()}
    placed = {name for members in work.cells.values() for name in members}
    if align_first is not None:
        with open_workers(workers) as opened:
            exposures |= _align([work.datasets[name] for name in sorted(placed)], align_first, opened, monitor)
    if limits is not None:
        rectangle = Rectangle(_projection_cell(work), Canvas(*limits))
        within = [exposure for name, exposure in exposures.items() if name in placed]
        options = RectangleOptions() if parameters is None else RectangleOptions(adjust=parameters.adjust)
        report = make_rectangle(
            within, rectangle, products, policy, options, workers=workers, monitor=monitor, wait=wait
        )
        report.refused.update(work.unusable)
        report.beside.update(work.beside)
        return report
    report = ReconcileReport()
    with claim_folder(products, wait=wait), open_workers(workers) as opened:
        build = partial(_build_jobs, work, exposures, products, policy, parameters)
        planned = {skycell: build(skycell, set()) for skycell in sorted(work.cells)}
        skies = solve_together([job for jobs in planned.values() for job in jobs], exposures, opened)
        if skies:
            build = partial(build, skies=skies)
            planned = {skycell: build(skycell, set()) for skycell in planned}
        _warn_of_unmatched(parameters, planned)
        monitor.plan_known(sum(map(len, planned.values())))
        for skycell, todo in planned.items():
            sweep_temporaries(products / skycell)
            make_layers(todo, partial(build, skycell), opened, report, monitor)
            sweep_temporaries(products / skycell)  # left by workers that died; others made their layers
            if any(skycell in outcome.layer for outcome in report.layers):
                write_manifest(products / skycell, skycell)
    report.refused.update(work.unusable)
    report.beside.update(work.beside)
    report.seconds = round(monotonic() - started, 3)
    return report


def _align(datasets: Sequence[Dataset], align: Align, workers: Workers, monitor: Monitor) -> dict[str, CellExposure]:
    """The exposures that could be aligned together, with their new solutions."""
    from mvmdb.alignment.align import align_exposures
    from mvmdb.alignment.reference import read_reference
    from mvmdb.alignment.values import AlignInput

    reference = None if align.reference is None else read_reference(align.reference)
    inputs = [AlignInput.of(dataset) for dataset in datasets]
    frame = frame_of_alternate(SOLUTION, "" if reference is None else reference.name)
    result = align_exposures(inputs, reference, workers=workers, monitor=monitor)
    for name, why in result.refused.items():
        log.warning("%s is not aligned, and keeps its own solution: %s", name, why)
    by_name = {dataset.exposure.ipppssoo: dataset for dataset in datasets}
    exposures = {}
    for one in result.aligned:
        text = format_alternate(SOLUTION, one.correction)
        exposure = CellExposure.of(by_name[one.ipppssoo])
        digest = digest_realigned(exposure.wcs_digest, text)
        exposures[one.ipppssoo] = replace(exposure, alternate=text, wcs_digest=digest, frame=frame)
    return exposures


def _projection_cell(work: PollerWork) -> int:
    """The projection cell of the poller's sky cells. Raises UsageError if they are in several."""
    projection_cells = sorted({parse_cell_name(skycell).projection_cell for skycell in work.cells})
    if len(projection_cells) != 1:
        cells = ", ".join(f"p{cell:04d}" for cell in projection_cells)
        raise UsageError(
            f"limits are pixels of one projection cell; this poller's sky cells are in {cells}: "
            "give a poller with sky cells of only one"
        )
    return projection_cells[0]


def _build_jobs(
    work: PollerWork,
    known: Mapping[str, CellExposure],
    products: Path,
    policy: Policy,
    parameters: Parameters | None,
    skycell: str,
    refused: set[str],
    skies: Mapping[str, Mapping[str, float]] = _NO_SKIES,
) -> list[LayerJob]:
    """The jobs of a sky cell's layers that have a NEW member, made without the exposures in `refused` (ipppssoo).

    `skies` are those of the members of layers (names) that were solved together.
    """
    is_new = {name: new for name, new in work.cells[skycell].items() if name not in refused}
    exposures = {name: known[name] for name in sorted(is_new)}
    layers = expect_cell_layers(parse_cell_name(skycell), list(exposures.values()), policy)
    due = [layer for layer in layers if any(is_new[member.ipppssoo] for member in layer.members)]
    if parameters is not None:
        due = [with_recipe(layer, parameters.adjust(layer.name, layer.recipe)) for layer in due]
    return [drizzle_job(layer, exposures, products / skycell, skies.get(layer.name)) for layer in due]


def _warn_of_unmatched(parameters: Parameters | None, planned: Mapping[str, Sequence[LayerJob]]) -> None:
    if parameters is not None:
        for name in parameters.unmatched({job.layer for jobs in planned.values() for job in jobs}):
            log.warning("%s has parameters for %s, which is not made from this poller", parameters.source, name)

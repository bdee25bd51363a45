"""Measures what one layer costs here, on small real jobs: drizzle, add, recanvas, and the coordinator's record.

The jobs use the demo's exposures (full-size WFC3/IR, a quarter of ACS/WFC), by the method `hap`, which measures all
pairs of a layer in its own job. Each job runs in several rounds, and the fastest counts.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import sqlalchemy as sa
from synthetic import make_batches

from mvmdb.catalog.exposures.bulk_load import register_batches
from mvmdb.catalog.exposures.ingest import ingest_files
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.demo.simulate import simulate_night
from mvmdb.jobs.carry_out import Outcome
from mvmdb.mosaic.make import make_product
from mvmdb.reconcile.layer_jobs import Options, find_work
from mvmdb.reconcile.planning import look_ahead
from mvmdb.reconcile.run import reconcile
from mvmdb.records import Action, Canvas, LayerJob, ProductMember, ProductRecord
from mvmdb.schema import tables as t
from mvmdb.workers.executor import Done, Workers
from mvmdb.workers.processes import IN_THIS_PROCESS

ROUNDS = 3
IR_MPIX, ACS_MPIX = 1014 * 1014 / 1e6, 2 * 1024 * 2048 / 1e6  # of the demo's exposures


@dataclass(frozen=True)
class Costs:
    """Seconds of computing: per layer, per exposure, per megapixel of an exposure, per pair of overlapping exposures
    and megapixel, per megapixel of a new canvas, per megapixel of a canvas that is read and written again; and seconds
    of the coordinator per layer.
    """

    layer: float
    exposure: float
    input_mpix: float
    pair_mpix: float
    canvas_mpix: float
    present_mpix: float
    record: float


def measure_costs(address: str | None = None) -> Costs:
    """Run the jobs. `address` is an empty database for measuring the coordinator (default: SQLite)."""
    logging.getLogger("mvmdb").setLevel(logging.ERROR)  # each exposure without a file would be named
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as name:
        folder = Path(name)
        ir, acs = _drizzle_jobs(folder, ("wfc3_ir_f125w_all", "acs_wfc_f814w_all"))
        small, large, tiny = _grow(ir.canvas, 1500), _grow(ir.canvas, 2500), _shrink(ir.canvas, 100)
        took = _fastest(
            {
                "one": _plain(ir, 1, small),
                "four": _plain(ir, 4, small),
                "wide": _plain(ir, 1, large),
                "one acs": _plain(acs, 1, _grow(acs.canvas, 1500)),
                "two acs": _plain(acs, 2, _grow(acs.canvas, 1500)),
                "matched": replace(ir, canvas=small),  # the last that drizzles: recanvas starts from its product
                "kept": replace(ir, action=Action.RECANVAS, canvas=small),
                "cut": replace(ir, action=Action.RECANVAS, canvas=tiny),
                "tiny": replace(ir, action=Action.RECANVAS, canvas=tiny),
            }
        )
        record = measure_record(address or str(folder / "record.db"), folder / "products")
    more = _mpix(large) - _mpix(small)
    ir_exposure, acs_exposure = (took["four"] - took["one"]) / 3, took["two acs"] - took["one acs"]
    slope = (acs_exposure - ir_exposure) / (ACS_MPIX - IR_MPIX)
    return Costs(
        layer=took["tiny"],
        exposure=max(0.0, ir_exposure - slope * IR_MPIX),
        input_mpix=slope,
        pair_mpix=max(0.0, took["matched"] - took["four"]) / 6 / IR_MPIX,  # four exposures are six pairs
        canvas_mpix=max(0.0, took["wide"] - took["one"]) / more,
        present_mpix=max(0.0, took["kept"] - took["tiny"]) / _mpix(small),
        record=record,
    )


def _fastest(jobs: Mapping[str, LayerJob]) -> dict[str, float]:
    """Processor seconds of each job, the least of several rounds; waiting for the disk counts as storage."""
    took = dict.fromkeys(jobs, float("inf"))
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            started = process_time()
            make_product(job)
            took[name] = min(took[name], process_time() - started)
    return took


def _plain(job: LayerJob, n: int, canvas: Canvas) -> LayerJob:
    """The job with its first n members only, and without sky matching."""
    recipe = replace(job.recipe, sky_match=False)
    return replace(job, members=job.members[:n], canvas=canvas, recipe=recipe)


def _drizzle_jobs(folder: Path, endings: Iterable[str]) -> Iterator[LayerJob]:
    """Drizzle jobs of the demo's first night: for each ending, the layer with the largest canvas."""
    paths = [str(path) for path in simulate_night(folder / "inbox", 1)]
    with open_catalog(str(folder / "mvm.db"), create=True) as engine:
        ingest_files(engine, paths, workers=IN_THIS_PROCESS)
        with engine.begin() as connection:
            policy = replace(read_policy(connection), method="hap")
        lines = look_ahead(engine.begin, folder, policy).plan.layers
        with engine.begin() as connection:
            works = [find_work(connection, folder, line, policy, Options()) for line in lines]
    jobs = [work.job for work in works if work is not None and work.job is not None]
    for ending in endings:
        yield max((job for job in jobs if job.layer.endswith(ending)), key=lambda job: _mpix(job.canvas))


def _mpix(canvas: Canvas) -> float:
    return canvas.shape[0] * canvas.shape[1] / 1e6


def _grow(canvas: Canvas, by: int) -> Canvas:
    """A canvas that holds whole exposures; that of a sky cell ends at the cell's edge."""
    return Canvas(canvas.x_min - by, canvas.x_max + by, canvas.y_min - by, canvas.y_max + by)


def _shrink(canvas: Canvas, to: int) -> Canvas:
    return Canvas(canvas.x_min, canvas.x_min + to, canvas.y_min, canvas.y_min + to)


class _PretendExecutor:
    """Makes empty files for products at once, so that only the coordinator's work remains; sources are not found."""

    def __init__(self) -> None:
        self.started = self.ended = 0.0
        self.patience = IN_THIS_PROCESS.executor.patience

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, expected: int, name: Callable[[Any], str] = str
    ) -> Iterator[Done[Any, Any]]:
        self.started = perf_counter()
        for job in items:
            if not isinstance(job, LayerJob):
                yield Done(job, "there is no file")
                continue
            target = Path(job.target)
            target.parent.mkdir(exist_ok=True)
            target.touch()
            yield Done(job, Outcome(job, _pretended(job), 0.0))
        self.ended = perf_counter()


def _pretended(job: LayerJob) -> ProductRecord:
    members = tuple(
        ProductMember(m.ipppssoo, f"{m.ipppssoo}q", m.pixels, m.pixels, m.wcs_digest, "IDC", m.sky_group, 1.0, 0.0)
        for m in job.members
    )
    skycell = Path(job.target).parent.name
    recipe = job.recipe.to_json()
    return ProductRecord(job.layer, skycell, job.target, 0, 0, "", job.canvas, recipe, job.recipe_digest, members)


def measure_record(address: str, products: Path, exposures: int = 1000) -> float:
    """Seconds of the coordinator's work per layer: its job, its record, its line in the manifest."""
    executor = _PretendExecutor()
    with open_catalog(address, create=True) as engine:
        register_batches(engine, make_batches(exposures))
        with engine.begin() as connection:
            # A layer waits for members without a file; nothing opens these.
            connection.execute(sa.update(t.exposure).values(path="/archive/" + t.exposure.c.filename))
            connection.execute(sa.update(t.layer).values(n_waiting=0))
            policy = replace(read_policy(connection), method="hap")
        report = reconcile(engine, products, policy, Options(), workers=Workers(executor))
    if report.failed or not report.drizzled:
        raise SystemExit(f"found {report.failed} failed and {report.drizzled} recorded layers; expected 0 failed")
    return (executor.ended - executor.started) / report.drizzled

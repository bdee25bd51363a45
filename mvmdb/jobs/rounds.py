"""Work on exposures without a catalog: which layers of a sky cell they make, and making layers until none is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mvmdb.errors import MemberUnusableError, MvmdbError
from mvmdb.jobs.carry_out import carry_out
from mvmdb.jobs.report import ReconcileReport
from mvmdb.layers.digests import digest_member
from mvmdb.layers.expected import CellMember, group_members
from mvmdb.layers.recipes import LayerKind
from mvmdb.monitor import LayerOutcome, Monitor
from mvmdb.mosaic.make_once import make_once
from mvmdb.names import CellId
from mvmdb.records import CellExposure, LayerJob, Policy
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL, measure_areas
from mvmdb.sky.membership import match_regions
from mvmdb.workers.executor import Workers


def cell_members(
    cell: CellId, exposures: Sequence[CellExposure], policy: Policy
) -> tuple[dict[LayerKind, list[CellMember]], dict[str, float]]:
    """The members of a cell's layers of each kind, and the area of each exposure's overlap, square arcmin."""
    found = match_regions([exposure.s_region for exposure in exposures], "overlap")
    members, areas = [], {}
    for row in (found.cell_index == cell.index).nonzero()[0].tolist():
        e = exposures[int(found.exposure[row])]
        box = (int(edge[row]) for edge in (found.x_min, found.x_max, found.y_min, found.y_max))
        digest = digest_member(e.ipppssoo, e.kind, e.pixels, e.wcs_digest)
        members.append(CellMember(e.ipppssoo, e.instrument, e.detector, e.filter, e.kind, digest, *box))
        areas[e.ipppssoo] = float(found.area[row]) * ARCMIN2_PER_PIXEL
    return group_members(members, policy), areas


def measure_mean(cell: CellId, regions: Mapping[str, str], areas: Mapping[str, float]) -> float:
    """The mean number of exposures over what a layer's members cover of its cell.

    `regions` holds the `s_region` of each member; `areas` is as `cell_members` gives it.
    """
    n = len(regions)
    union = measure_areas(np.array([cell.index]), np.array([0, n]), np.arange(n), list(regions.values()))
    return sum(areas[name] for name in regions) / float(union[0])


def make_layers(
    todo: Sequence[LayerJob],
    again: Callable[[set[str]], Sequence[LayerJob]],
    workers: Workers,
    report: ReconcileReport,
    monitor: Monitor,
) -> None:
    """Make these layers; where members' pixels prove empty, do what `again` says that is left without them."""
    empty: set[str] = set()
    settled: set[tuple[str, str]] = set()
    while True:
        found = set()
        for outcome in carry_out(todo, make_once, workers, expected=len(todo)):
            if isinstance(outcome.result, MemberUnusableError):
                found.add(outcome.result.ipppssoo)
                report.refused[outcome.result.ipppssoo] = str(outcome.result)
                continue
            job = outcome.job
            settled.add((job.layer, job.recipe_digest))
            error = str(outcome.result) if isinstance(outcome.result, MvmdbError) else ""
            done = LayerOutcome(job.layer, job.action, job.target, round(outcome.seconds, 3), error)
            report.note(done)
            monitor.layer_done(done)
        if not found:
            return
        empty |= found
        todo = [job for job in again(empty) if (job.layer, job.recipe_digest) not in settled]

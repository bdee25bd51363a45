"""Areas and depths of groups of exposures, on the sphere, overlaps counted once; rows and tables are made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvmdb.coverage.lines import Outlines, integrate
from mvmdb.coverage.tiles import Edges, divide
from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges
from mvmdb.sky.sphere import FloatArray

ARCMIN2 = (180 * 60 / math.pi) ** 2
"""Square arcmin of a steradian."""


@dataclass(frozen=True, slots=True)
class Depths:
    """What n groups of exposures cover; all columns (n,), areas in square arcmin.

    `area`: where at least one exposure is. `mean_exposures`, `mean_exptime` (seconds): means over that area.
    `deeper` (limits, n): where the summed exposure time is more than each limit.
    """

    area: FloatArray
    mean_exposures: FloatArray
    mean_exptime: FloatArray
    deeper: FloatArray


@dataclass(frozen=True, slots=True)
class Gains:
    """What some exposures add to others, in n groups; all columns (n,), areas in square arcmin.

    `area`: where one of the exposures is, `new` of it: where no other is. `before`, `after`: mean exposure time in
    seconds over `area`, without and with them. `lifted` (limits, n): where only with them it is more than each limit.
    """

    area: FloatArray
    new: FloatArray
    before: FloatArray
    after: FloatArray
    lifted: FloatArray


def measure_depths(
    footprints: Footprints, exptime: FloatArray, number: IntArray, n: int, limits: Sequence[float] = ()
) -> Depths:
    """The depths of `n` groups; exposure i of the footprints has `exptime[i]` seconds and is in group `number[i]`.

    Exposures of no group have the number -1. Areas are right to 0.02%, and exact where few exposures overlap
    (`lines`). Memory grows with the number of vertices alone.
    """

    def measure(count: IntArray, seconds: FloatArray) -> FloatArray:
        covered = count[0] > 0
        return np.stack([covered, count[0], seconds[0], *(covered & (seconds[0] > limit) for limit in limits)]).astype(
            float
        )

    totals = np.zeros((3 + len(limits), n))
    for edges in divide(footprints):
        outlines, group = _outline(edges, exptime, number)
        totals += _per_group(integrate(outlines, measure, len(totals)), group, n)
    area = totals[0]
    return Depths(area * ARCMIN2, _ratio(totals[1], area), _ratio(totals[2], area), totals[3:] * ARCMIN2)


def measure_together(
    footprints: Footprints, exptime: FloatArray, number: IntArray, n: int, limits: Sequence[float] = ()
) -> FloatArray:
    """(1 + limits,) square arcmin where each of `n` groups has an exposure, and where each exceeds each limit."""
    one = np.where(number < 0, -1, 0)

    def measure(count: IntArray, seconds: FloatArray) -> FloatArray:
        covered = (count > 0).all(axis=0)
        return np.stack([covered, *(covered & (seconds > limit).all(axis=0) for limit in limits)]).astype(float)

    totals = np.zeros(1 + len(limits))
    for edges in divide(footprints):
        outlines, _ = _outline(edges, exptime, one, np.maximum(number, 0))
        totals += integrate(replace(outlines, channels=n), measure, len(totals)).sum(axis=0)
    return totals * ARCMIN2


def measure_gains(
    footprints: Footprints,
    exptime: FloatArray,
    number: IntArray,
    n: int,
    adding: NDArray[np.bool_],
    limits: Sequence[float] = (),
) -> Gains:
    """What the exposures that are `adding` add to the others of their groups; else as `measure_depths`."""

    def measure(count: IntArray, seconds: FloatArray) -> FloatArray:
        own, other = count > 0
        after = seconds[0] + seconds[1]
        lifted = [own & (seconds[1] <= limit) & (after > limit) for limit in limits]
        return np.stack([own, own & ~other, own * seconds[1], own * after, *lifted]).astype(float)

    totals = np.zeros((4 + len(limits), n))
    for edges in divide(footprints):
        outlines, group = _outline(edges, exptime, number, np.where(adding, 0, 1))
        totals += _per_group(integrate(replace(outlines, channels=2), measure, len(totals)), group, n)
    area = totals[0]
    return Gains(
        area * ARCMIN2, totals[1] * ARCMIN2, _ratio(totals[2], area), _ratio(totals[3], area), totals[4:] * ARCMIN2
    )


def _outline(
    edges: Edges, exptime: FloatArray, number: IntArray, channel: IntArray | None = None
) -> tuple[Outlines, IntArray]:
    """The edges as jobs, one for each group and tile, and the group of each job."""
    edges = edges.select(number[edges.exposure] >= 0)
    key = number[edges.exposure] << 20 | edges.tile
    order = np.argsort(key, kind="stable")
    edges = edges.select(order)
    jobs, job = np.unique(key[order], return_inverse=True)
    of = edges.exposure
    channels = np.zeros(len(of), np.int8) if channel is None else channel[of].astype(np.int8)
    micros = np.rint(exptime * 1e6).astype(np.int64)[of]
    return Outlines(edges, job.ravel(), channels, micros, len(jobs)), jobs >> 20


def _per_group(totals: FloatArray, group: IntArray, n: int) -> FloatArray:
    """(quantities, n) sums over the tiles of each group."""
    return np.stack([np.bincount(group, weights=column, minlength=n).astype(float) for column in totals.T])


def _ratio(total: FloatArray, area: FloatArray) -> FloatArray:
    return np.divide(total, area, out=np.zeros_like(total), where=area > 0)


def select_footprints(footprints: Footprints, chosen: IntArray) -> Footprints:
    """The footprints of some exposures, by their places in ascending order."""
    place = np.full(footprints.n, -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    polygons = np.flatnonzero(place[footprints.owner] >= 0)
    sizes = np.diff(footprints.polygon_start)[polygons]
    vertices = expand_ranges(footprints.polygon_start[polygons], sizes)
    start = np.concatenate([[0], np.cumsum(sizes)])
    return Footprints(
        footprints.ra[vertices], footprints.dec[vertices], start, place[footprints.owner[polygons]], len(chosen)
    )

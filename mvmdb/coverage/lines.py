"""Integrates over what overlapping outlines cover, along lines across a gnomonic plane; what is measured others say.

Along a line y = const the depth changes only where an edge crosses it. Between two such places the part of the sky
under the line is known exactly, since the element of solid angle dx dy / (1 + x^2 + y^2)^(3/2) has the antiderivative
x / ((1 + y^2) sqrt(1 + x^2 + y^2)) in x. So areas are those on the sphere, and no area of the plane is ever taken.

Between neighbouring ends and crossings of edges, lengths along lines change linearly, so that one line in the middle of
each such strip gives the whole strip: the sum is exact, but for rounding and the curvature of the sphere in a strip
(1e-6). Crossings grow with the square of the edges, so for more than `EXACT` edges lines lie at equal distances
instead, in a plane turned so that few edges lie along them. The distance is halved until the results agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvmdb.coverage.tiles import Edges
from mvmdb.sky.footprints import IntArray, expand_ranges
from mvmdb.sky.sphere import FloatArray

EXACT = 80
"""Edges that overlap one another up to which every crossing is found; ten exposures of two chips."""
AGREE = 2e-4
"""Results are taken when halving the distance of lines changes none by more than this share of it..."""
AGREE_AREA = 1e-5
"""...or of the whole covered area."""
_LINES = 48
"""Lines across an outline of mean size, to begin with."""
_MOST_HALVINGS = 5
_AT_ONCE = 1 << 20
"""Crossings of edges with lines that are held at once, and pairs of edges: some 100 MB."""
_ANGLES = np.deg2rad(np.arange(3.0, 90.0, 6.0))
_BITS = 42  # of y behind the point: 2e-13 radian; whole numbers sort fast and compare exactly
_OFFSET = 2.0  # radians; makes y positive
_JOB_BITS = _BITS + 2
_JOBS_AT_ONCE = 1 << (62 - _JOB_BITS)

Measure = Callable[[IntArray, FloatArray], FloatArray]
"""What is integrated: from the number of exposures (channels, m) and the seconds (channels, m) of m parts of the sky,
values (quantities, m), the first of which is 1 where the part counts as covered and else 0."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """Edges of jobs that have nothing to do with one another: edge i belongs to `job[i]`, in non-decreasing order.

    `channel`: which sum its exposure's `micros` (microseconds) go to, 0 to `channels` - 1. Sums of whole numbers do not
    depend on their order.
    """

    edges: Edges
    job: IntArray
    channel: NDArray[np.int8]
    micros: IntArray
    n_jobs: int
    channels: int = 1

    def select(self, chosen: IntArray | NDArray[np.bool_]) -> Outlines:
        """Some of the edges; the numbers of jobs stay."""
        return Outlines(
            self.edges.select(chosen), self.job[chosen], self.channel[chosen], self.micros[chosen], self.n_jobs,
            self.channels,
        )  # fmt: skip


def integrate(outlines: Outlines, measure: Measure, quantities: int) -> FloatArray:
    """The integrals (n_jobs, quantities), in steradian, of what `measure` gives, over all that each job's edges enclose.

    Memory beyond input and output is bounded. Right to 0.02%, or to 0.001% of the job's covered area; exact for up to
    80 edges.
    """
    totals = np.zeros((outlines.n_jobs, quantities))
    counts = np.bincount(outlines.job, minlength=outlines.n_jobs)
    start = np.concatenate([[0], np.cumsum(counts)])
    few = np.flatnonzero((counts > 0) & (counts <= EXACT))
    for jobs in _batches(few, counts):
        batch = outlines.select(expand_ranges(start[jobs], counts[jobs]))
        totals[jobs] = _integrate_exactly(batch, np.searchsorted(jobs, batch.job), len(jobs), measure, quantities)
    for job in np.flatnonzero(counts > EXACT).tolist():
        one = outlines.select(np.arange(start[job], start[job + 1]))
        totals[job] = _integrate_until_settled(one, measure, quantities)
    return totals


def _batches(jobs: IntArray, counts: IntArray) -> Iterator[IntArray]:
    """Jobs in groups, of which none has too many crossings."""
    cost = np.cumsum(counts[jobs] ** 3 // 8 + 1)
    number = cost // _AT_ONCE
    ends = np.flatnonzero(np.diff(number)) + 1
    for group in np.split(jobs, ends):
        for first in range(0, len(group), _JOBS_AT_ONCE):
            yield group[first : first + _JOBS_AT_ONCE]


def _integrate_exactly(
    outlines: Outlines, job: IntArray, n_jobs: int, measure: Measure, quantities: int
) -> FloatArray:
    e = outlines.edges
    low, high = (_key(job, y) for y in (e.y0, e.y1))
    bounds = np.unique(np.concatenate([low, high, _key(*_crossings(e, job, n_jobs))]))
    first, last = np.searchsorted(bounds, low), np.searchsorted(bounds, high)
    y0, y1 = (_value(key) for key in (low, high))
    fraction = bounds & ((1 << _JOB_BITS) - 1)
    middle = (fraction[:-1] + fraction[1:]) / 2.0 / (1 << _BITS) - _OFFSET
    height = np.diff(fraction) / (1 << _BITS)
    owner = bounds[:-1] >> _JOB_BITS
    slope = (e.x1 - e.x0) / np.where(y1 > y0, y1 - y0, 1.0)
    edge = np.repeat(np.arange(len(low)), last - first)
    line = expand_ranges(first, last - first)
    x = e.x0[edge] + (middle[line] - y0[edge]) * slope[edge]
    return _sum_lines(outlines, edge, line, x, middle, height, measure, owner, n_jobs, quantities)


def _crossings(e: Edges, job: IntArray, n_jobs: int) -> tuple[IntArray, FloatArray]:
    """The jobs, and y, of all places where two edges of one job cross."""
    end = np.searchsorted(job, np.arange(n_jobs), side="right")[job]
    n = len(job)
    later = end - np.arange(n) - 1
    a = np.repeat(np.arange(n), later)
    b = expand_ranges(np.arange(n) + 1, later)
    left, right = np.minimum(e.x0, e.x1), np.maximum(e.x0, e.x1)
    meet = (e.y0[a] < e.y1[b]) & (e.y0[b] < e.y1[a]) & (left[a] < right[b]) & (left[b] < right[a])
    a, b = a[meet], b[meet]
    slope = (e.x1 - e.x0) / np.where(e.y1 > e.y0, e.y1 - e.y0, 1.0)  # horizontal ones cross nothing here
    apart = e.x0[b] - e.x0[a] + slope[b] * (e.y0[a] - e.y0[b])
    difference = slope[a] - slope[b]
    with np.errstate(divide="ignore", invalid="ignore"):
        y = e.y0[a] + apart / difference
    inside = (y > np.maximum(e.y0[a], e.y0[b])) & (y < np.minimum(e.y1[a], e.y1[b]))
    return job[a[inside]], y[inside]


def _key(job: IntArray, y: FloatArray) -> IntArray:
    """A whole number that sorts by job and then by y."""
    return (job.astype(np.int64) << _JOB_BITS) + np.rint((y + _OFFSET) * (1 << _BITS)).astype(np.int64)


def _value(key: IntArray) -> FloatArray:
    return np.asarray((key & ((1 << _JOB_BITS) - 1)) / (1 << _BITS) - _OFFSET)


def _integrate_until_settled(outlines: Outlines, measure: Measure, quantities: int) -> FloatArray:
    """One job, with lines at equal distances that are halved until the integrals stay as they are."""
    turned = _turn(outlines)
    e = turned.edges
    mean_height = 2.0 * float((e.y1 - e.y0).mean())
    distance = mean_height / _LINES
    before = _integrate_at(turned, distance, measure, quantities)
    for _ in range(_MOST_HALVINGS):
        distance /= 2.0
        now = _integrate_at(turned, distance, measure, quantities)
        change = np.abs(now - before)
        if (change <= np.maximum(AGREE * np.abs(now), AGREE_AREA * abs(now[0]))).all():
            break
        before = now
    return now


def _turn(outlines: Outlines) -> Outlines:
    """The outlines in a plane that is turned about the tangent point so that few edges lie along x."""
    e = outlines.edges
    dx, dy = e.x1 - e.x0, e.y1 - e.y0
    length = np.hypot(dx, dy)
    direction = np.arctan2(dy, dx)
    # The less a line that lies nearly along x is worth, the more its neighbours differ.
    flatness = [float((length / (np.abs(np.sin(direction + angle)) + 0.01)).sum()) for angle in _ANGLES]
    angle = _ANGLES[int(np.argmin(flatness))]
    cos, sin = np.cos(angle), np.sin(angle)
    x0, y0, x1, y1 = (e.x0 * cos - e.y0 * sin, e.x0 * sin + e.y0 * cos, e.x1 * cos - e.y1 * sin, e.x1 * sin + e.y1 * cos)
    up = y1 > y0
    step = np.where(up, e.step, -e.step).astype(np.int8)
    edges = Edges(
        np.where(up, x0, x1), np.minimum(y0, y1), np.where(up, x1, x0), np.maximum(y0, y1), step, e.exposure, e.tile
    )
    return Outlines(edges, outlines.job, outlines.channel, outlines.micros, outlines.n_jobs, outlines.channels)


def _integrate_at(outlines: Outlines, distance: float, measure: Measure, quantities: int) -> FloatArray:
    """The integrals (quantities,) of one job, with lines at this distance; a block of lines at a time."""
    e = outlines.edges
    bottom = float(e.y0.min())
    slope = (e.x1 - e.x0) / np.where(e.y1 > e.y0, e.y1 - e.y0, 1.0)
    first, last = (np.ceil((y - bottom) / distance - 0.5).astype(np.int64) for y in (e.y0, e.y1))
    n_lines = int(last.max(initial=0))
    active = np.cumsum(np.bincount(first, minlength=n_lines + 1) - np.bincount(last, minlength=n_lines + 1))
    block = np.cumsum(active) // _AT_ONCE
    ends = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), n_lines]
    total = np.zeros(quantities)
    for begin, stop in zip(ends[:-1], ends[1:], strict=True):
        low, high = np.clip(first, begin, stop), np.clip(last, begin, stop)
        reached = np.flatnonzero(high > low)
        edge = np.repeat(reached, (high - low)[reached])
        line = expand_ranges(low[reached], (high - low)[reached]) - begin
        middle = bottom + (np.arange(begin, stop) + 0.5) * distance
        x = e.x0[edge] + (middle[line] - e.y0[edge]) * slope[edge]
        height, owner = np.full(stop - begin, distance), np.zeros(stop - begin, np.int64)
        total += _sum_lines(outlines, edge, line, x, middle, height, measure, owner, 1, quantities)[0]
    return total


def _sum_lines(
    outlines: Outlines,
    edge: IntArray,
    line: IntArray,
    x: FloatArray,
    middle: FloatArray,
    height: FloatArray,
    measure: Measure,
    owner: IntArray,
    n_jobs: int,
    quantities: int,
) -> FloatArray:
    """The sums (n_jobs, quantities) over lines, where edges cross lines at `x`; `owner`: the job of each line."""
    order = np.lexsort((x, line))
    edge, line, x = edge[order], line[order], x[order]
    y = middle[line]
    root = np.sqrt(1.0 + x * x + y * y)
    under = x / ((1.0 + y * y) * root)
    area = np.zeros(len(x))
    same = line[1:] == line[:-1]
    area[:-1][same] = (np.diff(under) * height[line[:-1]])[same]
    step = outlines.edges.step[edge].astype(np.int64)
    gain = step * outlines.micros[edge]
    of = outlines.channel[edge]
    n = np.empty((outlines.channels, len(x)), np.int64)
    seconds = np.empty((outlines.channels, len(x)))
    for channel in range(outlines.channels):
        own = of == channel
        n[channel] = np.cumsum(np.where(own, step, 0))
        seconds[channel] = np.cumsum(np.where(own, gain, 0)) / 1e6
    values = measure(n, seconds) * area
    job = owner[line]
    return np.stack([np.bincount(job, weights=values[q], minlength=n_jobs) for q in range(quantities)], axis=1)

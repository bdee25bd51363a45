"""Estimates what the mosaics of a rectangle cost in bytes, memory and time, without reading pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvmdb.errors import UsageError
from mvmdb.instruments import find_detector
from mvmdb.names import parse_layer_name
from mvmdb.records import CellExposure, LayerJob
from mvmdb.sky.area import measure_area

LARGE = 2_000_000_000
"""Mosaics of more bytes than this are made only after confirmation; a whole fine sky cell has 3.9 GB."""
_BYTES_PER_PIXEL, _BYTES_WITH_ERRORS = 8, 12  # SCI, WHT and ERR are float32
_SECONDS_PER_CANVAS_MPIX, _SECONDS_PER_INPUT_MPIX, _SECONDS_PER_EXPOSURE = 0.036, 0.4, 0.05
"""Seconds of one processor, measured with `bench/scaling.py` (see docs/scaling.md)."""
_MEMORY_PER_LAYER = 300_000_000  # bytes for a chip with its masks and libraries


def require_memory(jobs: Sequence[LayerJob], available: int | None, memory_mb: int | None) -> None:
    """Raise UsageError where the largest of these jobs does not fit into so many bytes of memory (None: not known).

    With `memory_mb` a job is drizzled in bands, and fits.
    """
    if not jobs or available is None or memory_mb is not None:
        return
    largest = max(jobs, key=_bytes_of)
    needed = _bytes_of(largest) + _MEMORY_PER_LAYER
    if needed <= available:
        return
    rows, columns = _shape_of(largest)
    raise UsageError(
        f"{largest.layer} has {columns} x {rows} pixels and needs {_size(needed)} of memory; expected at most "
        f"{_size(available)}, what a process may have here; nothing was made: choose a smaller rectangle, or drizzle "
        "it in bands with --memory MB"
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of some layers: `bytes` of all on disk, bytes of `memory` for the largest, seconds of one processor."""

    layers: int
    bytes: int
    memory: int
    seconds: float

    def __str__(self) -> str:
        count = f"{self.layers} mosaic{'s' if self.layers > 1 else ''}"
        return (
            f"{count}: {_size(self.bytes)} on disk, {_size(self.memory)} of memory for the largest, "
            f"about {max(self.seconds, 1):.0f} s of one processor"
        )


def require_small(estimate: Estimate) -> None:
    """Raise UsageError where mosaics would have more bytes than are made without confirmation."""
    if estimate.bytes > LARGE:
        raise UsageError(
            f"the mosaics would take {estimate.bytes / 1e9:.2g} GB; expected at most {LARGE / 1e9:g} GB without --yes; "
            "choose a smaller --size or another --scale, or repeat with --yes"
        )


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{max(number / 1e6, 0.1):.1f} MB"


def _shape_of(job: LayerJob) -> tuple[int, int]:
    """Rows and columns of a job's mosaic, about."""
    rows, columns = job.canvas.shape
    return (-(-rows // 3), -(-columns // 3)) if parse_layer_name(job.layer).scale == "coarse" else (rows, columns)


def _bytes_of(job: LayerJob) -> int:
    """The bytes of a job's arrays, in memory as in the file."""
    rows, columns = _shape_of(job)
    return rows * columns * (_BYTES_WITH_ERRORS if job.recipe.errors else _BYTES_PER_PIXEL)


def estimate_cost(jobs: Sequence[LayerJob], exposures: Sequence[CellExposure]) -> Estimate:
    """The estimated cost of these jobs; `exposures` must contain all their members."""
    regions = {exposure.ipppssoo: exposure.s_region for exposure in exposures}
    sizes, seconds = [], 0.0
    for job in jobs:
        layer = parse_layer_name(job.layer)
        rows, columns = _shape_of(job)
        pixels = rows * columns
        sizes.append(_bytes_of(job))
        side = find_detector(layer.instrument, layer.detector).pixels[0]
        area = sum(measure_area(regions[member.ipppssoo]) for member in job.members)
        seconds += pixels / 1e6 * _SECONDS_PER_CANVAS_MPIX + len(job.members) * _SECONDS_PER_EXPOSURE
        seconds += area * 3600 / side**2 / 1e6 * _SECONDS_PER_INPUT_MPIX
    return Estimate(len(jobs), sum(sizes), max(sizes, default=0) + _MEMORY_PER_LAYER, seconds)

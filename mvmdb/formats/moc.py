"""Maps of coverage (MOC 2.0, an IVOA standard): which cells of HEALPix, and which times, exposures cover.

A map holds every cell that a footprint overlaps: it is never smaller than the coverage, and at most a cell larger all
along the border. The library mocpy decides which cells these are; no other room imports it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mvmdb.coverage.values import CoveringExposures
from mvmdb.errors import UsageError
from mvmdb.formats.shapes import AT_ONCE, chips_of, in_batches
from mvmdb.formats.values import Dimensions
from mvmdb.names import CellId
from mvmdb.sky.footprints import Footprints, join_footprints
from mvmdb.sky.merging import merge_polygons
from mvmdb.sky.tessellation import cell_corners

DEFAULT_ORDER, DEEPEST_ORDER = 16, 20
"""Order of HEALPix: cells of 3.2 arcsec; at the deepest, of 0.2 arcsec."""
DEFAULT_TIME_ORDER, DEEPEST_TIME_ORDER = 35, 61
"""Order of time: steps of 2^(61 - order) microseconds, so 67 s; at the deepest, 1 microsecond."""
ENDINGS = {".fits": "fits", ".json": "json", ".txt": "ascii"}
"""The serialisation of a map by the ending of its file."""
_AT_ONCE = 2000
_SKY_ARCMIN2 = 4 * np.pi * (180 * 60 / np.pi) ** 2


def require_moc() -> Any:
    """The library that makes maps of coverage. Raises UsageError, with the remedy, where it is not installed."""
    try:
        import mocpy
    except ImportError as error:
        raise UsageError("maps of coverage need mocpy, which is not installed; run: pip install 'mvmdb[vo]'") from error
    return mocpy


def serialisation_of(name: str) -> str:
    """`fits`, `json` or `ascii`, by the ending of a file's name. Raises UsageError for another ending."""
    for ending, form in ENDINGS.items():
        if name.lower().endswith(ending):
            return form
    raise UsageError(
        f"found the file {name!r} for a map of coverage; expected a name that ends in {', '.join(ENDINGS)}"
    )


def make_moc(
    exposures: CoveringExposures,
    dimensions: Dimensions,
    order: int,
    time_order: int,
    within: CellId | None = None,
) -> tuple[Any, int]:
    """The map of these exposures, and how many are left out because they have no dates.

    `order`: of HEALPix, 0 to 20. `time_order`: 0 to 61. `within`: only what lies in this sky cell. Times
    are those from `expstart` to `expend`, UTC in the catalog
    and TCB in the map, as the standard wants.
    """
    mocpy = require_moc()
    if dimensions == "space":
        return _space(mocpy, exposures, order, within), 0
    dated = np.isfinite(exposures.expstart) & np.isfinite(exposures.expend) & (exposures.expend >= exposures.expstart)
    chosen = exposures.select(dated)
    left_out = int(len(exposures) - dated.sum())
    if dimensions == "time":
        if not len(chosen):
            return mocpy.TimeMOC.new_empty(time_order), left_out
        return mocpy.TimeMOC.from_time_ranges(*_times(chosen), order=time_order), left_out
    return _space_time(mocpy, chosen, (order, time_order), within), left_out


def area_of(moc: Any) -> float | None:
    """The area of a map of space, in square arcmin; None for maps with time."""
    fraction = getattr(moc, "sky_fraction", None)
    return None if fraction is None else float(fraction) * _SKY_ARCMIN2


def write_moc(moc: Any, form: str, file: BinaryIO) -> None:
    """Write a map in the FITS, JSON or ASCII serialisation of MOC 2.0."""
    if form == "fits":
        moc.serialize("fits").writeto(file)
    elif form == "json":
        file.write(json.dumps(moc.serialize("json")).encode("ascii") + b"\n")
    else:
        file.write(moc.to_string("ascii").encode("ascii") + b"\n")


def _space(mocpy: Any, exposures: CoveringExposures, order: int, within: CellId | None) -> Any:
    """The cells that chips overlap, found from the unions of chips: deep fields have many chips and short borders."""
    whole = mocpy.MOC.new_empty(order)
    regions = exposures.s_region.tolist()
    parts = [Footprints.from_regions(regions[first : first + AT_ONCE]) for first in range(0, len(regions), AT_ONCE)]
    for polygons in in_batches(merge_polygons(join_footprints(parts)), _AT_ONCE):
        whole = whole.union(*_maps_of(mocpy, polygons, order))
    return whole if within is None else whole.intersection(_cell(mocpy, within, order))


def _maps_of(mocpy: Any, polygons: Sequence[NDArray[np.float64]], order: int) -> list[Any]:
    """The map of each polygon (n, 2); mocpy takes those with as many vertices together."""
    maps: list[Any] = [None] * len(polygons)
    sizes = np.array([len(polygon) for polygon in polygons])
    for size in np.unique(sizes).tolist():
        alike = np.flatnonzero(sizes == size).tolist()
        columns = np.ascontiguousarray(np.concatenate([polygons[n].T for n in alike]))
        for n, found in zip(alike, mocpy.MOC.from_polygons(columns, max_depth=order), strict=True):
            maps[n] = found
    return maps


def _space_time(mocpy: Any, exposures: CoveringExposures, orders: tuple[int, int], within: CellId | None) -> Any:
    order, time_order = orders
    whole = mocpy.STMOC.new_empty(time_order, order)
    if not len(exposures):
        return whole
    start, end = _times(exposures)
    cell = None if within is None else _cell(mocpy, within, order)
    for polygons, owner in _batches(exposures):
        maps = _maps_of(mocpy, polygons, order)
        if cell is not None:
            maps = [part.intersection(cell) for part in maps]
        kept = np.flatnonzero([not part.empty() for part in maps])
        if len(kept):
            chosen, of = [maps[n] for n in kept], owner[kept]
            part = mocpy.STMOC.from_spatial_coverages(start[of], end[of], chosen, time_depth=time_order)
            whole = whole.union(part)
    return whole


def _cell(mocpy: Any, cell: CellId, order: int) -> Any:
    (outline,) = mocpy.MOC.from_polygons(list(np.ascontiguousarray(cell_corners(cell).T)), max_depth=order)
    return outline


def _times(exposures: CoveringExposures) -> tuple[Any, Any]:
    from astropy.time import Time

    return tuple(Time(column, format="mjd", scale="utc") for column in (exposures.expstart, exposures.expend))


def _batches(exposures: CoveringExposures) -> Iterator[tuple[list[NDArray[np.float64]], NDArray[np.int64]]]:
    """The chips of all exposures, some at a time, and the exposure of each."""
    chips = ((n, chip) for n, own in enumerate(chips_of(exposures.s_region.tolist())) for chip in own)
    for batch in in_batches(chips, _AT_ONCE):
        yield [chip for _, chip in batch], np.array([n for n, _ in batch])

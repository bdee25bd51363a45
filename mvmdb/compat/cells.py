"""`SkyCell` and `ProjectionCell` with drizzlepac's arguments and attributes; sky/tessellation.py holds the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from spherical_geometry.polygon import SphericalPolygon

from mvmdb.errors import UsageError
from mvmdb.names import CELLS_PER_SIDE, CellId, format_cell_name, parse_cell_name
from mvmdb.recipe import PIXEL_SCALE
from mvmdb.sky.tessellation import (
    CELL_SIZE,
    OVERLAP,
    PROJECTION_SIZE,
    cell_wcs,
    load_rings,
    projection_cell_wcs,
    ring_of,
)

FINE = PIXEL_SCALE["fine"]


class _Outlined:
    """What both kinds of cell have: `wcs`, `corners`, and a mask and a polygon that are built on request.

    `corners`: (5, 2) ra and dec in degrees of the centres of the corner pixels, closed, as drizzlepac has them: from
    the lowest x and y to the highest y, then to the highest x.
    """

    def __init__(self, wcs: WCS) -> None:
        self.wcs = wcs
        footprint = wcs.calc_footprint()
        self.corners: NDArray[np.float64] = np.vstack([footprint, footprint[:1]])
        self.mask: NDArray[np.uint8] | None = None
        self.polygon: SphericalPolygon | None = None

    def build_mask(self) -> None:
        """Set `mask` to an array of the cell's shape, all 1. A fine sky cell takes 480 MB, a projection cell 203 GB."""
        columns, rows = self.wcs.pixel_shape
        self.mask = np.ones((rows, columns), dtype=np.uint8)

    def build_polygon(self) -> None:
        """Set `polygon` to the spherical polygon of `corners`."""
        inside = self.wcs.pixel_to_world_values(2, 2)
        self.polygon = SphericalPolygon.from_radec(self.corners[:, 0], self.corners[:, 1], inside)


class ProjectionCell(_Outlined):
    """A projection cell of the tessellation.

    `index`: its number, 0 to 2643; with `band`, a mapping like the attribute of that name, its number in that ring.
    `scale` (arcsec per pixel), `nxy` (sky cells along a side) and `overlap` (pixels) can only be those of the
    tessellation, 0.04, 21 and 256. Attributes besides those of its outline: `cell_id`, `band`, `band_index`, `scale`,
    `sc_nxy`, `sc_overlap`, `footprint` (`corners`, open) and `diagnostic_mode`.

    Raises UsageError for a cell that does not exist, and for another tessellation.
    """

    def __init__(
        self,
        index: int | None = None,
        band: Mapping[str, Any] | None = None,
        scale: float | None = None,
        nxy: int | None = None,
        overlap: int | None = None,
    ) -> None:
        if index is None:
            raise UsageError("index is missing; expected the number of a projection cell, 0 to 2643")
        refuse_other_grid(scale=scale, nxy=nxy, overlap=overlap)
        self.cell_id = int(index) if band is None else int(band["PROJCELL"]) + int(index)
        self.band = _ring_band(self.cell_id)
        self.band_index = self.cell_id - self.band["PROJCELL"]
        self.scale = FINE
        self.sc_nxy, self.sc_overlap = CELLS_PER_SIDE, OVERLAP
        self.diagnostic_mode = False
        wcs = projection_cell_wcs(self.cell_id)
        wcs.pscale, wcs.orientat = FINE, 0.0
        super().__init__(wcs)
        self.footprint = self.corners[:-1]

    def __repr__(self) -> str:
        return f"ProjectionCell object: {self.cell_id}"


class SkyCell(_Outlined):
    """A sky cell: column `x` and row `y`, 1 to 21, of a projection cell.

    `scale`: `fine` (0.04 arcsec per pixel), `coarse` (0.12) or arcsec per pixel. Attributes besides those of its
    outline: `sky_cell_id` (its name), `projection_cell`, `x_index`, `y_index`, `scale`, `overlap`, `nxy`, and
    `members`, the list of the exposures that overlap it, which `get_sky_cells` fills. `wcs` has drizzlepac's
    attributes `pscale`, `orientat`, `ltv1` and `ltv2` too.

    Raises UsageError for a cell or a scale that does not exist.
    """

    def __init__(
        self,
        projection_cell: ProjectionCell | None = None,
        x: int | None = None,
        y: int | None = None,
        scale: str | float = "fine",
    ) -> None:
        if projection_cell is None or x is None or y is None:
            raise UsageError("projection_cell, x or y is missing; expected all three; or use SkyCell.from_name(name)")
        cell = CellId(projection_cell.cell_id, int(x), int(y))
        self.scale = _read_scale(scale)
        self.x_index, self.y_index = cell.x, cell.y
        self.projection_cell = projection_cell
        self.overlap, self.nxy = projection_cell.sc_overlap, projection_cell.sc_nxy
        self.members: list[str] = []
        super().__init__(_scaled_wcs(cell, projection_cell.wcs, self.scale))
        self.sky_cell_id = format_cell_name(cell)

    @classmethod
    def from_name(cls, name: str, scale: str | float = "fine") -> SkyCell:
        """The sky cell of this name, like `skycell-p0197x18y16`. Raises NameFormatError for another text."""
        cell = parse_cell_name(name)
        return cls(ProjectionCell(cell.projection_cell), cell.x, cell.y, scale)

    def rescale(self, scale: float) -> None:
        """Does nothing, as in drizzlepac; give `scale` to `SkyCell` or `SkyCell.from_name`."""

    def __repr__(self) -> str:
        return f"SkyCell object: {self.sky_cell_id}"


def refuse_other_grid(
    *, scale: float | None = None, nxy: int | None = None, overlap: int | None = None, cell_size: float | None = None
) -> None:
    """Raise UsageError for numbers that are not those of the tessellation; None and 0 stand for those."""
    rules = (("scale", scale, FINE, "arcsec per pixel"), ("nxy", nxy, CELLS_PER_SIDE, "sky cells along a side"),
             ("overlap", overlap, OVERLAP, "pixels"), ("cell_size", cell_size, CELL_DEGREES, "degrees"))  # fmt: skip
    for name, given, expected, unit in rules:
        if given and given != expected:
            raise UsageError(
                f"{name} is {given}; expected {expected} {unit}, as in the archive's tessellation: "
                "cells of another grid would have the names of its cells; "
                "for the WCS of a cell at another pixel size use SkyCell.from_name(name, scale=...)"
            )


CELL_DEGREES = 4.2
"""PC_SIZE of drizzlepac's grid definition: the nominal size of a projection cell."""


def _read_scale(scale: str | float) -> float:
    number = PIXEL_SCALE.get(scale) if isinstance(scale, str) else float(scale)
    if number is None or not (math.isfinite(number) and number > 0):
        raise UsageError(f"scale is {scale!r}; expected fine, coarse, or arcsec per pixel")
    return number


def _scaled_wcs(cell: CellId, whole: WCS, scale: float) -> WCS:
    """The sky cell's WCS at any pixel size, rounded as `SkyCell._build_wcs` of drizzlepac does.

    `whole` is the WCS of the projection cell.
    """
    wcs, ratio = cell_wcs(cell), FINE / scale
    crpix = wcs.wcs.crpix * ratio
    wcs.wcs.crpix = crpix
    wcs.wcs.cd = wcs.wcs.cd / ratio
    side = int(CELL_SIZE * ratio)
    wcs.pixel_shape = (side, side)
    wcs.wcs.set()
    wcs.pscale, wcs.orientat = FINE / ratio, 0.0
    wcs.ltv1, wcs.ltv2 = (float(number) for number in whole.wcs.crpix * ratio - crpix)
    return wcs


def _ring_band(cell_id: int) -> dict[str, Any]:
    """The ring that holds a projection cell, with drizzlepac's names of columns."""
    rings, ring = load_rings(), int(ring_of(cell_id))
    return {
        "PROJCELL": int(rings.projcell[ring]),
        "NBAND": int(rings.nband[ring]),
        "DEC": float(rings.dec[ring]),
        "DEC_MIN": float(rings.dec_min[ring]),
        "DEC_MAX": float(rings.dec_max[ring]),
        "XCELL": PROJECTION_SIZE,
        "YCELL": PROJECTION_SIZE,
    }

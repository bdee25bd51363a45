"""Where a layer's pixels lie on the sky: canvas pixels to and from positions. drizzle/ fills the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.names import CellId, LayerName, Scale, format_cell_name, reference_cell
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import CELL_SIZE, STEP, cell_wcs, plane_to_sky, sky_to_plane

FINE_PER_PIXEL = {"fine": 1, "coarse": 3}
"""Fine pixels along the side of one pixel of a scale: a coarse pixel covers 3 x 3 fine ones."""

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LayerGrid:
    """The output array of one layer: `canvas` is in fine pixels of the sky cell, 1-based and inclusive.

    `in_cell` is False where the canvas is a rectangle of the projection cell; `cell` is then its first sky cell.
    """

    cell: CellId
    scale: Scale
    canvas: Canvas
    in_cell: bool = True

    @classmethod
    def of_layer(cls, name: LayerName, canvas: Canvas) -> LayerGrid:
        """The output array of a layer by its name."""
        cell = reference_cell(name.skycell)
        return cls(cell, name.scale, canvas, in_cell=name.skycell == format_cell_name(cell))

    @property
    def pixels(self) -> Canvas:
        """The canvas in pixels of this scale."""
        return self.canvas.at_scale(self.scale)

    @property
    def at_fine_scale(self) -> LayerGrid:
        """The same rectangle in fine pixels, in which skies are measured, so that they are the same at both scales."""
        return replace(self, scale="fine")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the output array."""
        return self.pixels.shape

    @property
    def pixels_in_cell(self) -> int:
        """How many pixels of this scale the whole sky cell has; in a rectangle's grid, the rectangle."""
        if not self.in_cell:
            return self.shape[0] * self.shape[1]
        side: int = CELL_SIZE // FINE_PER_PIXEL[self.scale]
        return side * side

    def wcs(self) -> WCS:
        """The output array's WCS, RA---TAN and DEC--TAN."""
        return cell_wcs(self.cell, self.scale, self.canvas)

    def wcs_cards(self) -> dict[str, float | int | str]:
        """The WCS as header keywords, with a CD matrix as in the pipeline's products."""
        plane = self.wcs().wcs
        cards: dict[str, float | int | str] = {"WCSAXES": 2, "RADESYS": "ICRS", "ORIENTAT": 0.0}
        for axis in (1, 2):
            cards[f"CTYPE{axis}"] = ("RA---TAN", "DEC--TAN")[axis - 1]
            cards[f"CUNIT{axis}"] = "deg"
            cards[f"CRPIX{axis}"] = float(plane.crpix[axis - 1])
            cards[f"CRVAL{axis}"] = float(plane.crval[axis - 1])
            for pixel_axis in (1, 2):
                cards[f"CD{axis}_{pixel_axis}"] = float(plane.cd[axis - 1][pixel_axis - 1])
        return cards

    def sky_to_pixel(self, ra: Float, dec: Float) -> tuple[Float, Float]:
        """0-based pixel coordinates in the output array of positions in degrees; NaN on the far hemisphere."""
        x, y = self.sky_to_frame(ra, dec)
        left, bottom = self.offset
        return x - left, y - bottom

    def sky_to_frame(self, ra: Float, dec: Float) -> tuple[Float, Float]:
        """Pixel coordinates of positions in degrees that do not depend on the canvas.

        They are larger by `offset` than in the output array. Fine ones are those of the projection cell, the same in
        all its sky cells; coarse ones are those of the sky cell, since each has a coarse grid of its own.
        """
        x, y = sky_to_plane(self.cell.projection_cell, ra, dec)
        if self.scale == "fine":
            return x, y
        origin_x, origin_y = self._origin()
        factor = FINE_PER_PIXEL[self.scale]
        return (x - origin_x) / factor, (y - origin_y) / factor

    @property
    def offset(self) -> tuple[int, int]:
        """x and y of the output array's first pixel in the frame of `sky_to_frame`."""
        left, bottom = self._origin() if self.scale == "fine" else (0, 0)
        return left + self.pixels.x_min, bottom + self.pixels.y_min

    def pixel_to_sky(self, x: Float, y: Float) -> tuple[Float, Float]:
        """Positions in degrees of 0-based pixel coordinates in the output array: the inverse of `sky_to_pixel`."""
        origin_x, origin_y = self._origin()
        factor = FINE_PER_PIXEL[self.scale]
        ra, dec = plane_to_sky(
            self.cell.projection_cell,
            (np.asarray(x) + self.pixels.x_min) * factor + origin_x,
            (np.asarray(y) + self.pixels.y_min) * factor + origin_y,
        )
        return ra, dec

    def holds(self, inner: LayerGrid) -> bool:
        """Whether this canvas contains every pixel of `inner`, a canvas of the same cell and scale."""
        ours, theirs = self.pixels, inner.pixels
        inside = ours.x_min <= theirs.x_min and theirs.x_max <= ours.x_max
        return inside and ours.y_min <= theirs.y_min and theirs.y_max <= ours.y_max

    def outlines_on_canvas(self, outlines: Sequence[Float]) -> list[shapely.Geometry]:
        """Sky polygons, each (n, 2) in degrees, as valid polygons in 0-based pixel coordinates."""
        if not outlines:
            return []
        vertices = np.concatenate(outlines)
        x, y = self.sky_to_pixel(vertices[:, 0], vertices[:, 1])
        number = np.repeat(np.arange(len(outlines)), [len(outline) for outline in outlines])
        rings = shapely.linearrings(np.column_stack([x, y]), indices=number)
        valid: list[shapely.Geometry] = shapely.make_valid(shapely.polygons(rings)).tolist()
        return valid

    def _origin(self) -> tuple[int, int]:
        return (self.cell.x - 1) * STEP, (self.cell.y - 1) * STEP

"""Rectangles of a projection cell's pixels, which may span sky cells; plan.py decides which mosaics they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.errors import UsageError
from mvmdb.layers.expect import Overlaps
from mvmdb.names import CELLS_PER_SIDE, N_PROJECTION_CELLS, CellId, format_field_name
from mvmdb.recipe import PIXEL_SCALE
from mvmdb.records import Canvas
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL, project_exposures
from mvmdb.sky.region import parse_region
from mvmdb.sky.sphere import FloatArray, sky_to_vector
from mvmdb.sky.tessellation import CELL_SIZE, PROJECTION_SIZE, STEP, nearest_projection_cell, plane_to_sky, sky_to_plane


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle of a projection cell: `canvas` in its fine pixels, 1-based and inclusive.

    If it was trimmed to the data, `asked` is the original rectangle, from which the mosaics get their name. Raises
    UsageError if there is no such projection cell, or if the rectangle is not wholly inside it.
    """

    projection_cell: int
    canvas: Canvas
    asked: Canvas | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.projection_cell < N_PROJECTION_CELLS:
            raise UsageError(f"found projection cell {self.projection_cell}; expected 0 to {N_PROJECTION_CELLS - 1}")
        c = self.canvas
        if not (1 <= c.x_min <= c.x_max <= PROJECTION_SIZE and 1 <= c.y_min <= c.y_max <= PROJECTION_SIZE):
            raise UsageError(
                f"found the rectangle {c} of projection cell {self.projection_cell}; expected X0 X1 Y0 Y1 with "
                f"1 <= X0 <= X1 <= {PROJECTION_SIZE}, and the same for Y0 and Y1; "
                "choose a smaller rectangle, or one further inside"
            )

    @property
    def name(self) -> str:
        """The name that takes the place of the sky cell's name in the names of its mosaics."""
        c = self.asked or self.canvas
        ra, dec = plane_to_sky(
            self.projection_cell, np.array([c.x_min + c.x_max]) / 2, np.array([c.y_min + c.y_max]) / 2
        )
        return format_field_name(self.projection_cell, float(ra[0]), float(dec[0]))

    @property
    def cells(self) -> list[CellId]:
        """The sky cells of the projection cell that the rectangle shares pixels with, sorted."""
        c = self.canvas
        numbers = range(1, CELLS_PER_SIDE + 1)
        columns = [n for n in numbers if (n - 1) * STEP + 1 <= c.x_max and (n - 1) * STEP + CELL_SIZE >= c.x_min]
        rows = [n for n in numbers if (n - 1) * STEP + 1 <= c.y_max and (n - 1) * STEP + CELL_SIZE >= c.y_min]
        return [CellId(self.projection_cell, x, y) for x in columns for y in rows]


def rectangle_at(ra: float, dec: float, size: float) -> Rectangle:
    """The square of `size` arcmin around a position in degrees, in the projection cell with the nearest centre.

    Raises UsageError if the square is not wholly inside the projection cell, or the position or size is impossible.
    """
    if not (np.isfinite(ra) and -90.0 <= dec <= 90.0):
        raise UsageError(f"found the position {ra:g} {dec:g}; expected finite ra, and dec from -90 to 90 degrees")
    if not 0.0 < size < 300.0:
        raise UsageError(
            f"found the size {size:g}; expected more than 0 and less than 300 arcmin, the size of a projection cell"
        )
    p = nearest_projection_cell(sky_to_vector(ra, dec))
    x, y = (float(np.ravel(value)[0]) for value in sky_to_plane(p, np.array([ra]), np.array([dec])))
    n = max(1, round(size * 60 / PIXEL_SCALE["fine"]))
    x_min, y_min = (round(middle - (n - 1) / 2) for middle in (x, y))
    return Rectangle(p, Canvas(x_min, x_min + n - 1, y_min, y_min + n - 1))


def rectangle_around(regions: Sequence[str]) -> Rectangle:
    """The smallest rectangle that covers these footprints (`s_region`), in the projection cell nearest to their middle.

    Raises UsageError if there are none, or if they do not fit into one projection cell.
    """
    if not regions:
        raise UsageError("there is no exposure to fit; expected one or more: change the conditions")
    vertices = np.concatenate([polygon for region in regions for polygon in parse_region(region)])
    p = nearest_projection_cell(sky_to_vector(vertices[:, 0], vertices[:, 1]).mean(axis=1))
    x, y = sky_to_plane(p, vertices[:, 0], vertices[:, 1])
    low = (float(np.floor(np.min(each) + 0.5)) for each in (x, y))
    high = (float(np.ceil(np.max(each) - 0.5)) for each in (x, y))
    (x_min, y_min), (x_max, y_max) = low, high
    if not np.isfinite([x_min, y_min, x_max, y_max]).all():
        raise UsageError(
            f"the {len(regions)} exposures lie all over the sky; expected those of one projection cell (about 5 "
            "degrees): change the conditions"
        )
    return Rectangle(p, Canvas(int(x_min), int(x_max), int(y_min), int(y_max)))


def overlaps_with(rectangle: Rectangle, regions: Sequence[str]) -> Overlaps:
    """The overlaps of footprints (`s_region`) with the rectangle; footprints that do not overlap it are left out.

    Every bounding box is the rectangle's canvas, which does not depend on the members.
    """
    areas: FloatArray = shapely.area(_clip(rectangle, regions)) * ARCMIN2_PER_PIXEL
    inside = np.flatnonzero(areas > 0.0)
    c = rectangle.canvas
    box = np.tile(np.array([c.x_min, c.x_max, c.y_min, c.y_max], dtype=np.int64), (len(inside), 1))
    return Overlaps(inside, box, areas[inside])


def united_area(rectangle: Rectangle, regions: Sequence[str]) -> float:
    """The area of the rectangle in square arcmin that is covered by at least one of the footprints (`s_region`)."""
    return float(shapely.area(shapely.union_all(_clip(rectangle, regions)))) * ARCMIN2_PER_PIXEL


def _covered_boxes(rectangle: Rectangle, regions: Sequence[str]) -> FloatArray:
    """(n, 4) x_min, y_min, x_max, y_max, in fine pixels, of the footprints' parts inside the rectangle."""
    shapes = _clip(rectangle, regions)
    return np.asarray(shapely.bounds(shapes[shapely.area(shapes) > 0.0]), dtype=np.float64).reshape(-1, 4)


def trim_rectangle(rectangle: Rectangle, regions: Sequence[str]) -> Rectangle:
    """The rectangle without the outer rows and columns that no footprint (`s_region`) covers, under the same name.

    A rectangle that no footprint covers is returned as it is.
    """
    boxes = _covered_boxes(rectangle, regions)
    if not len(boxes):
        return rectangle
    c = rectangle.canvas
    low, high = np.floor(boxes[:, :2].min(axis=0) + 0.5), np.ceil(boxes[:, 2:].max(axis=0) - 0.5)
    canvas = replace(
        c,
        x_min=max(c.x_min, int(low[0])),
        x_max=min(c.x_max, int(high[0])),
        y_min=max(c.y_min, int(low[1])),
        y_max=min(c.y_max, int(high[1])),
    )
    return Rectangle(rectangle.projection_cell, canvas, asked=c)


def _clip(rectangle: Rectangle, regions: Sequence[str]) -> NDArray[np.object_]:
    """(n,) the part of each footprint inside the rectangle, in fine pixels of its projection cell."""
    c = rectangle.canvas
    box = shapely.box(c.x_min - 0.5, c.y_min - 0.5, c.x_max + 0.5, c.y_max + 0.5)
    shapes = project_exposures(rectangle.projection_cell, Footprints.from_regions(regions))
    return np.asarray(shapely.intersection(shapes, box), dtype=object)

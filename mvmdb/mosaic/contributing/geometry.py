"""Which output pixels a chip's drops fall on: those that have an area in common with its outline."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.mosaic.drizzle.raster import Spans, polygon_rings, scan_rings
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.noise.correlation import Matrix
from mvmdb.mosaic.noise.drops import ChipDrop, list_drops
from mvmdb.mosaic.product.read import StoredProduct
from mvmdb.names import parse_layer_name
from mvmdb.recipe import Recipe

Float = NDArray[np.float64]
_CORNERS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def drops_of(stored: StoredProduct) -> list[ChipDrop]:
    """The chips of a mosaic and their drops, in the order of HDRTAB."""
    record = stored.record
    return list_drops(parse_layer_name(record.layer), stored.grid, Recipe.from_json(record.recipe), stored.rows)


def shape_of(drop: ChipDrop, recipe: Recipe) -> shapely.Geometry:
    """Where a chip's drops fall, in 0-based canvas pixels: its outline, and less where drops are smaller than pixels.

    Drops of the outermost pixels end before the outline by half of what pixfrac takes from a pixel. Between smaller
    drops there may be gaps, which are not left out.
    """
    outline = drop.shape
    if recipe.kernel == "point" or recipe.pixfrac == 1.0:
        return outline
    inset = (1.0 / recipe.pixfrac - 1.0) * _side(drop.drop) / 2.0
    return shapely.buffer(outline, -inset, join_style="mitre")


def touched_pixels(shape: shapely.Geometry, grid: LayerGrid) -> Spans:
    """The pixels of a canvas that have an area in common with a shape, in 0-based canvas pixels.

    They are those whose centre lies in the shape grown by half a pixel to each side (its Minkowski sum with a pixel).
    """
    parts = [shape]
    for ring in polygon_rings(shape):
        edges = np.stack([ring[:-1], ring[1:]], axis=1)
        corners = (edges[:, :, None, :] + _CORNERS).reshape(len(edges), -1, 2)
        parts += shapely.convex_hull(shapely.multipoints(corners)).tolist()
    return scan_rings(polygon_rings(shapely.union_all(parts)), grid.shape)


def _side(drop: Matrix) -> float:
    (x1, x2), (y1, y2) = drop
    return float(np.sqrt(abs(x1 * y2 - x2 * y1)))

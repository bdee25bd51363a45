"""Odd polygons on small arrays, and which pixels they hold according to GEOS."""

from __future__ import annotations

import numpy as np
import shapely


def covered(shape: shapely.Geometry, size: tuple[int, int]) -> np.ndarray:
    """The pixels of an array of this size (rows, columns) whose centres lie inside."""
    y, x = np.mgrid[: size[0], : size[1]]
    return shapely.contains_xy(shape, x.ravel(), y.ravel()).reshape(size)


def star(seed: int, holes: bool) -> shapely.Geometry:
    """A star-shaped polygon of irrational vertices, partly off the array, which may have a hole or be in parts."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 12))
    radius = rng.uniform(5, 25, 12)
    x, y = rng.uniform(0, 35, 2)
    polygon = shapely.Polygon(np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)]))
    return shapely.difference(shapely.make_valid(polygon), shapely.Point(x, y).buffer(3.0137 * holes))

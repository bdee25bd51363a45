"""Polygons on the sky whose outline crosses or touches itself, and their hulls; texts of regions play no part here.

The corners of such a polygon are right more often than their order: two that were swapped make a bow tie, of which no
rule for the inside keeps more than half. Its hull is what its corners hold between them, and misses nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.sky.sphere import FloatArray, project, sky_to_vector, tangent_frame, vector_to_sky


def cross_themselves(vertices: FloatArray) -> NDArray[np.bool_]:
    """Which of m polygons, (m, k, 2) in degrees, cross or touch themselves: as great circles, which a plane keeps.

    Each must lie within a few tens of degrees. A polygon without area does so too.
    """
    import shapely  # not for workers that read headers

    plane = _to_plane(vertices)
    return np.asarray(~shapely.is_simple(shapely.linearrings(plane)))


def find_hull(polygon: FloatArray) -> FloatArray:
    """The vertices, in order, of the convex hull of a polygon (n, 2) in degrees; fewer than 3 where it has no area."""
    import shapely

    (plane,) = _to_plane(polygon[None])
    hull = shapely.convex_hull(shapely.MultiPoint(plane))
    if shapely.get_dimensions(hull) < 2:
        return polygon[:0]
    place = {(x, y): number for number, (x, y) in enumerate(plane.tolist())}
    corners = shapely.get_coordinates(hull)[:-1].tolist()
    return polygon[[place[x, y] for x, y in corners]]


def _to_plane(vertices: FloatArray) -> FloatArray:
    """(m, k, 2): each polygon in the plane that touches the sky at the mean of its vertices."""
    vector = sky_to_vector(vertices[..., 0], vertices[..., 1])
    frame = tangent_frame(*vector_to_sky(vector.sum(axis=2)))
    axes = type(frame)(*(axis[:, :, None] for axis in frame))
    return np.stack(project(axes, vector), axis=-1)

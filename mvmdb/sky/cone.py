"""Which footprints a circle on the sky touches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.sky.region import parse_region
from mvmdb.sky.sphere import project, sky_to_vector, tangent_frame

_FARTHEST = np.cos(np.deg2rad(80.0))  # of a vertex: nearer to 90 degrees the plane has no room


def touch_cone(regions: Sequence[str], ra: float, dec: float, radius: float) -> NDArray[np.bool_]:
    """Which of these footprints (`s_region`) come within `radius` degrees (0 to 30) of a position in degrees.

    In the gnomonic projection about the position, edges are straight and the circle is one of radius tan(radius), so
    the answer is exact; a position on an edge counts. Footprints are less than 50 degrees wide.
    """
    polygons, owners = [], []
    frame = tangent_frame(ra, dec)
    for number, region in enumerate(regions):
        for polygon in parse_region(region):
            vector = sky_to_vector(polygon[:, 0], polygon[:, 1])
            if (frame.centre @ vector).min() < _FARTHEST:
                continue
            polygons.append(np.column_stack(project(frame, vector)))
            owners.append(number)
    touched = np.zeros(len(regions), bool)
    if polygons:
        shapes = shapely.polygons([shapely.linearrings(polygon) for polygon in polygons])
        distances = shapely.distance(shapes, shapely.points(0.0, 0.0))
        near = distances <= np.tan(np.deg2rad(radius)) + 1e-12
        touched[np.array(owners)[near]] = True
    return touched

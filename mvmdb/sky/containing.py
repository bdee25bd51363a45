"""Which footprints contain a point of the sky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.sky.footprints import Footprints
from mvmdb.sky.sphere import project, sky_to_vector, tangent_frame


def contain_point(footprints: Footprints, ra: float, dec: float) -> NDArray[np.bool_]:
    """Which exposures (n,) have a polygon that contains a position in degrees, its border included.

    In the gnomonic plane about the position edges are straight, and the position is the origin: it is inside where a
    ray from it crosses the polygon an odd number of times (even-odd rule), and on the border where an edge goes through
    it. All polygons are asked at once: this takes a tenth of the time of making geometries. Footprints reach less than
    90 degrees from the position.
    """
    contain = np.zeros(footprints.n, bool)
    if not len(footprints.owner):
        return contain
    x, y = project(tangent_frame(ra, dec), sky_to_vector(footprints.ra, footprints.dec))
    starts = footprints.polygon_start[:-1]
    following = np.arange(1, len(x) + 1)
    following[footprints.polygon_start[1:] - 1] = starts
    x_next, y_next = x[following], y[following]
    turn = x * y_next - x_next * y  # positive where the origin is on the left of the edge
    upward = (y <= 0) & (y_next > 0)
    crosses = (upward & (turn > 0)) | ((y > 0) & (y_next <= 0) & (turn < 0))
    on_edge = (turn == 0) & (x * x_next + y * y_next <= 0)
    inside = (np.add.reduceat(crosses.astype(np.int64), starts) % 2 == 1) | np.logical_or.reduceat(on_edge, starts)
    contain[footprints.owner[inside]] = True
    return contain

"""The area of a footprint, computed on the sphere by spherical_geometry: no projection, so no distortion."""

from __future__ import annotations

import math

from mvmdb.sky.region import parse_region

_ARCMIN2_PER_STERADIAN = (180 * 60 / math.pi) ** 2


def measure_area(s_region: str) -> float:
    """The sum of the areas of a region's polygons, in square arcmin."""
    from spherical_geometry.polygon import SphericalPolygon  # an import of 0.1 s that only this needs

    steradians = 0.0
    for polygon in parse_region(s_region):
        area = SphericalPolygon.from_radec(polygon[:, 0], polygon[:, 1]).area()
        steradians += min(area, 4 * math.pi - area)  # the winding may mean either side; a footprint is the smaller
    return steradians * _ARCMIN2_PER_STERADIAN

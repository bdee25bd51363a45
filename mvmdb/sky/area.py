"""The area of a footprint on the sphere itself, by spherical_geometry: no plane, so no distortion."""

from __future__ import annotations

import math

from mvmdb.sky.region import parse_region

_ARCMIN2_PER_STERADIAN = (180 * 60 / math.pi) ** 2


def measure_area(s_region: str) -> float:
    """The area of a region's polygons in square arcmin, each counted for itself."""
    from spherical_geometry.polygon import SphericalPolygon  # 0.1 s of import that only this needs

    steradians = 0.0
    for polygon in parse_region(s_region):
        area = SphericalPolygon.from_radec(polygon[:, 0], polygon[:, 1]).area()
        steradians += min(area, 4 * math.pi - area)  # whichever side the winding means, a footprint is the small one
    return steradians * _ARCMIN2_PER_STERADIAN

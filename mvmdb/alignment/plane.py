"""Exposures in a common tangent plane: its point, and their outlines there in arcsec."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from mvmdb.correction import sky_to_tangent
from mvmdb.sky.region import parse_region


def middle_of(regions: Sequence[str]) -> tuple[float, float]:
    """The direction of the mean of all corners of regions (`s_region`), in degrees."""
    corners = np.concatenate([polygon for region in regions for polygon in parse_region(region)])
    a, d = np.radians(corners).T
    x, y, z = np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)
    ra, dec = np.arctan2(y.sum(), x.sum()), np.arctan2(z.sum(), np.hypot(x.sum(), y.sum()))
    return float(np.degrees(ra) % 360), float(np.degrees(dec))


def outline_of(region: str, ra: float, dec: float) -> shapely.Geometry:
    """The outline of an exposure, by its `s_region`, in the plane that touches the sky at `ra`, `dec` (degrees)."""
    polygons = [np.stack(sky_to_tangent(ra, dec, *polygon.T), axis=1) for polygon in parse_region(region)]
    return shapely.union_all([shapely.make_valid(shapely.Polygon(polygon)) for polygon in polygons])

"""A second judge, without any plane: great circle polygons on the sphere by spherical_geometry, for a sample.

It takes a millisecond per pair, so it checks some exposures with their cells and the eight neighbours of each; and it
is accurate to about 1e-10 radian, so pairs within a hundredth of a pixel of touching are left to the plane judge.
"""

from __future__ import annotations

import numpy as np
import shapely
from exactness.planes import SIZE, STEP, plane_to_sky, sky_to_plane
from spherical_geometry.polygon import SphericalPolygon

CLEAR = 0.01
"""Fine pixels: nearer to touching than this, a pair is not judged."""


def judge_on_sphere(field, members, n):
    """(pairs judged, pairs where spherical_geometry and `members` differ) for `n` exposures spread over the field."""
    checked = wrong = 0
    for exposure in np.unique(np.linspace(0, field.n - 1, min(n, field.n)).astype(int)):
        rows = members.exposure == exposure
        cells = set(zip(*(c[rows].tolist() for c in (members.projection_cell, members.x, members.y)), strict=True))
        chips = np.flatnonzero(field.owner == exposure)
        outlines = [_sphere_polygon(field.ra[chip], field.dec[chip]) for chip in chips]
        for cell in _with_neighbours(cells):
            if not _is_clear(field, chips, cell):
                continue
            square = _cell_polygon(cell)
            checked += 1
            wrong += any(bool(square.intersects_poly(outline)) for outline in outlines) != (cell in cells)
    return checked, wrong


def _with_neighbours(cells):
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return {(p, x + i, y + j) for p, x, y in cells for i, j in steps if 1 <= x + i <= 21 and 1 <= y + j <= 21}


def _is_clear(field, chips, cell):
    """Whether each chip's outline overlaps the cell by more than CLEAR, or stays farther away than that."""
    p, x, y = cell
    plane_x, plane_y = sky_to_plane(np.full(len(chips), p), field.ra[chips], field.dec[chips])
    shapes = shapely.polygons(np.stack([plane_x, plane_y], axis=-1))
    left, bottom = (x - 1) * STEP + 0.5, (y - 1) * STEP + 0.5
    larger, smaller = (shapely.box(left - d, bottom - d, left + SIZE + d, bottom + SIZE + d) for d in (CLEAR, -CLEAR))
    return bool((shapely.intersects(shapes, larger) == shapely.intersects(shapes, smaller)).all())


def _cell_polygon(cell):
    p, x, y = cell
    corner_x = (x - 1) * STEP + np.array([0.5, SIZE + 0.5, SIZE + 0.5, 0.5])
    corner_y = (y - 1) * STEP + np.array([0.5, 0.5, SIZE + 0.5, SIZE + 0.5])
    middle = plane_to_sky(p, corner_x.mean(), corner_y.mean())
    return SphericalPolygon.from_radec(*plane_to_sky(p, corner_x, corner_y), center=middle)


def _sphere_polygon(ra, dec):
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    x, y, z = (component.mean() for component in (np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)))
    middle = np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    return SphericalPolygon.from_radec(ra, dec, center=middle)

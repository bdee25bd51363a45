"""Which sky cells contain a position, or come near it; `membership` does the same for footprints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import UsageError
from mvmdb.names import CELLS_PER_PROJECTION_CELL, CELLS_PER_SIDE, N_PROJECTION_CELLS, CellId
from mvmdb.sky.region import MAX_RADIUS
from mvmdb.sky.sphere import FloatArray, sky_to_vector
from mvmdb.sky.tessellation import CELL_HIGH, CELL_LOW, STEP, may_reach, plane_to_sky, sky_to_plane


def find_cells_at(ra: float, dec: float, radius: float = 0.0) -> list[CellId]:
    """The sky cells, sorted, that contain a position in degrees, edges included, or lie within `radius` degrees of it.

    There is always at least one. Raises UsageError for a position that is not on the sky, or a radius that is not 0 to
    30 degrees.
    """
    if not (np.isfinite(ra) and -90.0 <= dec <= 90.0):
        raise UsageError(f"found the position {ra:g} {dec:g}; expected finite ra, and dec from -90 to 90 degrees")
    if not 0.0 <= radius <= MAX_RADIUS:
        raise UsageError(f"found radius {radius:g}; expected 0 to {MAX_RADIUS:g} degrees")
    target = sky_to_vector(ra, dec)
    all_cells = np.arange(N_PROJECTION_CELLS)
    chord = 2.0 * np.sin(np.deg2rad(radius) / 2.0)
    # The margin keeps cells on whose edge the position lies, to rounding.
    p = all_cells[may_reach(all_cells, target[:, None], chord + 1e-12)]
    p, x, y = np.repeat(p, CELLS_PER_PROJECTION_CELL), *_cell_numbers(len(p))
    low_x, low_y = CELL_LOW + (x - 1) * STEP, CELL_LOW + (y - 1) * STEP
    side = CELL_HIGH - CELL_LOW
    plane_x, plane_y = sky_to_plane(p, ra, dec)
    near = (plane_x >= low_x) & (plane_x <= low_x + side) & (plane_y >= low_y) & (plane_y <= low_y + side)
    if radius > 0.0:
        corner_x = low_x + side * np.array([0, 1, 1, 0])[:, None]
        corner_y = low_y + side * np.array([0, 0, 1, 1])[:, None]
        near |= _angle_to_border(target, sky_to_vector(*plane_to_sky(p, corner_x, corner_y))) < np.deg2rad(radius)
    return sorted(CellId(int(a), int(b), int(c)) for a, b, c in zip(p[near], x[near], y[near], strict=True))


def _cell_numbers(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    row, column = np.divmod(np.arange(CELLS_PER_PROJECTION_CELL), CELLS_PER_SIDE)
    return np.tile(column + 1, n), np.tile(row + 1, n)


def _angle_to_border(target: FloatArray, corners: FloatArray) -> FloatArray:
    """Angles in radians from one direction (3,) to the nearest point of the borders of cells with corners (3, 4, n)."""
    start, end = corners, np.roll(corners, -1, axis=1)
    pole = np.cross(start, end, axis=0)
    pole /= np.sqrt((pole**2).sum(axis=0))
    abeam = (np.tensordot(target, np.cross(pole, start, axis=0), 1) >= 0) & (
        np.tensordot(target, np.cross(end, pole, axis=0), 1) >= 0
    )
    to_circle = np.abs(np.arcsin(np.clip(np.tensordot(target, pole, 1), -1.0, 1.0)))
    to_corner = 2.0 * np.arcsin(np.sqrt(((start - target[:, None, None]) ** 2).sum(axis=0)) / 2.0)
    return np.asarray(np.minimum(np.where(abeam, to_circle, np.inf), to_corner).min(axis=0))

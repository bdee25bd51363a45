"""Cells at a position, against brute force over all cells."""

from __future__ import annotations

import numpy as np
import pytest
from sky import judge

from mvmdb.errors import UsageError
from mvmdb.names import CellId
from mvmdb.sky.membership import find_cells_at
from mvmdb.sky.tessellation import cell_centers, cell_corners

POSITIONS = [(0.0, 0.0), (0.0, 90.0), (123.0, -90.0), (359.9999, 0.5), (53.1, -27.8), (180.0, 86.4667), (-0.001, 44.0)]


def brute_cells(ra, dec):
    x, y = judge.project(np.arange(2644), ra, dec)
    cells = []
    for p in np.flatnonzero(np.isfinite(x)):
        for i in range(21):
            for j in range(21):
                if abs(x[p] - i * 21442 - 10977.5) <= 10977 and abs(y[p] - j * 21442 - 10977.5) <= 10977:
                    cells.append(CellId(int(p), i + 1, j + 1))
    return cells


@pytest.mark.parametrize(("ra", "dec"), POSITIONS)
def test_cells_at_a_position_are_those_of_brute_force(ra, dec):
    cells = find_cells_at(ra, dec)
    assert cells == sorted(brute_cells(ra, dec))
    assert cells


def test_center_of_a_cell_is_in_it():
    cells = [CellId(0, 1, 1), CellId(1322, 21, 21), CellId(2643, 11, 11), CellId(1889, 7, 19)]
    for cell, ra, dec in zip(cells, *cell_centers(cells), strict=True):
        assert cell in find_cells_at(ra, dec)


def angle(ra, dec, points):
    a, d = np.deg2rad(points.T)
    a0, d0 = np.deg2rad([ra, dec])
    h = np.sin((d - d0) / 2) ** 2 + np.cos(d) * np.cos(d0) * np.sin((a - a0) / 2) ** 2
    return np.rad2deg(2 * np.arcsin(np.sqrt(h)))


def walk_border(cell, n=400):
    """Points all around a cell on its borders (straight in the plane), interpolated between the corners' vectors."""
    a, d = np.deg2rad(cell_corners(cell).T)
    v = np.column_stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    t = np.linspace(0, 1, n)[:, None, None]
    w = (v * (1 - t) + np.roll(v, -1, axis=0) * t).reshape(-1, 3)
    return np.column_stack(
        [np.rad2deg(np.arctan2(w[:, 1], w[:, 0])), np.rad2deg(np.arctan2(w[:, 2], np.hypot(*w.T[:2])))]
    )


@pytest.mark.parametrize(("ra", "dec"), POSITIONS)
@pytest.mark.parametrize("radius", [0.01, 0.3])
def test_cells_around_a_position_are_those_whose_border_comes_so_near(ra, dec, radius):
    near = set(find_cells_at(ra, dec, radius))
    inside = set(find_cells_at(ra, dec))
    assert inside <= near
    for cell in near - inside:
        assert angle(ra, dec, walk_border(cell)).min() < radius * 1.0001
    for cell in set(find_cells_at(ra, dec, radius + 0.3)) - near:  # the neighbours that are left out
        assert angle(ra, dec, walk_border(cell)).min() > radius
    assert len(near) > len(inside) or radius < 0.1


def test_large_circle_takes_in_the_cells_whose_centers_it_contains():
    cells = [CellId(1889, x, y) for x in range(1, 22) for y in range(1, 22)]
    ra, dec = cell_centers(cells)
    in_circle = {
        cell for cell, d in zip(cells, angle(ra[220], dec[220], np.column_stack([ra, dec])), strict=True) if d < 6
    }
    assert in_circle == set(cells)
    assert in_circle <= set(find_cells_at(ra[220], dec[220], 6.0))


@pytest.mark.parametrize(
    "position", [(0, 91, 0), (np.nan, 0, 0), (0, np.nan, 0), (0, 0, -1), (0, 0, 31), (0, 0, np.nan)]
)
def test_positions_and_radii_off_the_sky_are_refused(position):
    with pytest.raises(UsageError, match="expected"):
        find_cells_at(*position)

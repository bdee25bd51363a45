"""An independent judge for sky tests: the rules of the tessellation by brute force, with shapely for overlaps.

Nothing of mvmdb is used but its ring table, read from the file: the projection is written out in angles, and every
footprint is compared with every projection cell.
"""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import shapely

STEP, SIZE, MIDDLE = 21442, 21954, 225144.0


def read_centers() -> list[tuple[float, float]]:
    """(ra, dec) of all projection cells, one ring after the other."""
    text = (files("mvmdb.sky") / "ps1_rings.csv").read_text()
    centers = []
    for row in csv.DictReader(text.splitlines()):
        assert int(row["projcell"]) == len(centers)
        n = int(row["nband"])
        centers += [(i * 360.0 / n, float(row["dec"])) for i in range(n)]
    return centers


CENTERS = read_centers()
RA0, DEC0 = np.deg2rad(np.array(CENTERS)).T


def project(p, ra, dec):
    """Fine pixels of projection cell p for positions in degrees, by formulas in angles; NaN beyond 60 degrees."""
    ra, dec = np.deg2rad(ra), np.deg2rad(dec)
    ra0, dec0 = RA0[p], DEC0[p]
    cos_c = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    cos_c = np.where(cos_c > 0.5, cos_c, np.nan)
    xi = np.cos(dec) * np.sin(ra - ra0) / cos_c
    eta = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / cos_c
    scale = 0.04 / 3600.0
    return MIDDLE - np.rad2deg(xi) / scale, MIDDLE + np.rad2deg(eta) / scale


def judge_members(polygons, smallest_area=0.0):
    """{(projection cell, x, y): (area, bounds)} of every sky cell that the polygons of one exposure overlap."""
    overlaps = {}
    for polygon in polygons:
        ra, dec = np.asarray(polygon).T
        x, y = project(np.arange(len(CENTERS))[:, None], ra, dec)
        reach = 2 * SIZE + 21 * STEP
        near = np.flatnonzero(
            np.isfinite(x).all(axis=1)
            & (x.min(axis=1) < reach)
            & (x.max(axis=1) > -SIZE)
            & (y.min(axis=1) < reach)
            & (y.max(axis=1) > -SIZE)
        )
        for p in near:
            _judge_plane(
                int(p), shapely.make_valid(shapely.Polygon(np.column_stack([x[p], y[p]]))), smallest_area, overlaps
            )
    return overlaps


def _judge_plane(p, shape, smallest_area, overlaps):
    low_x, low_y, high_x, high_y = shape.bounds
    for i in range(21):
        if not (low_x - 1 <= i * STEP + SIZE + 0.5 and high_x + 1 >= i * STEP + 0.5):
            continue
        for j in range(21):
            if not (low_y - 1 <= j * STEP + SIZE + 0.5 and high_y + 1 >= j * STEP + 0.5):
                continue
            left, bottom = i * STEP + 0.5, j * STEP + 0.5
            overlap = shape.intersection(shapely.box(left, bottom, left + SIZE, bottom + SIZE))
            if overlap.area > smallest_area:
                bounds = np.array(overlap.bounds) - [i * STEP, j * STEP, i * STEP, j * STEP]
                area, old = overlaps.get((p, i + 1, j + 1), (0.0, np.array([np.inf, np.inf, -np.inf, -np.inf])))
                bounds = np.concatenate([np.minimum(old[:2], bounds[:2]), np.maximum(old[2:], bounds[2:])])
                overlaps[p, i + 1, j + 1] = (area + overlap.area, bounds)


def whole_pixels(bounds):
    """(x_min, x_max, y_min, y_max) of the pixels that bounds (x_low, y_low, x_high, y_high) reach into."""
    low = np.clip(np.floor(bounds[:2] + 0.5), 1, SIZE).astype(int)
    high = np.clip(np.ceil(bounds[2:] - 0.5), 1, SIZE).astype(int)
    return int(low[0]), int(high[0]), int(low[1]), int(high[1])


def draw_square(ra, dec, side, roll, n_edge=1, bow=0.0):
    """A square on the sky around a position, all in degrees; with `n_edge` > 1 its edges bend inward by `bow`."""
    t = np.arange(n_edge) / n_edge
    inset = bow * 4 * t * (1 - t)
    u = np.concatenate([t - 0.5, 0.5 - inset / side, 0.5 - t, inset / side - 0.5])
    v = np.concatenate([inset / side - 0.5, t - 0.5, 0.5 - inset / side, 0.5 - t])
    return rotate_out(ra, dec, side * u, side * v, roll)


def rotate_out(ra, dec, east, north, roll):
    """Positions (n, 2) at offsets in degrees, on a tangent plane turned by `roll`, from a position."""
    a, d, r = np.deg2rad([ra, dec, roll])
    xi, eta = np.deg2rad(east * np.cos(r) + north * np.sin(r)), np.deg2rad(north * np.cos(r) - east * np.sin(r))
    depth = np.cos(d) - eta * np.sin(d)
    out_ra = np.rad2deg(a + np.arctan2(xi, depth))
    return np.column_stack([out_ra % 360.0, np.rad2deg(np.arctan2(np.sin(d) + eta * np.cos(d), np.hypot(xi, depth)))])

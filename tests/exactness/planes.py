"""Brute-force judge: every polygon in every projection cell's plane, clipped by every sky cell's square with shapely.

Nothing of mvmdb is used but its ring table, read from the file. Three steps, without any look-up: all vertices are
projected into all 2,644 planes; where the outline's box comes within a pixel of a plane's sky cells, wcslib projects it
again; and each of the 441 squares whose box meets the outline's is cut out of it.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import shapely
from astropy.wcs import WCS

STEP, SIZE, MIDDLE, N_SIDE = 21442, 21954, 225144.0, 21
CELLS = N_SIDE * N_SIDE
PIXELS_PER_DEGREE = 90000.0
TOUCH = 1e-7
"""Overlaps no deeper than this many fine pixels are touching, which is not membership: what find_members promises."""
DOUBT = (2e-8, 5e-7)
"""Where the verdict depends on which of these depths counts as touching, the judge gives none."""
SLIVER = 1.0
"""Overlaps of less area (pixels^2) are checked again, corner by corner."""


def _read_rings():
    text = (files("mvmdb.sky") / "ps1_rings.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    return tuple(np.array([float(row[name]) for row in rows]) for name in ("nband", "dec", "dec_min", "dec_max"))


N_BAND, _RING_DEC, RING_DEC_MIN, RING_DEC_MAX = _read_rings()
N_BAND = N_BAND.astype(int)
RA0 = np.concatenate([np.arange(n) * 360.0 / n for n in N_BAND])
DEC0 = np.repeat(_RING_DEC, N_BAND)


class Judged(NamedTuple):
    """Sorted numbers of the pairs (exposure, sky cell) that overlap, `exposure * 1,166,004 + cell`, and their areas.

    `doubtful` are the pairs within rounding of touching; they are in none of the others. `n_planes` and `n_clipped`
    say how many outlines were projected by wcslib, and how many squares were cut.
    """

    pairs: np.ndarray
    area: np.ndarray
    doubtful: np.ndarray
    n_planes: int
    n_clipped: int


def plane_to_sky(p, x, y):
    """Degrees of fine pixels of projection cells `p`, by spherical trigonometry (Snyder 1987, eq. 20-14, 20-15)."""
    xi, eta = np.deg2rad((MIDDLE - x) / PIXELS_PER_DEGREE), np.deg2rad((y - MIDDLE) / PIXELS_PER_DEGREE)
    a, d = np.deg2rad(RA0[p]), np.deg2rad(DEC0[p])
    depth = np.cos(d) - eta * np.sin(d)
    ra = np.rad2deg(a + np.arctan2(xi, depth)) % 360.0
    return ra, np.rad2deg(np.arctan2(np.sin(d) + eta * np.cos(d), np.hypot(xi, depth)))


def judge(field):
    """Every membership of a field (see `fields.Field`)."""
    polygon, p = _meet_planes(field.ra, field.dec)
    x, y = sky_to_plane(p, field.ra[polygon], field.dec[polygon])
    pair, i, j = _meet_squares(x, y)
    shapes = shapely.polygons(np.stack([x, y], axis=-1))
    shapes = np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes))[pair]
    left, bottom = i * STEP + 0.5, j * STEP + 0.5
    area = shapely.area(shapely.intersection(shapes, shapely.box(left, bottom, left + SIZE, bottom + SIZE)))
    member, doubt = area >= SLIVER, np.zeros(len(area), dtype=bool)
    thin = np.flatnonzero(~member)
    verdicts = [overlaps(shapes[thin], left[thin], bottom[thin], depth) for depth in (DOUBT[0], TOUCH, DOUBT[1])]
    member[thin], doubt[thin] = verdicts[1], (verdicts[0] != verdicts[1]) | (verdicts[1] != verdicts[2])
    key = field.owner[polygon[pair]] * (len(RA0) * CELLS) + p[pair] * CELLS + j * N_SIDE + i
    sure = np.unique(key[member & ~doubt])
    doubtful = np.setdiff1d(key[doubt], sure)
    total = np.bincount(np.searchsorted(sure, key[member & ~doubt]), weights=area[member & ~doubt], minlength=len(sure))
    return Judged(sure, total, doubtful, len(p), len(pair))


def _meet_planes(ra, dec, block=32):
    """(polygon, projection cell) wherever a polygon's box in the plane comes near the plane's sky cells; tries all."""
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    vectors = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
    a0, d0 = np.deg2rad(RA0), np.deg2rad(DEC0)
    east = np.stack([-np.sin(a0), np.cos(a0), np.zeros_like(a0)])
    north = np.stack([-np.sin(d0) * np.cos(a0), -np.sin(d0) * np.sin(a0), np.cos(d0)])
    middle = np.stack([np.cos(d0) * np.cos(a0), np.cos(d0) * np.sin(a0), np.sin(d0)])
    low, high = MIDDLE - 0.5 + 1.0, 20 * STEP + SIZE + 0.5 - MIDDLE + 1.0  # pixels from the centre, and one to spare
    low, high = np.deg2rad(low / PIXELS_PER_DEGREE), np.deg2rad(high / PIXELS_PER_DEGREE)
    pairs = []
    for first in range(0, len(ra), block):
        batch = vectors[first : first + block]
        depth = batch @ middle
        with np.errstate(divide="ignore", invalid="ignore"):
            west, up = -(batch @ east) / depth, (batch @ north) / depth
        near = (depth.min(axis=1) > 0.5) & (west.min(axis=1) < high) & (west.max(axis=1) > -low)
        near &= (up.min(axis=1) < high) & (up.max(axis=1) > -low)
        polygon, p = np.nonzero(near)
        pairs.append(np.stack([polygon + first, p]))
    return np.concatenate(pairs, axis=1)


def sky_to_plane(p, ra, dec):
    """Fine pixels of positions (m, k) in the planes of projection cells (m,), by wcslib, one cell after the other."""
    x, y = np.empty_like(ra), np.empty_like(ra)
    order = np.argsort(p, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(p[order])) + 1):
        if len(rows):
            wcs = WCS(naxis=2)
            wcs.wcs.ctype, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [MIDDLE, MIDDLE]
            wcs.wcs.crval, wcs.wcs.cdelt = [RA0[p[rows[0]]], DEC0[p[rows[0]]]], [-0.04 / 3600, 0.04 / 3600]
            x[rows], y[rows] = wcs.wcs_world2pix(ra[rows], dec[rows], 1)
    return x, y


def _meet_squares(x, y, block=20000):
    """(row, i, j) of the 21 x 21 squares whose boxes come within a pixel of the boxes of outlines (m, k)."""
    start = np.arange(N_SIDE) * STEP + 0.5
    squares = []
    for first in range(0, len(x), block):
        batch = slice(first, first + block)
        in_x = (x[batch].min(axis=1)[:, None] < start + SIZE + 1) & (x[batch].max(axis=1)[:, None] > start - 1)
        in_y = (y[batch].min(axis=1)[:, None] < start + SIZE + 1) & (y[batch].max(axis=1)[:, None] > start - 1)
        row, i, j = np.nonzero(in_x[:, :, None] & in_y[:, None, :])
        squares.append(np.stack([row + first, i, j]))
    return np.concatenate(squares, axis=1)


def overlaps(shapes, left, bottom, depth):
    """Whether shapes and squares, these made smaller by `depth` on every side, have inner points in common."""
    squares = shapely.box(left + depth, bottom + depth, left + SIZE - depth, bottom + SIZE - depth)
    return shapely.relate_pattern(shapes, squares, "T********")

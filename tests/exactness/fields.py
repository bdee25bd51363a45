"""Where the footprints of the exactness tests lie and what shape they have: one function per regime, all from a seed.

Nothing of mvmdb is used here. Every chip has eight vertices (corners and middles of edges, these bent in or out by up
to half a percent, as distortion does), so that a field is a few flat arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from exactness.planes import RA0, RING_DEC_MAX, RING_DEC_MIN, SIZE, STEP, plane_to_sky

K = 8
SIDES = {"SBC": (34.6, 30.5), "HRC": (29.0, 26.0), "IR": (136.0, 123.0), "UVIS": (162.0, 80.5), "WFC": (202.0, 101.0)}
"""Width and height of one chip, arcsec."""
GAPS = {"UVIS": 1.4, "WFC": 2.5}
"""Between the two chips, arcsec."""
PIXEL = 0.04
TOUCH_DEPTH = 1e-6
"""How far, in fine pixels, footprints of `touching` reach into their sky cell or stay out of it, if not 0."""


class Field(NamedTuple):
    """Polygons `ra`, `dec` (m, 8) in degrees and the exposure, of `n`, that owns each.

    `cell` is the sky cell (p, x, y) that each exposure is aimed at, and `expected` whether it must overlap it; None
    where nothing is known beforehand.
    """

    ra: np.ndarray
    dec: np.ndarray
    owner: np.ndarray
    n: int
    cell: np.ndarray | None = None
    expected: np.ndarray | None = None


def draw_chips(rng, detectors):
    """(owner, u, v): chip outlines (m, 8), arcsec from the exposure's centre, detector axes; a bit skewed and bent."""
    owner, u, v = [], [], []
    n = len(detectors)
    skew, bend = rng.uniform(-0.08, 0.08, n), rng.uniform(-0.005, 0.005, (n, 2))
    around_u = np.array([-1.0, 0.0, 1.0, 1.0, 1.0, 0.0, -1.0, -1.0]) / 2
    around_v = np.array([-1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0, 0.0]) / 2
    for name, (width, height) in SIDES.items():
        exposures = np.flatnonzero(detectors == name)
        shifts = (-1, 1) if name in GAPS else (0,)
        for shift in shifts:
            chip_u = width * around_u * (1 + 2 * bend[exposures, :1] * (around_v == 0))
            chip_v = height * around_v * (1 + 2 * bend[exposures, 1:] * (around_u == 0))
            chip_v = chip_v + shift * (height + GAPS.get(name, 0.0)) / 2
            owner.append(exposures)
            u.append(chip_u + skew[exposures, None] * chip_v)
            v.append(chip_v)
    order = np.argsort(np.concatenate(owner), kind="stable")
    return tuple(np.concatenate(arrays)[order] for arrays in (owner, u, v))


def place_chips(rng, ra, dec, detectors, roll=None):
    """A field of exposures of `detectors` around positions in degrees, turned by `roll` degrees (random if None)."""
    n = len(ra)
    owner, u, v = draw_chips(rng, detectors)
    turn = np.deg2rad(rng.uniform(0, 360, n) if roll is None else roll)[owner, None]
    xi, eta = (
        np.deg2rad((u * np.cos(turn) + v * np.sin(turn)) / 3600),
        np.deg2rad((v * np.cos(turn) - u * np.sin(turn)) / 3600),
    )
    a, d = np.deg2rad(ra)[owner, None], np.deg2rad(dec)[owner, None]
    depth = np.cos(d) - eta * np.sin(d)
    out_ra = np.rad2deg(a + np.arctan2(xi, depth)) % 360.0
    out_dec = np.rad2deg(np.arctan2(np.sin(d) + eta * np.cos(d), np.hypot(xi, depth)))
    return Field(out_ra, out_dec, owner, n)


def any_detector(rng, n):
    return rng.choice(list(SIDES), n)


def uniform(rng, n):
    """Uniform on the sphere."""
    dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))
    return place_chips(rng, rng.uniform(0, 360, n), dec, any_detector(rng, n))


def near_ra_0(rng, n):
    """RA within 1 degree of 0, the same number in every ring."""
    ring = np.arange(n) % len(RING_DEC_MIN)
    dec = rng.uniform(RING_DEC_MIN[ring], RING_DEC_MAX[ring])
    return place_chips(rng, rng.uniform(-1, 1, n) % 360, dec, any_detector(rng, n))


def near_ring_edges(rng, n):
    """Within 0.1 degree of every ring's dec_min and dec_max, the same number at each."""
    edges = np.concatenate([RING_DEC_MIN, RING_DEC_MAX])
    dec = edges[np.arange(n) % len(edges)] + rng.uniform(-0.1, 0.1, n)
    dec = np.where(np.abs(dec) > 90, np.sign(dec) * 180 - dec, dec)
    return place_chips(rng, rng.uniform(0, 360, n), dec, any_detector(rng, n))


def beyond_80(rng, n):
    """|dec| above 80, uniform in area."""
    dec = np.rad2deg(np.arcsin(rng.uniform(np.sin(np.deg2rad(80)), 1, n))) * rng.choice([-1, 1], n)
    return place_chips(rng, rng.uniform(0, 360, n), dec, any_detector(rng, n))


def at_poles(rng, n):
    """1e-8 to 1 degree from a pole, uniform in the logarithm, and one in twenty centred on it."""
    distance = np.where(rng.random(n) < 0.05, 0.0, 10.0 ** rng.uniform(-8, 0, n))
    return place_chips(rng, rng.uniform(0, 360, n), rng.choice([-1, 1], n) * (90 - distance), any_detector(rng, n))


def on_outer_edge(rng, n):
    """Around the outer edge of row and column 21, and within the strip by which they pass the projection cell."""
    edge = 20 * STEP + SIZE + 0.5
    across = np.where(rng.random(n) < 0.5, edge + rng.normal(0, 2500, n), rng.uniform(edge - 507, edge, n))
    along = rng.uniform(-2000, edge + 2000, n)
    along = np.where(rng.random(n) < 0.1, edge + rng.normal(0, 2500, n), along)  # cells in both row and column 21
    swap = rng.random(n) < 0.5
    p = rng.integers(0, len(RA0), n)
    ra, dec = plane_to_sky(p, np.where(swap, along, across), np.where(swap, across, along))
    return place_chips(rng, ra, dec, any_detector(rng, n))


def touching(rng, n):
    """Rectangles that end a millionth of a fine pixel before, beyond or on the borders of a cell, in four ways.

    A side along a border; a corner at a corner; a corner at a border; a side across a corner, where the boxes overlap.
    All in the plane of the cell; on the sky, vertices are rounded to 1e-8 pixel, which bends an edge by as much.
    """
    p, x, y = rng.integers(0, len(RA0), n), rng.integers(1, 22, n), rng.integers(1, 22, n)
    depth = TOUCH_DEPTH * rng.choice([-1.0, 0.0, 1.0], n)
    out, along = _rectangles_beyond(rng, n)
    half, contact = SIZE / 2, rng.integers(0, 4, n)[:, None]
    slide = rng.uniform(-1, 1, n)[:, None] * (half - 10)
    tilt = np.deg2rad(rng.uniform(5, 85, n))[:, None]
    cos, sin = np.cos(tilt), np.sin(tilt)
    middle = along.mean(axis=1, keepdims=True) + np.ptp(along, axis=1)[:, None] * rng.uniform(-0.3, 0.3, n)[:, None]
    # Offsets from the cell's middle (u, v), at its border or corner of high u and v; (out, along) start at a corner.
    contacts = [
        (half + out, slide + along - middle),
        (half + out, half - depth[:, None] + along),
        (half + out * cos + along * sin, slide - out * sin + along * cos),
        (half + out * cos - (along - middle) * sin, half + out * sin + (along - middle) * cos),
    ]
    u, v = (np.select([contact == i for i in range(4)], [pair[axis] for pair in contacts]) for axis in (0, 1))
    u = u - depth[:, None] * np.where(contact == 3, cos, 1.0)
    v = v - depth[:, None] * np.where(contact == 3, sin, 0.0)
    swap, flip = rng.random(n)[:, None] < 0.5, rng.choice([-1, 1], (2, n, 1))
    u, v = np.where(swap, v, u) * flip[0], np.where(swap, u, v) * flip[1]
    centre = (SIZE + 1) / 2
    ra, dec = plane_to_sky(p[:, None], u + centre + (x[:, None] - 1) * STEP, v + centre + (y[:, None] - 1) * STEP)
    return Field(ra, dec, np.arange(n), n, np.column_stack([p, x, y]), depth > 0)


def _rectangles_beyond(rng, n):
    """(out, along): outlines (n, 8) of rectangles with a corner at 0, 0, of 200 to 5000 fine pixels."""
    width, height = rng.uniform(200, 5000, (2, n, 1))
    out = width * np.array([0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0])
    return out, height * np.array([0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.5])


def across_gaps(rng, n):
    """Two chips with the gap between them along a border of a cell, most of them so that no chip crosses it."""
    detectors = rng.choice(list(GAPS), n)
    gap = np.array([GAPS[name] for name in detectors]) / PIXEL
    p, x, y = rng.integers(0, len(RA0), n), rng.integers(1, 22, n), rng.integers(1, 22, n)
    side, along = rng.integers(0, 4, n), rng.uniform(0.02, 0.98, n) * SIZE + 0.5
    across = np.where(side % 2 == 0, 0.5, SIZE + 0.5) + rng.uniform(-0.3, 0.3, n) * gap
    vertical = side < 2
    in_x, in_y = np.where(vertical, across, along), np.where(vertical, along, across)
    ra, dec = plane_to_sky(p, in_x + (x - 1) * STEP, in_y + (y - 1) * STEP)
    # The chips' rows lie along the border; y points to the plane's north, off the sky's by the convergence there.
    north_ra, north_dec = plane_to_sky(p, in_x + (x - 1) * STEP, in_y + (y - 1) * STEP + 1000.0)
    d, d2, da = np.deg2rad(dec), np.deg2rad(north_dec), np.deg2rad(north_ra - ra)
    angle = np.rad2deg(
        np.arctan2(np.sin(da) * np.cos(d2), np.cos(d) * np.sin(d2) - np.sin(d) * np.cos(d2) * np.cos(da))
    )
    roll = angle + 90.0 * vertical + rng.choice([0, 180], n) + rng.uniform(-0.05, 0.05, n)
    roll = np.where(rng.random(n) < 0.25, rng.uniform(0, 360, n), roll)
    field = place_chips(rng, ra, dec, detectors, roll)
    return field._replace(cell=np.column_stack([p, x, y]), expected=np.ones(n, dtype=bool))


def small(rng, n):
    """ACS/SBC at any roll, over the whole sky."""
    dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))
    return place_chips(rng, rng.uniform(0, 360, n), dec, np.full(n, "SBC"))


def large(rng, n):
    """ACS/WFC at any roll, over the whole sky."""
    dec = np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))
    return place_chips(rng, rng.uniform(0, 360, n), dec, np.full(n, "WFC"))


REGIMES: dict[str, Callable[..., Field]] = {
    "uniform sky": uniform,
    "RA within 1 degree of 0, every ring": near_ra_0,
    "within 0.1 degree of every dec_min and dec_max": near_ring_edges,
    "|dec| > 80": beyond_80,
    "at the poles": at_poles,
    "outer edge of row and column 21": on_outer_edge,
    "touching a border to 1e-6 pixel": touching,
    "gap between chips along a border": across_gaps,
    "small (SBC), any roll": small,
    "large (WFC), any roll": large,
}


def draw_field(regime: str, n: int, seed: int) -> Field:
    """`n` exposures of one regime."""
    return REGIMES[regime](np.random.default_rng([seed, list(REGIMES).index(regime)]), n)

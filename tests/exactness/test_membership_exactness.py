"""Memberships in every regime against brute force over all projection cells, and against polygons on the sphere.

A seeded sample of what `make exactness` runs in full: see docs/exactness.md.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import shapely
from exactness import compare as comparison
from exactness.fields import REGIMES, TOUCH_DEPTH, draw_field
from exactness.planes import DEC0, RA0, RING_DEC_MAX, RING_DEC_MIN, SIZE, STEP, overlaps, sky_to_plane
from exactness.sphere_judge import judge_on_sphere

from mvmdb.names import CellId
from mvmdb.sky.tessellation import cell_wcs

N = 1500
SEED = 2


@cache
def field_of(regime):
    return draw_field(regime, N, SEED)


@cache
def outcome_of(regime):
    return comparison.compare(field_of(regime))


@pytest.mark.parametrize("regime", REGIMES)
def test_nothing_is_missed_and_nothing_extra(regime):
    outcome = outcome_of(regime)
    assert outcome.exposures == N
    assert (outcome.missed.tolist(), outcome.extra.tolist()) == ([], [])
    assert (outcome.doubtful, outcome.off_target) == (0, 0)
    assert outcome.memberships >= N
    assert outcome.area_error < 0.01


@pytest.mark.parametrize("regime", REGIMES)
def test_polygons_on_the_sphere_agree(regime):
    checked, wrong = judge_on_sphere(field_of(regime), outcome_of(regime).members, 15)
    assert wrong == 0
    assert checked > 60


def test_judge_notices_one_membership_dropped_and_one_moved(monkeypatch):
    field = field_of("uniform sky")
    members = outcome_of("uniform sky").members
    columns = {name: getattr(members, name).copy() for name in members.__slots__}
    columns = {name: column[1:] for name, column in columns.items()}
    columns["x"][100] = 22 - columns["x"][100] if columns["x"][100] != 11 else 1
    monkeypatch.setattr(comparison, "find", lambda _: type(members)(**columns))
    outcome = comparison.compare(field)
    assert (len(outcome.missed), len(outcome.extra)) == (2, 1)


def test_judge_notices_footprints_moved_by_four_microarcseconds(monkeypatch):
    """1e-9 degrees is 9e-5 of a fine pixel."""
    field = field_of("touching a border to 1e-6 pixel")
    moved = comparison.find(field._replace(dec=np.clip(field.dec + 1e-9, -90, 90)))
    monkeypatch.setattr(comparison, "find", lambda _: moved)
    outcome = comparison.compare(field)
    assert min(len(outcome.missed), len(outcome.extra), outcome.off_target) > 50


def test_regimes_lie_where_they_say():
    sizes = 0.1  # degrees: more than any footprint's half diagonal
    field = field_of("RA within 1 degree of 0, every ring")
    assert (np.abs((field.ra + 180) % 360 - 180) * np.cos(np.deg2rad(field.dec)) < 1 + sizes).all()
    assert (np.abs(field_of("|dec| > 80").dec) > 80 - sizes).all()
    assert (np.abs(field_of("at the poles").dec) > 89 - sizes).all()
    dec = field_of("within 0.1 degree of every dec_min and dec_max").dec.mean(axis=1)
    for edge in {*RING_DEC_MIN, *RING_DEC_MAX}:
        assert (np.abs(dec - edge) < 0.1 + sizes).sum() >= N // 92


def in_plane_of_target(field):
    """The left and bottom edges of the cell that each chip is aimed at, and the chip's outline in that plane."""
    p, x, y = field.cell[field.owner].T
    return (x - 1) * STEP + 0.5, (y - 1) * STEP + 0.5, sky_to_plane(p, field.ra, field.dec)


def test_touching_footprints_end_within_a_millionth_of_a_pixel_of_their_cell():
    field = field_of("touching a border to 1e-6 pixel")
    left, bottom, outline = in_plane_of_target(field)
    shapes = shapely.polygons(np.stack(outline, axis=-1))
    assert not overlaps(shapes, left, bottom, 1.05 * TOUCH_DEPTH).any()
    assert overlaps(shapes, left, bottom, -1.05 * TOUCH_DEPTH).all()
    into, reaching = (overlaps(shapes, left, bottom, depth) for depth in (0.5 * TOUCH_DEPTH, -0.5 * TOUCH_DEPTH))
    assert (into == field.expected).all()
    assert min(into.sum(), (reaching & ~into).sum(), (~reaching).sum()) > N / 4


def test_of_most_chip_pairs_one_is_inside_the_cell_and_one_outside():
    field = field_of("gap between chips along a border")
    left, bottom, (x, y) = in_plane_of_target(field)
    outside = (x.max(axis=1) < left) | (x.min(axis=1) > left + SIZE)
    outside |= (y.max(axis=1) < bottom) | (y.min(axis=1) > bottom + SIZE)
    assert (field.owner[0::2] == field.owner[1::2]).all()
    assert (outside[0::2] != outside[1::2]).mean() > 0.6


@pytest.mark.parametrize(("scale", "zoom"), [("fine", 1), ("coarse", 3)])
def test_every_projection_cell_has_the_wcs_of_the_rules(scale, zoom):
    """Two sky cells of each; all 441 are compared with drizzlepac's by `make conformance-sky`."""
    rng = np.random.default_rng(SEED)
    for p in np.repeat(np.arange(len(RA0)), 2):
        cell = CellId(int(p), *rng.integers(1, 22, 2).tolist())
        wcs = cell_wcs(cell, scale)
        assert wcs.wcs.crpix.tolist() == [(225144 - (n - 1) * STEP) / zoom for n in (cell.x, cell.y)]
        assert wcs.wcs.crval.tolist() == [RA0[p], DEC0[p]]
        assert wcs.pixel_shape == (SIZE // zoom, SIZE // zoom)

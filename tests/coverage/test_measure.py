"""Areas and depths on the sphere, judged by spherical_geometry, by mocpy, and by points all over the sky."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC
from skypoints import ARCMIN2, PLACES, chip, depths_at, field, sample, union_in_plane, vectors
from spherical_geometry.polygon import SphericalPolygon

from mvmdb.coverage import lines
from mvmdb.coverage.measure import measure_depths, measure_gains, measure_together
from mvmdb.sky.footprints import Footprints

ONE = np.zeros(1, np.int64)


def union_by_spherical_geometry(polygons):
    shapes = []
    for p in (p for chips in polygons for p in chips):
        middle = vectors(*p.T).mean(axis=0)
        shapes.append(SphericalPolygon(np.vstack([vectors(*p.T), vectors(*p[:1].T)]), inside=middle))
    union = shapes[0]
    for shape in shapes[1:]:
        union = union.union(shape)
    return union.area() * ARCMIN2


@pytest.mark.parametrize(
    "place", ["plain", "RA 0", "corner of the cube", "edge of the cube", "across projection cells"]
)
def test_union_of_few_is_that_of_spherical_geometry(place):
    ra, dec = PLACES[place]
    polygons = [[chip(ra + 0.01 * k, dec + 0.007 * k, 202, 101, 20 + 31 * k)] for k in range(4)]
    depths = measure_depths(Footprints.from_polygons(polygons), np.ones(4), np.zeros(4, int), 1)
    assert depths.area[0] == pytest.approx(union_by_spherical_geometry(polygons), rel=2e-6)
    assert depths.area[0] == pytest.approx(union_in_plane(place, polygons), rel=2e-6)


@pytest.mark.parametrize("place", PLACES)
def test_areas_and_depths_are_those_of_points(place):
    polygons, footprints, exptime = field(place, 30)
    number = np.arange(30) % 2
    limits = (0.0, 500.0, 3000.0, 7000.0)
    depths = measure_depths(footprints, exptime, number, 2, limits)
    points, area = sample(place)
    for group in (0, 1):
        n, seconds = depths_at(points, polygons, exptime, number == group)
        covered = n > 0
        ours = [chips for chips, own in zip(polygons, number == group, strict=True) if own]
        assert depths.area[group] == pytest.approx(union_in_plane(place, ours), rel=1e-4)
        assert depths.area[group] == pytest.approx(covered.sum() * area, rel=2e-3)
        assert depths.mean_exposures[group] == pytest.approx(n[covered].mean(), rel=2e-3)
        assert depths.mean_exptime[group] == pytest.approx(seconds[covered].mean(), rel=2e-3)
        for limit, deeper in zip(limits, depths.deeper[:, group], strict=True):
            assert deeper == pytest.approx((seconds > limit).sum() * area, rel=2e-3, abs=0.03)


def test_what_is_together_and_what_is_added_are_those_of_points():
    place = "RA 0"
    polygons, footprints, exptime = field(place, 30, seed=3)
    number = np.arange(30) % 3
    points, area = sample(place)
    at = [depths_at(points, polygons, exptime, number == group) for group in range(3)]
    limits = (400.0, 1500.0)
    areas = measure_together(footprints, exptime, number, 3, limits)
    assert areas[0] == pytest.approx(np.all([n > 0 for n, _ in at], axis=0).sum() * area, rel=2e-3, abs=0.03)
    for limit, deeper in zip(limits, areas[1:], strict=True):
        judged = np.all([seconds > limit for _, seconds in at], axis=0).sum() * area
        assert deeper == pytest.approx(judged, rel=2e-3, abs=0.03)
    gains = measure_gains(footprints, exptime, np.zeros(30, int), 1, number == 0, limits)
    (own, ours), (others, before) = at[0], depths_at(points, polygons, exptime, number != 0)
    there = own > 0
    assert gains.area[0] == pytest.approx(there.sum() * area, rel=2e-3)
    assert gains.new[0] == pytest.approx((there & (others == 0)).sum() * area, rel=2e-3, abs=0.03)
    assert gains.before[0] == pytest.approx(before[there].mean(), rel=2e-3)
    assert gains.after[0] == pytest.approx((before + ours)[there].mean(), rel=2e-3)
    lifted = there & (before <= 1500.0) & (before + ours > 1500.0)
    assert gains.lifted[1, 0] == pytest.approx(lifted.sum() * area, rel=2e-3, abs=0.06)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 25), place=st.sampled_from(sorted(PLACES)))
def test_lines_at_equal_distances_agree_with_every_crossing(seed, n, place):
    _, footprints, exptime = field(place, n, seed)
    with pytest.MonkeyPatch.context() as patch:
        answers = []
        for most in (0, 10_000):
            patch.setattr(lines, "EXACT", most)
            answers.append(measure_depths(footprints, exptime, np.zeros(n, int), 1, (1000.0,)))
    coarse, exact = answers
    assert coarse.area[0] == pytest.approx(exact.area[0], rel=2e-4)
    assert coarse.mean_exptime[0] == pytest.approx(exact.mean_exptime[0], rel=3e-4)
    assert coarse.deeper[0, 0] == pytest.approx(exact.deeper[0, 0], rel=1e-3, abs=1e-3 * exact.area[0])


def test_a_block_of_lines_more_or_less_changes_nothing(monkeypatch):
    _, footprints, exptime = field("pole", 40)
    whole = measure_depths(footprints, exptime, np.zeros(40, int), 1, (900.0,))
    monkeypatch.setattr(lines, "_AT_ONCE", 500)
    parts = measure_depths(footprints, exptime, np.zeros(40, int), 1, (900.0,))
    assert parts.area[0] == pytest.approx(whole.area[0], rel=1e-12)
    assert parts.deeper[0, 0] == pytest.approx(whole.deeper[0, 0], rel=1e-12)


def test_equal_footprints_and_overlapping_chips_count_once():
    square = chip(10.0, 20.0, 100, 100, 33)
    same = Footprints.from_polygons([[square]] * 60)
    depths = measure_depths(same, np.full(60, 10.0), np.zeros(60, int), 1, (599.0, 600.0))
    alone = measure_depths(Footprints.from_polygons([[square]]), np.ones(1), ONE, 1).area[0]
    assert depths.area[0] == pytest.approx(alone, rel=2e-5)
    assert depths.mean_exposures[0] == pytest.approx(60)
    assert depths.deeper[:, 0] == pytest.approx([alone, 0.0], rel=2e-5)
    moved = chip(10.0, 20.0, 100, 100, 33, east=50.0)
    both = measure_depths(Footprints.from_polygons([[square, moved]]), np.ones(1), ONE, 1)
    assert both.area[0] == pytest.approx(1.5 * alone, rel=1e-6)
    assert both.mean_exposures[0] == pytest.approx(1.0)


def test_a_hole_between_chips_is_not_covered():
    frame = [
        chip(10, 20, 300, 100, 0, 0, 100),
        chip(10, 20, 300, 100, 0, 0, -100),
        chip(10, 20, 100, 300, 0, 100),
        chip(10, 20, 100, 300, 0, -100),
    ]
    depths = measure_depths(Footprints.from_polygons([frame]), np.ones(1), ONE, 1)
    assert depths.area[0] == pytest.approx((300**2 - 100**2) / 3600, rel=1e-5)


def test_mocpy_finds_the_same_area():
    polygons, footprints, exptime = field("plain", 12, seed=5)
    moc = MOC.new_empty(18)
    for p in (p for chips in polygons for p in chips):
        moc = moc.union(MOC.from_polygon_skycoord(SkyCoord(*p.T, unit="deg"), max_depth=18))
    depths = measure_depths(footprints, exptime, np.zeros(12, int), 1)
    # A MOC has every pixel of 0.8 arcsec that an outline touches.
    assert depths.area[0] == pytest.approx(moc.sky_fraction * 4 * np.pi * ARCMIN2, rel=8e-3)
    assert depths.area[0] < (moc.sky_fraction * 4 * np.pi * u.sr).to_value(u.arcmin**2)


def test_nothing_covers_nothing():
    depths = measure_depths(Footprints.from_polygons([[]]), np.ones(1), ONE, 1, (5.0,))
    assert (depths.area[0], depths.mean_exptime[0], depths.deeper[0, 0]) == (0.0, 0.0, 0.0)
